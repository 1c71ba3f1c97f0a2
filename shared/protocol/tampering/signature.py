"""Signatures that are not this key's over this message, and messages that changed after they were signed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from shared.protocol.checks.detached import form_is_one_that_the_peer_may_use, signature_is_detached
from shared.protocol.checks.opening import parts_are_strings
from shared.protocol.checks.signature import signature_verifies
from shared.protocol.detached import signing_input
from shared.protocol.encoding import base64url_decode, base64url_encode, dump_json
from shared.protocol.tampering.base import Good, OutgoingMessage
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.table import Rows

rows = Rows[Good]()
v3_rows = Rows[GoodMessage]()
v4_rows = Rows[GoodCall]()

CHANGED_PAYLOADS: Mapping[str, Callable[[Good], bytes]] = {
    "a space at its end": lambda good: good.payload + b" ",
    "a space at its beginning": lambda good: b" " + good.payload,
    "a line break at its end": lambda good: good.payload + b"\n",
    "its members in another order": lambda good: dump_json(dict(list(good.document.items())[::-1])),
    "a member more": lambda good: dump_json({**good.document, "note": "added"}),
    "one bit changed": lambda good: good.payload[:-3] + bytes([good.payload[-3] ^ 1]) + good.payload[-2:],
    "another message in it": lambda good: dump_json(good.moved().document),
    "itself in base64url": lambda good: base64url_encode(good.payload).encode(),
}

CHANGED_HEADERS: Mapping[str, Callable[[Good], dict[str, Any]]] = {
    "its members in another order": lambda good: dict(reversed(good.header.items())),
    "a typ": lambda good: {**good.header, "typ": "JOSE"},
    "the kid of the back-up key": lambda good: {**good.header, "kid": good.backup_key.kid},
}

CHANGED_SIGNATURES: Mapping[str, Callable[[bytes], bytes]] = {
    "one bit changed": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    "its last byte missing": lambda signature: signature[:-1],
    "a further byte": lambda signature: signature + b"\x00",
    "nothing but zeros": lambda signature: bytes(len(signature)),
}

OTHER_INPUTS: Mapping[str, Callable[[GoodCall, str], bytes]] = {
    "an empty payload": lambda good, header: header.encode() + b".",
    "the body alone": lambda good, header: good.payload,
    "body, dot, header": lambda good, header: good.payload + b"." + header.encode(),
    "the decoded header": lambda good, header: base64url_decode(header) + b"." + good.payload,
    "the body in the other form": lambda good, header: signing_input(header, good.payload, not good.is_unencoded),
    "another body": lambda good, header: signing_input(header, b"{}", good.is_unencoded),
}


@rows.each_caught_by(
    "none", "None", "nOnE", v3=parts_are_strings, v4=signature_is_detached, requirement="OCEN-JWS-01 OCEN-JWS-11"
)
def no_signature_and_algorithm(good: Good, case: str) -> OutgoingMessage:
    """The signed header says alg {}, and the signature is empty."""
    return good.send_parts(base64url_encode(dump_json({**good.header, "alg": case})), b"")


@v4_rows.caught_by(v4=form_is_one_that_the_peer_may_use, requirement="OCEN-DET-04")
def unencoded_without_crit(good: GoodCall) -> OutgoingMessage:
    """The header says b64 false without crit, and the body is signed as it is: what official starters do."""
    return good.send_header({"alg": good.key.algorithm, "kid": good.key.kid, "b64": False})


@v4_rows.caught_by(v4=form_is_one_that_the_peer_may_use, requirement="OCEN-DET-04")
def unencoded_in_name_only(good: GoodCall) -> OutgoingMessage:
    """The header says b64 false without crit, but the body is signed in base64url."""
    header = base64url_encode(dump_json({"alg": good.key.algorithm, "kid": good.key.kid, "b64": False}))
    return good.send_parts(header, good.key.sign(signing_input(header, good.payload, is_unencoded=False)))


@rows.caught_by(both=signature_verifies, requirement="OCEN-JWS-09")
def signed_by_the_backup_key(good: Good) -> OutgoingMessage:
    """The kid is that of the sender's first key, but the back-up key has signed."""
    return good.send_header(good.header, good.backup_key)


@rows.caught_by(both=signature_verifies)
def signed_by_a_stranger(good: Good) -> OutgoingMessage:
    """The kid is that of the sender's key, but a stranger has signed."""
    return good.send_header(good.header, good.unknown_key)


@rows.caught_by(both=signature_verifies)
def signed_by_another_participant(good: Good) -> OutgoingMessage:
    """The kid is that of the sender's key, but another participant has signed."""
    return good.send_header(good.header, good.other.key)


@rows.each_caught_by(*CHANGED_PAYLOADS, both=signature_verifies, requirement="OCEN-JWS-10 OCEN-DET-03")
def payload_changed_to_have(good: Good, case: str) -> OutgoingMessage:
    """After it was signed, the payload has got {}."""
    return good.send_changed(CHANGED_PAYLOADS[case](good))


@v4_rows.caught_by(v4=signature_verifies, requirement="OCEN-DET-03")
def body_removed(good: GoodCall) -> OutgoingMessage:
    """After it was signed, the body was taken out."""
    return good.send(b"")


@rows.each_caught_by(*CHANGED_HEADERS, both=signature_verifies, requirement="OCEN-JWS-10")
def header_changed_to_have(good: Good, case: str) -> OutgoingMessage:
    """After it was signed, the header has got {}."""
    return good.send_parts(base64url_encode(dump_json(CHANGED_HEADERS[case](good))), good.signed_parts[1])


@v4_rows.caught_by(v4=signature_verifies, requirement="OCEN-JWS-10 OCEN-DET-04")
def header_changed_to_the_other_form(good: GoodCall) -> OutgoingMessage:
    """After it was signed, the header has got the form of RFC 7797 for that of RFC 7515, or the reverse."""
    other = replace(good, is_unencoded=not good.is_unencoded)
    return good.send_parts(base64url_encode(dump_json(other.header)), good.signed_parts[1])


@rows.each_caught_by(*CHANGED_SIGNATURES, both=signature_verifies, requirement="OCEN-JWS-11")
def signature_changed_to_have(good: Good, case: str) -> OutgoingMessage:
    """The signature has got {}."""
    header, signature = good.signed_parts
    return good.send_parts(header, CHANGED_SIGNATURES[case](signature))


@rows.caught_by(both=signature_verifies, requirement="OCEN-JWS-11")
def signature_of_another_message(good: Good) -> OutgoingMessage:
    """The signature is the sender's, but of another message."""
    other = replace(good, document=good.restamped(good.document))
    return good.send_parts(good.signed_parts[0], other.signed_parts[1])


@v3_rows.caught_by(v3=signature_verifies, requirement="OCEN-JWS-10")
def signed_in_reverse_order(good: GoodMessage) -> OutgoingMessage:
    """The signature is over payload, dot, header: the order in the prose of the v3 documents, not in their sample."""
    envelope = good.envelope()
    swapped = good.sign_texts(payload=envelope.header, header=envelope.payload)
    return good.send(replace(envelope, signature=swapped.signature).to_bytes())


@v4_rows.each_caught_by(*OTHER_INPUTS, v4=signature_verifies, requirement="OCEN-DET-03 OCEN-DET-04")
def signed_over(good: GoodCall, case: str) -> OutgoingMessage:
    """The signature is over {}, by the right key."""
    header = good.signed_parts[0]
    return good.send_parts(header, good.key.sign(OTHER_INPUTS[case](good, header)))
