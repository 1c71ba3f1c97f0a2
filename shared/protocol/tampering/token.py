"""Access tokens that the Auth Service has not made, or that are not access tokens."""

import hmac
from collections.abc import Callable, Mapping

from shared.protocol.checks.bearer import (
    token_is_a_signed_jwt,
    token_key_is_the_auth_services,
    token_signature_verifies,
)
from shared.protocol.encoding import base64url_decode, base64url_encode, dump_json
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.public_forms import public_forms, public_jwk
from shared.protocol.tampering.table import Rows
from shared.protocol.tokens import MAX_TOKEN_LENGTH

rows = Rows[GoodCall]()

NO_TOKENS: Mapping[str, Callable[[GoodCall], str]] = {
    "an opaque text": lambda good: "6f1d0b6c-2b1e-4f0a-9a59-0c7d5e1f2a3b",
    "two parts of a token": lambda good: good.token().rpartition(".")[0],
    "a token with a part too many": lambda good: f"{good.token()}.AAAA",
    "a token with padding at its end": lambda good: f"{good.token()}==",
    "a token longer than any": lambda good: good.token({**good.claims, "note": "x" * MAX_TOKEN_LENGTH}),
    "a token whose claims are a text": lambda good: good.token(b'"participantId"'),
    "a token whose claims name participantId twice": lambda good: good.token(
        b'{"participantId":"x",' + dump_json(good.claims)[1:]
    ),
    "a token whose header names alg twice": lambda good: good.token(
        header=b'{"alg":"none",' + dump_json({"alg": "RS256", "kid": good.auth_key.kid})[1:]
    ),
    "a token without a kid": lambda good: good.token(header={"alg": "RS256"}),
    "a token whose kid is null": lambda good: good.token(header={"alg": "RS256", "kid": None}),
    "a token for logging out": lambda good: good.token(header={**_header(good), "typ": "logout+jwt"}),
    "a token that has a crit": lambda good: good.token(header={**_header(good), "crit": ["exp"]}),
    "a token that says b64 false": lambda good: good.token(header={**_header(good), "b64": False}),
}


@rows.each_caught_by(*NO_TOKENS, v4=token_is_a_signed_jwt)
def token_is(good: GoodCall, case: str) -> OutgoingMessage:
    """In place of the token stands {}."""
    return good.send_token(NO_TOKENS[case](good))


@rows.each_caught_by("none", "None", "nOnE", v4=token_is_a_signed_jwt, requirement="OCEN-TOK-04")
def token_algorithm(good: GoodCall, case: str) -> OutgoingMessage:
    """The token's header says alg {}, beside a signature left over from the good token."""
    header = base64url_encode(dump_json({**_header(good), "alg": case}))
    return good.send_token(".".join([header, *good.token().split(".")[1:]]))


@rows.caught_by(v4=token_is_a_signed_jwt, requirement="OCEN-TOK-04")
def token_not_signed(good: GoodCall) -> OutgoingMessage:
    """The token's header says alg none, and its signature is empty."""
    header = base64url_encode(dump_json({"alg": "none", "typ": "JWT"}))
    return good.send_token(f"{header}.{good.token().split('.')[1]}.")


@rows.each_caught_by(
    "PEM", "PEM without its last line break", "DER", "modulus", v4=token_is_a_signed_jwt, requirement="OCEN-TOK-04"
)
def token_mac_with_public_key_as(good: GoodCall, case: str) -> OutgoingMessage:
    """The token says alg HS256, and the secret of its MAC is the Auth Service's public key as {}."""
    header = base64url_encode(dump_json({**_header(good), "alg": "HS256"}))
    text = f"{header}.{good.token().split('.')[1]}"
    mac = hmac.digest(public_forms(good.auth_key.public())[case], text.encode(), "sha256")
    return good.send_token(f"{text}.{base64url_encode(mac)}")


@rows.each_caught_by("RS384", "RS512", "PS256", v4=token_is_a_signed_jwt)
def token_signed_with(good: GoodCall, case: str) -> OutgoingMessage:
    """The Auth Service's key has signed the token with {}, and the token says so."""
    return good.send_token(good.token(key=good.auth_key.bound_to(case)))


@rows.each_caught_by("jku", "x5u", v4=token_is_a_signed_jwt, requirement="OCEN-TOK-04")
def token_key_location(good: GoodCall, case: str) -> OutgoingMessage:
    """The token says by {} where to fetch the key of a stranger, who has signed it."""
    return good.send_token(good.token(header={**_header(good), case: good.canary_url}, key=good.unknown_key))


@rows.caught_by(v4=token_is_a_signed_jwt, requirement="OCEN-TOK-04")
def token_brings_its_key(good: GoodCall) -> OutgoingMessage:
    """The token brings the key of a stranger, who has signed it."""
    header = {**_header(good), "jwk": public_jwk(good.unknown_key.public())}
    return good.send_token(good.token(header=header, key=good.unknown_key))


@rows.caught_by(v4=token_key_is_the_auth_services, requirement="OCEN-TOK-03")
def token_kid_unknown(good: GoodCall) -> OutgoingMessage:
    """A stranger has signed the token, under the stranger's kid."""
    return good.send_token(good.token(header=_header(good, good.unknown_key.kid), key=good.unknown_key))


@rows.caught_by(v4=token_key_is_the_auth_services, requirement="OCEN-TOK-03")
def token_of_the_senders_own_making(good: GoodCall) -> OutgoingMessage:
    """The sender has signed its token itself, with the key that is in the registry."""
    return good.send_token(good.token(header=_header(good, good.key.kid), key=good.key))


@rows.caught_by(v4=token_signature_verifies, requirement="OCEN-TOK-03")
def token_signed_by_a_stranger(good: GoodCall) -> OutgoingMessage:
    """The token names a key of the Auth Service, but a stranger has signed it."""
    return good.send_token(good.token(key=good.unknown_key))


@rows.caught_by(v4=token_signature_verifies)
def token_of_another_header(good: GoodCall) -> OutgoingMessage:
    """The token's header says less than the one that was signed."""
    header = base64url_encode(dump_json({"alg": "RS256", "kid": good.auth_key.kid}))
    return good.send_token(".".join([header, *good.token().split(".")[1:]]))


@rows.caught_by(v4=token_signature_verifies)
def token_claims_changed(good: GoodCall) -> OutgoingMessage:
    """The participantId of a good token of another participant was changed after it was signed."""
    header, _, signature = good.token(good.other.claims).split(".")
    return good.send_token(f"{header}.{good.token().split('.')[1]}.{signature}")


@rows.caught_by(v4=token_signature_verifies)
def token_signature_bit_flipped(good: GoodCall) -> OutgoingMessage:
    """One bit of the token's signature has changed."""
    text, _, signature = good.token().rpartition(".")
    changed = base64url_decode(signature)
    return good.send_token(f"{text}.{base64url_encode(changed[:-1] + bytes([changed[-1] ^ 1]))}")


def _header(good: GoodCall, kid: str = "") -> dict[str, object]:
    return {"alg": good.auth_key.algorithm, "typ": "JWT", "kid": kid or good.auth_key.kid}
