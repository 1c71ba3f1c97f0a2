"""What holds for whatever a stranger sends: no failure of ours, and no change that goes unnoticed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.node.receive.verify import Refused
from shared.protocol.checks.bearer import token_signature_verifies
from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER
from shared.protocol.encoding import EncodingError, base64url_decode, base64url_encode
from shared.protocol.participants import Dialect
from shared.protocol.phases import NO_PEER, VerifiedMessage, WireMessage
from shared.protocol.problems import Problem
from shared.protocol.profiles import V4
from shared.protocol.tampering import GoodCall, OutgoingMessage
from shared.protocol.tokens import parse_token
from tests.protocol.v4.call_receiver import CallReceiver

# The receiver is not changed by what it refuses.
with_receiver = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

HEADER_NAMES = st.sampled_from([SIGNATURE_HEADER, STARTER_HEADER, "authorization"])
HEADER_TEXTS = st.text(st.characters(max_codepoint=255), max_size=300)
"""What can stand in an HTTP header, read as Latin-1."""

ENCODED = st.binary(max_size=60).map(base64url_encode)
JWS_LIKE = st.lists(ENCODED | HEADER_TEXTS, min_size=1, max_size=5).map(".".join)
SCALARS = st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
HEADER_MEMBERS = st.sampled_from(["alg", "kid", "typ", "cty", "b64", "crit", "jwk", "jku", "exp", "Alg"])
HEADER_VALUES = JSON | st.sampled_from(["RS256", "lsp-2031-a", "lsp-2031-b", ["b64"], False, True])
BODY_MEMBERS = st.sampled_from(["metadata", "productData", "credBlock", "loanApplicationId"])
CLAIMS = st.sampled_from(["exp", "iat", "nbf", "iss", "sub", "participantId", "azp", "aud", "jti"])


def problem_of(receiver: CallReceiver, message: OutgoingMessage) -> Problem | None:
    verdict = receiver.judge(message)
    return verdict.problem if isinstance(verdict, Refused) else None


def one_bit_changes(data: bytes) -> Iterator[bytes]:
    for place in range(len(data) * 8):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


@given(st.text() | JWS_LIKE | st.text(alphabet="eyJ0.-_=", max_size=40))
@example("a.b.c")
@example("é.é.é")
@example("\ud800.AA.AA")
def test_what_is_no_token_is_refused_as_that_and_in_no_other_way(text: str) -> None:
    try:
        token = parse_token(text)
    except EncodingError:
        return
    assert text.count(".") == 2
    assert isinstance(token.kid, str)
    assert isinstance(token.participant_id, str)


@given(st.binary() | JSON.map(lambda value: json.dumps({"metadata": value}).encode()))
def test_ids_are_claimed_or_empty_whatever_the_body_is(body: bytes) -> None:
    opened = V4.opened(WireMessage("", "", {}, body, NO_PEER))
    assert all(len(one) <= 64 and one.isprintable() for one in (opened.claims.request_id, opened.claims.trace_id))


@with_receiver
@given(
    headers=st.dictionaries(HEADER_NAMES, JWS_LIKE | HEADER_TEXTS),
    scheme=st.sampled_from(["", "Bearer ", "bearer "]),
)
def test_a_head_is_refused_or_understood_whatever_stands_in_it(
    headers: dict[str, str], scheme: str, good_call: GoodCall, lender_node: CallReceiver
) -> None:
    given_headers = {**headers, "authorization": scheme + headers.get("authorization", "")}
    message = replace(good_call.send(), headers={**good_call.headers, **given_headers})

    assert lender_node.head(message) in (None, Problem.TOKEN, Problem.SIGNATURE)
    assert not lender_node.take(message).passed


@with_receiver
@given(members=st.dictionaries(HEADER_MEMBERS, HEADER_VALUES), dialect=st.sampled_from(list(Dialect)))
def test_a_rightly_signed_header_counts_only_if_it_says_what_it_may(
    members: dict[str, Any], dialect: Dialect, good_call: GoodCall, lender_node: CallReceiver
) -> None:
    lender_node.set_dialect(dialect)
    header = {"alg": "RS256", "kid": good_call.key.kid, **members}

    verdict = lender_node.judge(good_call.send_header(json.dumps(header).encode()))

    passed = isinstance(verdict, VerifiedMessage)
    assert not passed or set(header) <= {"alg", "kid", "typ", "cty", "b64", "crit"}
    assert not passed or (header["alg"], header["kid"]) == ("RS256", good_call.key.kid)
    assert not passed or isinstance(header.get("b64", True), bool)
    assert not passed or header.get("crit", ["b64"]) == ["b64"]


@with_receiver
@given(changes=st.dictionaries(CLAIMS, JSON), note=JSON)
def test_claims_of_whatever_kind_are_refused_or_understood(
    changes: dict[str, Any], note: Any, good_call: GoodCall, lender_node: CallReceiver
) -> None:
    claims = json.dumps({**good_call.claims, **changes, "note": note}).encode()

    verdict = lender_node.judge(good_call.send_token(good_call.token(claims)))

    if isinstance(verdict, Refused):
        assert verdict.problem in (Problem.TOKEN, Problem.SENDER)
    else:
        assert verdict.sender.id == good_call.claims["participantId"]


@with_receiver
@given(members=st.dictionaries(BODY_MEMBERS, JSON))
def test_a_rightly_signed_body_of_whatever_kind_is_refused_or_understood(
    members: dict[str, Any], good_call: GoodCall, lender_node: CallReceiver
) -> None:
    verdict = lender_node.judge(good_call.send_payload(json.dumps({**good_call.document, **members}).encode()))
    assert isinstance(verdict, VerifiedMessage) or 400 <= verdict.problem.status < 500


@pytest.mark.check("OCEN-DET-03", "OCEN-JWS-10")
def test_no_change_of_one_bit_in_the_body_is_accepted(call: GoodCall, lender_node: CallReceiver) -> None:
    message = call.send()
    assert problem_of(lender_node, message) is None
    for body in one_bit_changes(message.body):
        assert problem_of(lender_node, replace(message, body=body)) is Problem.SIGNATURE


@pytest.mark.check("OCEN-JWS-10", "OCEN-JWS-11")
def test_no_change_of_one_bit_in_the_signature_header_as_it_travels_is_accepted(
    call: GoodCall, lender_node: CallReceiver
) -> None:
    message, text = call.send(), call.sign()
    for changed in one_bit_changes(text.encode()):
        headers = {**message.headers, SIGNATURE_HEADER: changed.decode("latin-1")}
        assert problem_of(lender_node, replace(message, headers=headers)) is Problem.SIGNATURE


@pytest.mark.check("OCEN-JWS-10", "OCEN-JWS-11")
@pytest.mark.parametrize("part", [0, 1])
def test_no_change_of_one_bit_in_the_decoded_header_or_signature_is_accepted(
    part: int, call: GoodCall, lender_node: CallReceiver
) -> None:
    message, parts = call.send(), call.sign().split("..")
    for changed in one_bit_changes(base64url_decode(parts[part])):
        text = "..".join([*parts[:part], base64url_encode(changed), *parts[part + 1 :]])
        headers = {**message.headers, SIGNATURE_HEADER: text}
        assert problem_of(lender_node, replace(message, headers=headers)) is Problem.SIGNATURE


@pytest.mark.check("OCEN-TOK-03")
def test_no_change_of_one_bit_in_the_token_as_it_travels_is_accepted(
    good_call: GoodCall, lender_node: CallReceiver
) -> None:
    message, token = good_call.send(), good_call.token()
    for changed in one_bit_changes(token.encode()):
        headers = {**message.headers, "authorization": f"Bearer {changed.decode('latin-1')}"}
        assert problem_of(lender_node, replace(message, headers=headers)) is Problem.TOKEN


def test_nothing_of_a_token_is_looked_at_before_its_signature_holds(
    good_call: GoodCall, lender_node: CallReceiver
) -> None:
    forged = good_call.token({"participantId": 5}, key=good_call.unknown_key)
    verification = lender_node.take(good_call.send_token(forged))
    assert verification.failure is not None
    assert verification.failure.check is token_signature_verifies
