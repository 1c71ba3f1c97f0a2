"""Keys that do not count, and signatures that are not this key's over this message."""

from dataclasses import replace

from shared.protocol.checks.signature import kid_selects_a_key_that_counts, signature_verifies
from shared.protocol.encoding import base64url_decode, base64url_encode, dump_json
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.header import HOSTILE_KIDS
from shared.protocol.tampering.table import Rows

rows = Rows[GoodMessage]()


@rows.caught_by(kid_selects_a_key_that_counts)
def kid_unknown(good: GoodMessage) -> OutgoingMessage:
    """The message is signed by a stranger's key under the stranger's kid."""
    return good.send_header({**good.header, "kid": good.unknown_key.kid}, good.unknown_key)


@rows.each_caught_by(kid_selects_a_key_that_counts, *HOSTILE_KIDS)
def kid_is_a(good: GoodMessage, case: str) -> OutgoingMessage:
    """The kid is a {}, and nobody's."""
    return good.send_header({**good.header, "kid": HOSTILE_KIDS[case]})


@rows.caught_by(kid_selects_a_key_that_counts)
def kid_blocked(good: GoodMessage) -> OutgoingMessage:
    """The message is signed by a key of the sender that has been blocked."""
    return good.send_header({**good.header, "kid": good.blocked_key.kid}, good.blocked_key)


@rows.caught_by(signature_verifies)
def signed_by_the_backup_key(good: GoodMessage) -> OutgoingMessage:
    """The kid is that of the sender's first key, but the backup key has signed."""
    return good.send_header(good.header, good.backup_key)


@rows.caught_by(signature_verifies)
def signed_by_a_stranger(good: GoodMessage) -> OutgoingMessage:
    """The kid is that of the sender's key, but a stranger has signed."""
    return good.send_header(good.header, good.unknown_key)


@rows.caught_by(signature_verifies)
def payload_changed(good: GoodMessage) -> OutgoingMessage:
    """The payload has got a further member after it was signed."""
    return _with_part(good, "payload", dump_json({**good.document, "note": "added"}))


@rows.caught_by(signature_verifies)
def payload_bit_flipped(good: GoodMessage) -> OutgoingMessage:
    """One bit of the payload has changed after it was signed."""
    return _with_part(good, "payload", _flip_last_bit(good.payload[:-2]) + good.payload[-2:])


@rows.caught_by(signature_verifies)
def payload_written_anew(good: GoodMessage) -> OutgoingMessage:
    """The payload was written anew after it was signed: the same JSON with a line break at its end."""
    return _with_part(good, "payload", good.payload + b"\n")


@rows.caught_by(signature_verifies)
def header_written_anew(good: GoodMessage) -> OutgoingMessage:
    """The header was written anew after it was signed: the same members in another order."""
    return _with_part(good, "header", dump_json(dict(reversed(good.header.items()))))


@rows.caught_by(signature_verifies)
def header_member_added(good: GoodMessage) -> OutgoingMessage:
    """The header has got a typ after it was signed."""
    return _with_part(good, "header", dump_json({**good.header, "typ": "JOSE"}))


@rows.caught_by(signature_verifies)
def kid_swapped(good: GoodMessage) -> OutgoingMessage:
    """The header has got the kid of the sender's backup key after it was signed."""
    return _with_part(good, "header", dump_json({**good.header, "kid": good.backup_key.kid}))


@rows.caught_by(signature_verifies)
def signature_bit_flipped(good: GoodMessage) -> OutgoingMessage:
    """One bit of the signature has changed."""
    return _with_part(good, "signature", _flip_last_bit(_signature(good)))


@rows.caught_by(signature_verifies)
def signature_cut_short(good: GoodMessage) -> OutgoingMessage:
    """The last byte of the signature is missing."""
    return _with_part(good, "signature", _signature(good)[:-1])


@rows.caught_by(signature_verifies)
def signature_extended(good: GoodMessage) -> OutgoingMessage:
    """The signature has a further byte."""
    return _with_part(good, "signature", _signature(good) + b"\x00")


@rows.caught_by(signature_verifies)
def signature_of_zeros(good: GoodMessage) -> OutgoingMessage:
    """The signature consists of zeros."""
    return _with_part(good, "signature", bytes(len(_signature(good))))


@rows.caught_by(signature_verifies)
def signature_of_another_message(good: GoodMessage) -> OutgoingMessage:
    """The signature is the sender's, but of another message."""
    other = good.envelope(dump_json(good.restamped(good.document)))
    return good.send(replace(good.envelope(), signature=other.signature).to_bytes())


@rows.caught_by(signature_verifies)
def signed_in_reverse_order(good: GoodMessage) -> OutgoingMessage:
    """The signature is over payload, dot, header: the order in the prose of the v3 documents, not in their sample."""
    envelope = good.envelope()
    swapped = good.sign_texts(payload=envelope.header, header=envelope.payload)
    return good.send(replace(envelope, signature=swapped.signature).to_bytes())


def _signature(good: GoodMessage) -> bytes:
    return base64url_decode(good.envelope().signature)


def _flip_last_bit(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _with_part(good: GoodMessage, part: str, data: bytes) -> OutgoingMessage:
    return good.send_members({**good.parts, good.name_of(part): base64url_encode(data)})
