"""Signed headers that say more, less or other than a key id, the agreed algorithm and, in OCEN 4.0, a form."""

import base64
import hmac
from dataclasses import replace
from typing import Any

from shared.protocol.checks.detached import (
    b64_and_crit_are_right,
    detached_header_is_a_json_object,
    detached_header_members_are_allowed,
)
from shared.protocol.checks.opening import (
    algorithm_is_the_agreed_one,
    header_is_a_json_object,
    header_members_are_allowed,
)
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.phases import MAX_HEADER_BYTES
from shared.protocol.signing import RS256, RS512
from shared.protocol.tampering.base import Good, OutgoingMessage
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.public_forms import public_forms, public_jwk
from shared.protocol.tampering.table import Rows

rows = Rows[Good]()
v3_rows = Rows[GoodMessage]()
v4_rows = Rows[GoodCall]()

CRITICAL: dict[str, dict[str, Any]] = {
    "an unknown name": {"crit": ["note"], "note": True},
    "an absent name": {"crit": ["note"]},
    "the name alg": {"crit": ["alg"]},
    "an empty list": {"crit": []},
    "a text": {"crit": "alg"},
}

UNKNOWN_MEMBERS: dict[str, dict[str, Any]] = {
    "a critical extension that nobody knows": {"crit": ["note"], "note": True},
    "exp, named in crit": {"b64": False, "crit": ["b64", "exp"], "exp": 1},
    "a url": {"url": "https://lender.example/v4.0.0alpha"},
    "iat, which nothing demands": {"iat": 1},
}

ODD_B64: dict[str, Any] = {"a text": "false", "a number": 0, "null": None}

ODD_CRITS: dict[str, dict[str, Any]] = {
    "that is empty": {"b64": False, "crit": []},
    "that is a text": {"b64": False, "crit": "b64"},
    "that is null": {"b64": False, "crit": None},
    "that is an object": {"b64": False, "crit": {"b64": True}},
    "that names alg": {"b64": False, "crit": ["b64", "alg"]},
    "that names b64 twice": {"b64": False, "crit": ["b64", "b64"]},
    "that names what is not there": {"b64": False, "crit": ["b64", "exp"]},
    "without a b64": {"crit": ["b64"]},
}


@rows.caught_by(v3=header_is_a_json_object, v4=detached_header_is_a_json_object)
def header_in_an_array(good: Good) -> OutgoingMessage:
    """The signed header is the only element of a JSON array."""
    return good.send_header(b"[" + dump_json(good.header) + b"]")


@rows.caught_by(v3=header_is_a_json_object, v4=detached_header_is_a_json_object)
def header_with_byte_order_mark(good: Good) -> OutgoingMessage:
    """A byte order mark stands before the signed header."""
    return good.send_header(b"\xef\xbb\xbf" + dump_json(good.header))


@rows.caught_by(v3=header_is_a_json_object, v4=detached_header_is_a_json_object)
def header_not_utf8(good: Good) -> OutgoingMessage:
    """The signed header has a typ that is not UTF-8."""
    return good.send_header(b'{"typ":"\xff",' + dump_json(good.header)[1:])


@rows.each_caught_by(
    "alg", "kid", v3=header_is_a_json_object, v4=detached_header_is_a_json_object, requirement="OCEN-JWS-12"
)
def header_member_twice(good: Good, case: str) -> OutgoingMessage:
    """The signed header has {} twice, first with a false value."""
    return good.send_header(f'{{"{case}":"none",'.encode() + dump_json(good.header)[1:])


@v4_rows.caught_by(v4=detached_header_is_a_json_object, requirement="OCEN-JWS-12 OCEN-DET-04")
def b64_twice(good: GoodCall) -> OutgoingMessage:
    """The signed header has b64 twice, first with a false value."""
    return good.send_header(b'{"b64":"none",' + dump_json({**good.header, "b64": False})[1:])


@rows.caught_by(v3=header_is_a_json_object, v4=detached_header_is_a_json_object, requirement="OCEN-JWS-23")
def header_too_large(good: Good) -> OutgoingMessage:
    """The signed header has a typ of 4 KiB."""
    return good.send_header({**good.header, "typ": "x" * MAX_HEADER_BYTES})


@rows.caught_by(v3=header_is_a_json_object, v4=detached_header_is_a_json_object, requirement="OCEN-JWS-06")
def kid_enormous(good: Good) -> OutgoingMessage:
    """The kid has 10,000 characters."""
    return good.send_header({**good.header, "kid": "k" * 10_000})


@v3_rows.each_caught_by(*CRITICAL, v3=header_members_are_allowed, requirement="OCEN-JWS-16")
def critical(good: GoodMessage, case: str) -> OutgoingMessage:
    """The header names critical extensions, though v3 has none: {}."""
    return good.send_header({**good.header, **CRITICAL[case]})


@v3_rows.caught_by(v3=header_members_are_allowed, requirement="OCEN-JWS-17")
def unencoded_payload(good: GoodMessage) -> OutgoingMessage:
    """The header says b64 false and crit, and the payload is signed as it is (RFC 7797)."""
    return _over_raw_payload(good, {**good.header, "b64": False, "crit": ["b64"]})


@v3_rows.caught_by(v3=header_members_are_allowed, requirement="OCEN-JWS-17")
def unencoded_payload_without_crit(good: GoodMessage) -> OutgoingMessage:
    """The header says b64 false without crit, and the payload is signed as it is."""
    return _over_raw_payload(good, {**good.header, "b64": False})


@v3_rows.caught_by(v3=header_members_are_allowed, requirement="OCEN-JWS-17")
def unencoded_payload_in_name_only(good: GoodMessage) -> OutgoingMessage:
    """The header says b64 false, but the payload is signed in base64url."""
    return good.send_header({**good.header, "b64": False})


@v4_rows.each_caught_by(*UNKNOWN_MEMBERS, v4=detached_header_members_are_allowed, requirement="OCEN-JWS-16")
def header_also_has(good: GoodCall, case: str) -> OutgoingMessage:
    """The signed header also has {}."""
    return good.send_header({**good.header, **UNKNOWN_MEMBERS[case]})


@rows.caught_by(v3=header_members_are_allowed, v4=detached_header_members_are_allowed, requirement="OCEN-JWS-18")
def embedded_key(good: Good) -> OutgoingMessage:
    """The signed header brings a key of a stranger, who has signed under the sender's kid."""
    return good.send_header({**good.header, "jwk": public_jwk(good.unknown_key.public())}, good.unknown_key)


@rows.caught_by(v3=header_members_are_allowed, v4=detached_header_members_are_allowed, requirement="OCEN-JWS-18")
def embedded_certificate(good: Good) -> OutgoingMessage:
    """The signed header brings x5c with a stranger's key, who has signed under the sender's kid."""
    der = public_forms(good.unknown_key.public())["DER"]
    return good.send_header({**good.header, "x5c": [base64.b64encode(der).decode()]}, good.unknown_key)


@rows.each_caught_by(
    "jku", "x5u", v3=header_members_are_allowed, v4=detached_header_members_are_allowed, requirement="OCEN-JWS-19"
)
def key_location(good: Good, case: str) -> OutgoingMessage:
    """The signed header says by {} where to fetch the key of a stranger, who has signed."""
    return good.send_header({**good.header, case: good.canary_url}, good.unknown_key)


@rows.each_caught_by("none", "None", "nOnE", both=algorithm_is_the_agreed_one, requirement="OCEN-JWS-01")
def algorithm(good: Good, case: str) -> OutgoingMessage:
    """The signed header says alg {}, beside a signature left over from the good message."""
    return good.send_parts(base64url_encode(dump_json({**good.header, "alg": case})), good.signed_parts[1])


@rows.each_caught_by(
    "PEM",
    "PEM without its last line break",
    "DER",
    "modulus",
    both=algorithm_is_the_agreed_one,
    requirement="OCEN-JWS-02",
)
def mac_with_public_key_as(good: Good, case: str) -> OutgoingMessage:
    """The signed header names a MAC, and the secret of this MAC is the sender's public key as {}."""
    bits = good.key.algorithm[2:]
    header = base64url_encode(dump_json({**good.header, "alg": f"HS{bits}"}))
    secret = public_forms(good.key.public())[case]
    return good.send_parts(header, hmac.digest(secret, good.signing_input(header), f"sha{bits}"))


@rows.each_caught_by(
    "RS384",
    "PS256",
    "PS512",
    both=algorithm_is_the_agreed_one,
    requirement="OCEN-JWS-03 OCEN-JWS-04 OCEN-DET-05",
)
def signed_with(good: Good, case: str) -> OutgoingMessage:
    """The message is signed by the right key, but with {}, and its header says so."""
    return good.send_header({**good.header, "alg": case}, good.key.bound_to(case))


@rows.caught_by(both=algorithm_is_the_agreed_one, requirement="OCEN-JWS-03 OCEN-DET-05")
def signed_with_the_algorithm_of_the_other_version(good: Good) -> OutgoingMessage:
    """The message is signed by the right key with RS256 in v3, or RS512 in 4.0, and its header says so."""
    other = RS256 if good.key.algorithm == RS512 else RS512
    return good.send_header({**good.header, "alg": other}, good.key.bound_to(other))


@rows.each_caught_by(
    "ES256",
    "ES512",
    "EdDSA",
    "rs256",
    "rs512",
    "RSA256",
    both=algorithm_is_the_agreed_one,
    requirement="OCEN-JWS-04 OCEN-DET-05",
)
def algorithm_called(good: Good, case: str) -> OutgoingMessage:
    """The message is signed rightly, but its header calls the algorithm {}."""
    return good.send_header({**good.header, "alg": case})


@rows.caught_by(both=algorithm_is_the_agreed_one, requirement="OCEN-JWS-04")
def algorithm_missing(good: Good) -> OutgoingMessage:
    """The signed header has no alg."""
    return good.send_header({name: value for name, value in good.header.items() if name != "alg"})


@rows.caught_by(both=algorithm_is_the_agreed_one, requirement="OCEN-JWS-04")
def algorithm_as_a_number(good: Good) -> OutgoingMessage:
    """The signed header's alg is a number."""
    return good.send_header({**good.header, "alg": int(good.key.algorithm[2:])})


@v4_rows.each_caught_by(*ODD_B64, v4=b64_and_crit_are_right, requirement="OCEN-DET-04")
def b64_is(good: GoodCall, case: str) -> OutgoingMessage:
    """The signed header's b64 is {}."""
    return good.send_header({**_without_form(good), "b64": ODD_B64[case], "crit": ["b64"]})


@v4_rows.each_caught_by(*ODD_CRITS, v4=b64_and_crit_are_right, requirement="OCEN-JWS-16")
def header_has_a_crit(good: GoodCall, case: str) -> OutgoingMessage:
    """The signed header has a crit {}."""
    return good.send_header({**_without_form(good), **ODD_CRITS[case]})


def _without_form(good: GoodCall) -> dict[str, Any]:
    return {"alg": good.key.algorithm, "kid": good.key.kid}


def _over_raw_payload(good: GoodMessage, header: dict[str, Any]) -> OutgoingMessage:
    raw = good.sign_texts(good.payload.decode(), base64url_encode(dump_json(header)))
    return good.send_members(good.members(replace(raw, payload=base64url_encode(good.payload))))
