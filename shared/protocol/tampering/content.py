"""Payloads that are rightly signed and yet are not what they have to be, whatever the profile."""

from dataclasses import replace

from shared.protocol.checks.payload import (
    content_fits_the_message,
    payload_is_a_json_object,
    request_id_is_usable,
)
from shared.protocol.encoding import MAX_DEPTH
from shared.protocol.phases import MAX_IDENTIFIER_LENGTH
from shared.protocol.problems import Problem
from shared.protocol.tampering.base import Good, OutgoingMessage
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.table import Rows

rows = Rows[Good]()
v3_rows = Rows[GoodMessage]()
v4_rows = Rows[GoodCall]()

NO_OBJECTS = {
    "a plain text": b"apply",
    "a number": b"42",
    "a JSON text": b'"{}"',
    "null": b"null",
    "half an object": b'{"a":',
}

ODD_MEMBERS = {
    "a value that is not UTF-8": b'"\xff"',
    "a lone surrogate": b'"\\ud800"',
    "the value NaN": b"NaN",
    "a number beyond all measure": b"1e999999999",
    "an integer of 5,000 digits": b"9" * 5000,
    "too deep a nesting": b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
}


@rows.each_caught_by(*NO_OBJECTS, both=payload_is_a_json_object, requirement="OCEN-JWS-24")
def payload_is(good: Good, case: str) -> OutgoingMessage:
    """The payload is {}."""
    return good.send_payload(NO_OBJECTS[case])


@rows.caught_by(both=payload_is_a_json_object, requirement="OCEN-JWS-24")
def payload_in_an_array(good: Good) -> OutgoingMessage:
    """The payload is the only element of a JSON array."""
    return good.send_payload(b"[" + good.payload + b"]")


@rows.caught_by(both=payload_is_a_json_object, requirement="OCEN-JWS-24")
def payload_with_byte_order_mark(good: Good) -> OutgoingMessage:
    """A byte order mark stands before the payload."""
    return good.send_payload(b"\xef\xbb\xbf" + good.payload)


@rows.caught_by(both=payload_is_a_json_object, requirement="OCEN-JWS-24")
def payload_in_utf16(good: Good) -> OutgoingMessage:
    """The payload is written in UTF-16."""
    return good.send_payload(good.payload.decode().encode("utf-16"))


@rows.each_caught_by(*ODD_MEMBERS, both=payload_is_a_json_object, requirement="OCEN-JWS-24")
def payload_with(good: Good, case: str) -> OutgoingMessage:
    """The payload has a further member with {}."""
    return good.send_payload(good.payload[:-1] + b',"note":' + ODD_MEMBERS[case] + b"}")


@rows.each_caught_by("metadata", "credBlock", both=payload_is_a_json_object, requirement="OCEN-JWS-13")
def payload_member_twice(good: Good, case: str) -> OutgoingMessage:
    """The payload has {} twice, first with a false value."""
    return good.send_payload(f'{{"{case}":{{}},'.encode() + good.payload[1:])


@v3_rows.caught_by(v3=payload_is_a_json_object, requirement="OCEN-JWS-13")
def request_id_twice(good: GoodMessage) -> OutgoingMessage:
    """The payload has its requestId twice, first with a false value."""
    return good.send_payload(b'{"requestId":{},' + good.payload[1:])


@v4_rows.caught_by(v4=payload_is_a_json_object, requirement="OCEN-DET-03")
def body_empty(good: GoodCall) -> OutgoingMessage:
    """The body is empty, and the signature is over that."""
    return good.send_payload(b"")


@rows.caught_by(both=request_id_is_usable, problem=Problem.MANDATORY_MISSING)
def request_id_missing(good: Good) -> OutgoingMessage:
    """The payload has no requestId."""
    return good.send_document(good.with_request_id(None))


@rows.caught_by(both=request_id_is_usable)
def request_id_empty(good: Good) -> OutgoingMessage:
    """The requestId is an empty text."""
    return good.send_document(good.with_request_id(""))


@rows.caught_by(both=request_id_is_usable)
def request_id_too_long(good: Good) -> OutgoingMessage:
    """The requestId is one character too long."""
    return good.send_document(good.with_request_id("r" * (MAX_IDENTIFIER_LENGTH + 1)))


@rows.caught_by(both=content_fits_the_message, problem=Problem.MANDATORY_MISSING)
def member_missing(good: Good) -> OutgoingMessage:
    """The payload has no credBlock."""
    return good.send_document(good.without("credBlock"))


@rows.caught_by(both=content_fits_the_message)
def member_of_another_type(good: Good) -> OutgoingMessage:
    """The credBlock is a text, not an object."""
    return good.send_document({**good.document, "credBlock": "OTP"})


@rows.caught_by(both=content_fits_the_message, problem=Problem.NOT_IN_ENUM)
def value_not_in_its_enumeration(good: Good) -> OutgoingMessage:
    """The type of the credBlock is one that OCEN does not know."""
    return good.send_document({**good.document, "credBlock": {**good.document["credBlock"], "type": "FACE"}})


@rows.caught_by(
    both=content_fits_the_message,
    problem=Problem.MANDATORY_MISSING,
    requirement="OCEN-RPL-06",
)
def sent_to_another_path(good: Good) -> OutgoingMessage:
    """The message is sent to the path of another message, which it does not fit."""
    return replace(good.send(), path=good.elsewhere.path)
