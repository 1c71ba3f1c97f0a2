"""Signed headers that say more, less or other than a key id and the agreed algorithm."""

import base64
import hmac
from dataclasses import replace
from typing import Any

from shared.protocol.checks.envelope import (
    MAX_HEADER_BYTES,
    MAX_KID_LENGTH,
    algorithm_is_the_agreed_one,
    header_is_a_json_object,
    header_members_are_allowed,
    kid_is_given,
)
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.public_forms import public_forms, public_jwk
from shared.protocol.tampering.table import Rows

rows = Rows[GoodMessage]()

CRITICAL: dict[str, dict[str, Any]] = {
    "an unknown name": {"crit": ["note"], "note": True},
    "an absent name": {"crit": ["note"]},
    "the name alg": {"crit": ["alg"]},
    "an empty list": {"crit": []},
    "a text": {"crit": "alg"},
}

ODD_KIDS: dict[str, Any] = {
    "null": None,
    "an empty text": "",
    "a number": 5,
    "a list": ["a"],
    "too long a text": "k" * (MAX_KID_LENGTH + 1),
    "a text with a NUL": "key\x00",
}

HOSTILE_KIDS = {
    "file path": "../../etc/passwd",
    "piece of SQL": "' OR 1=1--",
    "URL": "https://keys.invalid/key.pem",
    "template": "${jndi:ldap://keys.invalid}",
}


@rows.caught_by(header_is_a_json_object)
def header_in_an_array(good: GoodMessage) -> OutgoingMessage:
    """The signed header is the only element of a JSON array."""
    return good.send_header(b"[" + dump_json(good.header) + b"]")


@rows.caught_by(header_is_a_json_object)
def header_with_byte_order_mark(good: GoodMessage) -> OutgoingMessage:
    """A byte order mark stands before the signed header."""
    return good.send_header(b"\xef\xbb\xbf" + dump_json(good.header))


@rows.caught_by(header_is_a_json_object)
def header_not_utf8(good: GoodMessage) -> OutgoingMessage:
    """The signed header has a typ that is not UTF-8."""
    return good.send_header(b'{"typ":"\xff",' + dump_json(good.header)[1:])


@rows.each_caught_by(header_is_a_json_object, "alg", "kid")
def header_member_twice(good: GoodMessage, case: str) -> OutgoingMessage:
    """The signed header has {} twice, first with a false value."""
    return good.send_header(f'{{"{case}":"none",'.encode() + dump_json(good.header)[1:])


@rows.caught_by(header_is_a_json_object)
def header_too_large(good: GoodMessage) -> OutgoingMessage:
    """The signed header has a typ of 4 KiB."""
    return good.send_header({**good.header, "typ": "x" * MAX_HEADER_BYTES})


@rows.caught_by(header_is_a_json_object)
def kid_enormous(good: GoodMessage) -> OutgoingMessage:
    """The kid has 10,000 characters."""
    return good.send_header({**good.header, "kid": "k" * 10_000})


@rows.each_caught_by(header_members_are_allowed, *CRITICAL)
def critical(good: GoodMessage, case: str) -> OutgoingMessage:
    """The signed header has crit, a list of critical extensions: {}."""
    return good.send_header({**good.header, **CRITICAL[case]})


@rows.caught_by(header_members_are_allowed)
def unencoded_payload(good: GoodMessage) -> OutgoingMessage:
    """The header says b64 false with crit (RFC 7797), and the signature is over the payload without base64url."""
    header = dump_json({**good.header, "b64": False, "crit": ["b64"]})
    return good.send_members(_over_raw_payload(good, header))


@rows.caught_by(header_members_are_allowed)
def unencoded_payload_without_crit(good: GoodMessage) -> OutgoingMessage:
    """The header says b64 false without crit, and the signature is over the payload without base64url."""
    return good.send_members(_over_raw_payload(good, dump_json({**good.header, "b64": False})))


@rows.caught_by(header_members_are_allowed)
def unencoded_payload_in_name_only(good: GoodMessage) -> OutgoingMessage:
    """The header says b64 false, but payload and signature are as always."""
    return good.send_header({**good.header, "b64": False})


@rows.caught_by(header_members_are_allowed)
def embedded_key(good: GoodMessage) -> OutgoingMessage:
    """The header brings a key of a stranger, who has signed under the sender's kid."""
    return good.send_header({**good.header, "jwk": public_jwk(good.unknown_key.public())}, good.unknown_key)


@rows.caught_by(header_members_are_allowed)
def embedded_certificate(good: GoodMessage) -> OutgoingMessage:
    """The header brings x5c with a stranger's key, who has signed under the sender's kid."""
    der = public_forms(good.unknown_key.public())["DER"]
    return good.send_header({**good.header, "x5c": [base64.b64encode(der).decode()]}, good.unknown_key)


@rows.each_caught_by(header_members_are_allowed, "jku", "x5u")
def key_location(good: GoodMessage, case: str) -> OutgoingMessage:
    """The header says by {} where to fetch the key of a stranger, who has signed."""
    return good.send_header({**good.header, case: good.canary_url}, good.unknown_key)


@rows.each_caught_by(algorithm_is_the_agreed_one, "none", "None", "nOnE")
def algorithm(good: GoodMessage, case: str) -> OutgoingMessage:
    """The header says alg {}, beside a signature left over from the good message."""
    header = base64url_encode(dump_json({**good.header, "alg": case}))
    return good.send_members({**good.parts, good.member.value: header})


@rows.each_caught_by(algorithm_is_the_agreed_one, "PEM", "PEM without its last line break", "DER", "modulus")
def mac_with_public_key_as(good: GoodMessage, case: str) -> OutgoingMessage:
    """The header says alg HS512, and the secret of this MAC is the sender's public key as {}."""
    header = base64url_encode(dump_json({**good.header, "alg": "HS512"}))
    secret = public_forms(good.key.public())[case]
    mac = hmac.digest(secret, f"{header}.{good.parts['payload']}".encode(), "sha512")
    return good.send_members({**good.parts, good.member.value: header, "signature": base64url_encode(mac)})


@rows.each_caught_by(algorithm_is_the_agreed_one, "RS256", "RS384", "PS512")
def signed_with(good: GoodMessage, case: str) -> OutgoingMessage:
    """The message is signed by the right key, but with {}, and says so."""
    return good.send_header({**good.header, "alg": case}, good.key.bound_to(case))


@rows.each_caught_by(algorithm_is_the_agreed_one, "ES512", "EdDSA", "rs512")
def algorithm_called(good: GoodMessage, case: str) -> OutgoingMessage:
    """The message is signed rightly, but its header calls the algorithm {}."""
    return good.send_header({**good.header, "alg": case})


@rows.caught_by(algorithm_is_the_agreed_one)
def algorithm_missing(good: GoodMessage) -> OutgoingMessage:
    """The signed header has no alg."""
    return good.send_header({"kid": good.key.kid})


@rows.caught_by(algorithm_is_the_agreed_one)
def algorithm_as_a_number(good: GoodMessage) -> OutgoingMessage:
    """The signed header's alg is the number 512."""
    return good.send_header({**good.header, "alg": 512})


@rows.caught_by(kid_is_given)
def kid_missing(good: GoodMessage) -> OutgoingMessage:
    """The signed header has no kid."""
    return good.send_header({"alg": good.key.algorithm})


@rows.each_caught_by(kid_is_given, *ODD_KIDS)
def kid_is(good: GoodMessage, case: str) -> OutgoingMessage:
    """The kid is {}."""
    return good.send_header({**good.header, "kid": ODD_KIDS[case]})


def _over_raw_payload(good: GoodMessage, header: bytes) -> dict[str, str]:
    raw = good.sign_texts(good.payload.decode(), base64url_encode(header))
    return good.members(replace(raw, payload=base64url_encode(good.payload)))
