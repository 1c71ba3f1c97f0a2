"""Keys that are not the sender's, forms that it may not use, and signatures that are not over this body."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.protocol.checks.detached import form_is_one_that_the_peer_may_use, kid_selects_a_registered_key
from shared.protocol.checks.signature import signature_verifies
from shared.protocol.detached import signing_input
from shared.protocol.encoding import base64url_decode, base64url_encode, dump_json
from shared.protocol.signing import SigningKey
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.header import HOSTILE_KIDS, ODD_KIDS
from shared.protocol.tampering.table import Rows
from shared.protocol.tampering.v4.good import GoodCall

rows = Rows[GoodCall]()

CHANGED_BODIES: Mapping[str, Callable[[GoodCall], bytes]] = {
    "a space at its end": lambda good: good.payload + b" ",
    "a space at its beginning": lambda good: b" " + good.payload,
    "a line break at its end": lambda good: good.payload + b"\n",
    "its members in another order": lambda good: dump_json(dict(list(good.document.items())[::-1])),
    "a member more": lambda good: dump_json({**good.document, "note": "added"}),
    "one bit changed": lambda good: good.payload[:-3] + bytes([good.payload[-3] ^ 1]) + good.payload[-2:],
    "nothing in it": lambda good: b"",
    "another message in it": lambda good: dump_json(good.moved().document),
    "itself in base64url": lambda good: base64url_encode(good.payload).encode(),
}

OTHER_INPUTS: Mapping[str, Callable[[GoodCall, str], bytes]] = {
    "an empty payload": lambda good, header: header.encode() + b".",
    "the body alone": lambda good, header: good.payload,
    "body, dot, header": lambda good, header: good.payload + b"." + header.encode(),
    "the decoded header": lambda good, header: base64url_decode(header) + b"." + good.payload,
    "the body in the other form": lambda good, header: signing_input(header, good.payload, not good.is_unencoded),
    "another body": lambda good, header: signing_input(header, b"{}", good.is_unencoded),
}

CHANGED_SIGNATURES: Mapping[str, Callable[[bytes], bytes]] = {
    "one bit changed": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    "its last byte missing": lambda signature: signature[:-1],
    "a further byte": lambda signature: signature + b"\x00",
    "nothing but zeros": lambda signature: bytes(len(signature)),
}


def _other_form(good: GoodCall) -> dict[str, Any]:
    plain = {"alg": good.key.algorithm, "kid": good.key.kid}
    return plain if good.is_unencoded else {**plain, "b64": False, "crit": ["b64"]}


CHANGED_HEADERS: Mapping[str, Callable[[GoodCall], dict[str, Any]]] = {
    "its members in another order": lambda good: dict(reversed(good.header.items())),
    "a typ": lambda good: {**good.header, "typ": "JOSE"},
    "the kid of the back-up key": lambda good: {**good.header, "kid": good.backup_key.kid},
    "the form of RFC 7797 for that of RFC 7515 or the reverse": _other_form,
}


@rows.caught_by(kid_selects_a_registered_key)
def kid_unknown(good: GoodCall) -> OutgoingMessage:
    """The body is signed by a stranger's key under the stranger's kid."""
    return _under_kid(good, good.unknown_key)


@rows.caught_by(kid_selects_a_registered_key)
def kid_of_another_participant(good: GoodCall) -> OutgoingMessage:
    """The sender's connection and token carry a body that another participant has signed."""
    return _under_kid(good, good.other.key)


@rows.caught_by(kid_selects_a_registered_key)
def kid_blocked(good: GoodCall) -> OutgoingMessage:
    """The body is signed by a key of the sender that has been blocked."""
    return _under_kid(good, good.blocked_key)


@rows.caught_by(kid_selects_a_registered_key)
def kid_of_the_auth_service(good: GoodCall) -> OutgoingMessage:
    """The body is signed by the key that signs tokens."""
    return _under_kid(good, good.auth_key)


@rows.caught_by(kid_selects_a_registered_key)
def kid_missing(good: GoodCall) -> OutgoingMessage:
    """The signed header has no kid."""
    return good.send_header({name: value for name, value in good.header.items() if name != "kid"})


@rows.each_caught_by(kid_selects_a_registered_key, *ODD_KIDS)
def kid_is(good: GoodCall, case: str) -> OutgoingMessage:
    """The kid is {}."""
    return good.send_header({**good.header, "kid": ODD_KIDS[case]})


@rows.each_caught_by(kid_selects_a_registered_key, *HOSTILE_KIDS)
def kid_is_a(good: GoodCall, case: str) -> OutgoingMessage:
    """The kid is a {}, and nobody's."""
    return good.send_header({**good.header, "kid": HOSTILE_KIDS[case]})


@rows.caught_by(form_is_one_that_the_peer_may_use)
def unencoded_without_crit(good: GoodCall) -> OutgoingMessage:
    """The header says b64 false without crit, and the body is signed as it is: what official starters do."""
    return good.send_header({"alg": good.key.algorithm, "kid": good.key.kid, "b64": False})


@rows.caught_by(form_is_one_that_the_peer_may_use)
def unencoded_in_name_only(good: GoodCall) -> OutgoingMessage:
    """The header says b64 false without crit, but the body is signed in base64url."""
    header = base64url_encode(dump_json({"alg": good.key.algorithm, "kid": good.key.kid, "b64": False}))
    return _signed(good, header, signing_input(header, good.payload, is_unencoded=False))


@rows.caught_by(signature_verifies)
def signed_by_the_backup_key(good: GoodCall) -> OutgoingMessage:
    """The kid is that of the sender's first key, but the back-up key has signed."""
    return good.send_header(good.header, good.backup_key)


@rows.caught_by(signature_verifies)
def signed_by_a_stranger(good: GoodCall) -> OutgoingMessage:
    """The kid is that of the sender's key, but a stranger has signed."""
    return good.send_header(good.header, good.unknown_key)


@rows.caught_by(signature_verifies)
def signed_by_another_participant(good: GoodCall) -> OutgoingMessage:
    """The kid is that of the sender's key, but another participant has signed."""
    return good.send_header(good.header, good.other.key)


@rows.each_caught_by(signature_verifies, *CHANGED_BODIES)
def body_with(good: GoodCall, case: str) -> OutgoingMessage:
    """After it was signed, the body has got {}."""
    return good.send(CHANGED_BODIES[case](good))


@rows.each_caught_by(signature_verifies, *CHANGED_HEADERS)
def header_with(good: GoodCall, case: str) -> OutgoingMessage:
    """After it was signed, the header has got {}."""
    header = base64url_encode(dump_json(CHANGED_HEADERS[case](good)))
    return good.send_signature(f"{header}..{good.sign().split('..')[1]}")


@rows.each_caught_by(signature_verifies, *CHANGED_SIGNATURES)
def signature_with(good: GoodCall, case: str) -> OutgoingMessage:
    """The signature has got {}."""
    header, signature = good.sign().split("..")
    changed = CHANGED_SIGNATURES[case](base64url_decode(signature))
    return good.send_signature(f"{header}..{base64url_encode(changed)}")


@rows.each_caught_by(signature_verifies, *OTHER_INPUTS)
def signed_over(good: GoodCall, case: str) -> OutgoingMessage:
    """The signature is over {}, by the right key."""
    header = good.sign().split("..")[0]
    return _signed(good, header, OTHER_INPUTS[case](good, header))


def _under_kid(good: GoodCall, key: SigningKey) -> OutgoingMessage:
    return good.send_header({**good.header, "kid": key.kid}, key)


def _signed(good: GoodCall, header: str, text: bytes) -> OutgoingMessage:
    return good.send_signature(f"{header}..{base64url_encode(good.key.sign(text))}")
