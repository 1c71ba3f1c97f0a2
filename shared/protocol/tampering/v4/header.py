"""Signed headers that say more, less or other than a key id, the agreed algorithm and a form."""

import base64
import hmac
from typing import Any

from shared.protocol.checks.detached import (
    b64_and_crit_are_right,
    detached_header_is_a_json_object,
    detached_header_members_are_allowed,
)
from shared.protocol.checks.envelope import MAX_HEADER_BYTES, algorithm_is_the_agreed_one
from shared.protocol.detached import signing_input
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.public_forms import public_forms, public_jwk
from shared.protocol.tampering.table import Rows
from shared.protocol.tampering.v4.good import GoodCall

rows = Rows[GoodCall]()

UNKNOWN_MEMBERS: dict[str, dict[str, Any]] = {
    "a critical extension that nobody knows": {"crit": ["note"], "note": True},
    "exp, named in crit": {"b64": False, "crit": ["b64", "exp"], "exp": 1},
    "a url": {"url": "https://lender.example/v4.0.0alpha"},
    "iat, which nothing demands": {"iat": 1},
}

ODD_MEMBERS: dict[str, dict[str, Any]] = {
    "b64 as a text": {"b64": "false", "crit": ["b64"]},
    "b64 as a number": {"b64": 0, "crit": ["b64"]},
    "b64 null": {"b64": None, "crit": ["b64"]},
    "a crit that is empty": {"b64": False, "crit": []},
    "a crit that is a text": {"b64": False, "crit": "b64"},
    "a crit that is null": {"b64": False, "crit": None},
    "a crit that is an object": {"b64": False, "crit": {"b64": True}},
    "a crit that names alg": {"b64": False, "crit": ["b64", "alg"]},
    "a crit that names b64 twice": {"b64": False, "crit": ["b64", "b64"]},
    "a crit that names what is not there": {"b64": False, "crit": ["b64", "exp"]},
    "a crit without a b64": {"crit": ["b64"]},
}


@rows.caught_by(detached_header_is_a_json_object)
def header_in_an_array(good: GoodCall) -> OutgoingMessage:
    """The signed header is the only element of a JSON array."""
    return good.send_header(b"[" + dump_json(good.header) + b"]")


@rows.caught_by(detached_header_is_a_json_object)
def header_with_byte_order_mark(good: GoodCall) -> OutgoingMessage:
    """A byte order mark stands before the signed header."""
    return good.send_header(b"\xef\xbb\xbf" + dump_json(good.header))


@rows.caught_by(detached_header_is_a_json_object)
def header_not_utf8(good: GoodCall) -> OutgoingMessage:
    """The signed header has a typ that is not UTF-8."""
    return good.send_header(b'{"typ":"\xff",' + dump_json(good.header)[1:])


@rows.each_caught_by(detached_header_is_a_json_object, "alg", "kid", "b64")
def header_member_twice(good: GoodCall, case: str) -> OutgoingMessage:
    """The signed header has {} twice, first with a false value."""
    return good.send_header(f'{{"{case}":"none",'.encode() + dump_json({**good.header, "b64": False})[1:])


@rows.caught_by(detached_header_is_a_json_object)
def header_too_large(good: GoodCall) -> OutgoingMessage:
    """The signed header has a typ of 4 KiB."""
    return good.send_header({**good.header, "typ": "x" * MAX_HEADER_BYTES})


@rows.caught_by(detached_header_is_a_json_object)
def kid_enormous(good: GoodCall) -> OutgoingMessage:
    """The kid has 10,000 characters."""
    return good.send_header({**good.header, "kid": "k" * 10_000})


@rows.each_caught_by(detached_header_members_are_allowed, *UNKNOWN_MEMBERS)
def header_also_has(good: GoodCall, case: str) -> OutgoingMessage:
    """The signed header also has {}."""
    return good.send_header({**good.header, **UNKNOWN_MEMBERS[case]})


@rows.caught_by(detached_header_members_are_allowed)
def embedded_key(good: GoodCall) -> OutgoingMessage:
    """The signed header brings a key of a stranger, who has signed under the sender's kid."""
    return good.send_header({**good.header, "jwk": public_jwk(good.unknown_key.public())}, good.unknown_key)


@rows.caught_by(detached_header_members_are_allowed)
def embedded_certificate(good: GoodCall) -> OutgoingMessage:
    """The signed header brings x5c with a stranger's key, who has signed under the sender's kid."""
    der = public_forms(good.unknown_key.public())["DER"]
    return good.send_header({**good.header, "x5c": [base64.b64encode(der).decode()]}, good.unknown_key)


@rows.each_caught_by(detached_header_members_are_allowed, "jku", "x5u")
def key_location(good: GoodCall, case: str) -> OutgoingMessage:
    """The signed header says by {} where to fetch the key of a stranger, who has signed."""
    return good.send_header({**good.header, case: good.canary_url}, good.unknown_key)


@rows.each_caught_by(algorithm_is_the_agreed_one, "none", "None", "nOnE")
def algorithm(good: GoodCall, case: str) -> OutgoingMessage:
    """The signed header says alg {}, beside a signature left over from the good call."""
    header = base64url_encode(dump_json({**good.header, "alg": case}))
    return good.send_signature(f"{header}..{good.sign().split('..')[1]}")


@rows.each_caught_by(algorithm_is_the_agreed_one, "PEM", "PEM without its last line break", "DER", "modulus")
def mac_with_public_key_as(good: GoodCall, case: str) -> OutgoingMessage:
    """The signed header says alg HS256, and the secret of this MAC is the sender's public key as {}."""
    header = base64url_encode(dump_json({**good.header, "alg": "HS256"}))
    secret = public_forms(good.key.public())[case]
    mac = hmac.digest(secret, signing_input(header, good.payload, good.is_unencoded), "sha256")
    return good.send_signature(f"{header}..{base64url_encode(mac)}")


@rows.each_caught_by(algorithm_is_the_agreed_one, "RS384", "RS512", "PS256")
def signed_with(good: GoodCall, case: str) -> OutgoingMessage:
    """The body is signed by the right key, but with {}, and the header says so."""
    return good.send_header({**good.header, "alg": case}, good.key.bound_to(case))


@rows.each_caught_by(algorithm_is_the_agreed_one, "ES256", "EdDSA", "rs256", "RSA256")
def algorithm_called(good: GoodCall, case: str) -> OutgoingMessage:
    """The body is signed rightly, but the header calls the algorithm {}."""
    return good.send_header({**good.header, "alg": case})


@rows.caught_by(algorithm_is_the_agreed_one)
def algorithm_missing(good: GoodCall) -> OutgoingMessage:
    """The signed header has no alg."""
    return good.send_header({name: value for name, value in good.header.items() if name != "alg"})


@rows.caught_by(algorithm_is_the_agreed_one)
def algorithm_as_a_number(good: GoodCall) -> OutgoingMessage:
    """The signed header's alg is the number 256."""
    return good.send_header({**good.header, "alg": 256})


@rows.each_caught_by(b64_and_crit_are_right, *ODD_MEMBERS)
def header_has(good: GoodCall, case: str) -> OutgoingMessage:
    """The signed header has {}."""
    header = {"alg": good.key.algorithm, "kid": good.key.kid}
    return good.send_header({**header, **ODD_MEMBERS[case]})
