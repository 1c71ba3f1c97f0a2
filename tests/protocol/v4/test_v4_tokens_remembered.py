"""A token's signature is verified once for each state of the Auth Service's keys; everything else each time."""

from dataclasses import replace

import pytest

from shared.protocol import tokens
from shared.protocol.signing import SigningKey, VerificationKey
from shared.protocol.tampering import GoodCall
from shared.protocol.tokens import Issuer, parse_token
from tests.protocol.conftest import Keys
from tests.protocol.v4.call_receiver import ISSUER


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What has been verified by RSA since."""
    seen: list[bytes] = []
    verify = VerificationKey.verify

    def watched(key: VerificationKey, signing_input: bytes, signature: bytes) -> bool:
        seen.append(signing_input)
        return verify(key, signing_input, signature)

    monkeypatch.setattr(VerificationKey, "verify", watched)
    return seen


@pytest.fixture
def issuer(auth_key: SigningKey) -> Issuer:
    """An Auth Service of this test's own."""
    return Issuer(ISSUER, {auth_key.kid: auth_key.public()})


def test_a_signature_that_holds_is_verified_once(good_call: GoodCall, issuer: Issuer, verified: list[bytes]) -> None:
    token = parse_token(good_call.token())
    assert [issuer.has_signed(token) for _ in range(3)] == [True] * 3
    assert verified == [token.signing_input]


@pytest.mark.check("OCEN-TOK-03")
def test_a_signature_that_fails_is_verified_each_time_and_takes_no_room(
    good_call: GoodCall, issuer: Issuer, verified: list[bytes]
) -> None:
    assert issuer.has_signed(parse_token(good_call.token()))
    forged = parse_token(good_call.token(key=good_call.unknown_key))
    verified.clear()
    assert [issuer.has_signed(forged) for _ in range(3)] == [False] * 3
    assert len(verified) == 3
    assert len(issuer._signed) == 1


@pytest.mark.check("OCEN-TOK-03")
def test_other_claims_under_a_signature_that_held_are_not_taken_for_what_was_signed(
    good_call: GoodCall, issuer: Issuer
) -> None:
    token = parse_token(good_call.token())
    assert issuer.has_signed(token)
    other = parse_token(good_call.token({"participantId": "4711"}, key=good_call.unknown_key))
    assert not issuer.has_signed(replace(token, signing_input=other.signing_input))
    assert not issuer.has_signed(replace(token, signature=other.signature))


def test_a_key_that_has_changed_under_its_kid_takes_its_tokens_with_it(
    good_call: GoodCall, issuer: Issuer, keys: Keys
) -> None:
    token = parse_token(good_call.token())
    assert issuer.has_signed(token)
    changed = keys.stranger.bound_to("RS256").public()
    assert not replace(issuer, keys={token.kid: changed}).has_signed(token)


def test_so_many_are_remembered_and_the_oldest_is_forgotten(
    good_call: GoodCall, issuer: Issuer, verified: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_REMEMBERED", 2)
    shown = [parse_token(good_call.token({"jti": str(number)})) for number in range(3)]
    assert all(issuer.has_signed(token) for token in shown)
    verified.clear()
    assert all(issuer.has_signed(token) for token in reversed(shown))
    assert verified == [shown[0].signing_input]
    assert len(issuer._signed) == 2
