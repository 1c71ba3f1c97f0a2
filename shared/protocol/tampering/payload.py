"""Payloads that are rightly signed and yet are not what they have to be."""

from dataclasses import replace
from typing import Any

from shared.protocol.checks.payload import (
    MAX_IDENTIFIER_LENGTH,
    METADATA_MEMBERS,
    content_fits_the_message,
    metadata_is_complete,
    payload_is_a_json_object,
    request_id_is_usable,
    sender_has_the_role,
    sender_is_the_key_holder,
)
from shared.protocol.encoding import MAX_DEPTH, dump_json
from shared.protocol.problems import Problem
from shared.protocol.tampering.good import GoodMessage, OutgoingMessage, TlsIdentity
from shared.protocol.tampering.table import Rows

rows = Rows()

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


@rows.each_caught_by(payload_is_a_json_object, *NO_OBJECTS)
def payload_is(good: GoodMessage, case: str) -> OutgoingMessage:
    """The payload is {}."""
    return good.send_payload(NO_OBJECTS[case])


@rows.caught_by(payload_is_a_json_object)
def payload_in_an_array(good: GoodMessage) -> OutgoingMessage:
    """The payload is the only element of a JSON array."""
    return good.send_payload(b"[" + good.payload + b"]")


@rows.caught_by(payload_is_a_json_object)
def payload_with_byte_order_mark(good: GoodMessage) -> OutgoingMessage:
    """A byte order mark stands before the payload."""
    return good.send_payload(b"\xef\xbb\xbf" + good.payload)


@rows.caught_by(payload_is_a_json_object)
def payload_in_utf16(good: GoodMessage) -> OutgoingMessage:
    """The payload is written in UTF-16."""
    return good.send_payload(good.payload.decode().encode("utf-16"))


@rows.each_caught_by(payload_is_a_json_object, *ODD_MEMBERS)
def payload_with(good: GoodMessage, case: str) -> OutgoingMessage:
    """The payload has a further member with {}."""
    return good.send_payload(good.payload[:-1] + b',"note":' + ODD_MEMBERS[case] + b"}")


@rows.each_caught_by(payload_is_a_json_object, "metadata", "requestId")
def payload_member_twice(good: GoodMessage, case: str) -> OutgoingMessage:
    """The payload has {} twice, first with a false value."""
    return good.send_payload(f'{{"{case}":{{}},'.encode() + good.payload[1:])


@rows.caught_by(metadata_is_complete)
def metadata_missing(good: GoodMessage) -> OutgoingMessage:
    """The payload has no metadata."""
    return good.send_document(_without(good, "metadata"))


@rows.caught_by(metadata_is_complete)
def metadata_as_a_text(good: GoodMessage) -> OutgoingMessage:
    """Metadata is a text, not an object."""
    return good.send_document({**good.document, "metadata": "as agreed"})


@rows.each_caught_by(metadata_is_complete, *METADATA_MEMBERS)
def metadata_without(good: GoodMessage, case: str) -> OutgoingMessage:
    """Metadata has no {}."""
    rest = {name: value for name, value in good.document["metadata"].items() if name != case}
    return good.send_document({**good.document, "metadata": rest})


@rows.each_caught_by(metadata_is_complete, *METADATA_MEMBERS, problem=Problem.LENGTH)
def metadata_with_empty(good: GoodMessage, case: str) -> OutgoingMessage:
    """Metadata has an empty {}."""
    return good.send_document(good.with_metadata(**{case: ""}))


@rows.caught_by(metadata_is_complete, Problem.LENGTH)
def trace_id_too_long(good: GoodMessage) -> OutgoingMessage:
    """The traceId is one character too long."""
    return good.send_document(good.with_metadata(traceId="t" * (MAX_IDENTIFIER_LENGTH + 1)))


@rows.caught_by(sender_is_the_key_holder)
def organisation_of_another_participant(good: GoodMessage) -> OutgoingMessage:
    """The orgId is that of another participant; key and certificate are the sender's."""
    return good.send_document(good.with_metadata(orgId=good.other.organisation_id))


@rows.caught_by(sender_is_the_key_holder)
def organisation_in_other_case(good: GoodMessage) -> OutgoingMessage:
    """The sender's orgId is written with small letters for capitals and capitals for small ones."""
    return good.send_document(good.with_metadata(orgId=str(good.document["metadata"]["orgId"]).swapcase()))


@rows.caught_by(sender_is_the_key_holder)
def organisation_followed_by_a_space(good: GoodMessage) -> OutgoingMessage:
    """A space follows the sender's orgId."""
    return good.send_document(good.with_metadata(orgId=f"{good.document['metadata']['orgId']} "))


@rows.caught_by(sender_is_the_key_holder)
def sent_in_the_name_of_the_sender(good: GoodMessage) -> OutgoingMessage:
    """Another participant signs the sender's message, orgId and all, and sends it over its own connection."""
    return _from_other(good, good.payload)


@rows.caught_by(sender_has_the_role)
def sent_in_another_role(good: GoodMessage) -> OutgoingMessage:
    """Another participant sends in its own name a message that its role does not send."""
    return _from_other(good, dump_json(good.with_metadata(orgId=good.other.organisation_id)))


@rows.caught_by(request_id_is_usable, Problem.MANDATORY_MISSING)
def request_id_missing(good: GoodMessage) -> OutgoingMessage:
    """The payload has no requestId."""
    return good.send_document(_without(good, "requestId"))


@rows.caught_by(request_id_is_usable)
def request_id_empty(good: GoodMessage) -> OutgoingMessage:
    """The requestId is an empty text."""
    return good.send_document({**good.document, "requestId": ""})


@rows.caught_by(request_id_is_usable)
def request_id_too_long(good: GoodMessage) -> OutgoingMessage:
    """The requestId is one character too long."""
    return good.send_document({**good.document, "requestId": "r" * (MAX_IDENTIFIER_LENGTH + 1)})


@rows.caught_by(content_fits_the_message, Problem.MANDATORY_MISSING)
def member_missing(good: GoodMessage) -> OutgoingMessage:
    """The payload has no credBlock."""
    return good.send_document(_without(good, "credBlock"))


@rows.caught_by(content_fits_the_message)
def member_of_another_type(good: GoodMessage) -> OutgoingMessage:
    """The credBlock is a text, not an object."""
    return good.send_document({**good.document, "credBlock": "OTP"})


@rows.caught_by(content_fits_the_message, Problem.NOT_IN_ENUM)
def value_not_in_its_enumeration(good: GoodMessage) -> OutgoingMessage:
    """The type of the credBlock is one that OCEN does not know."""
    return good.send_document({**good.document, "credBlock": {**good.document["credBlock"], "type": "FACE"}})


@rows.caught_by(content_fits_the_message, Problem.MANDATORY_MISSING)
def sent_to_another_path(good: GoodMessage) -> OutgoingMessage:
    """The message is sent to the path of another message, which it does not fit."""
    return replace(good.send(), path=good.elsewhere.path)


def _without(good: GoodMessage, member: str) -> dict[str, Any]:
    return {name: value for name, value in good.document.items() if name != member}


def _from_other(good: GoodMessage, payload: bytes) -> OutgoingMessage:
    key = good.other.key
    body = good.envelope(payload, dump_json({"kid": key.kid, "alg": key.algorithm}), key).to_bytes()
    return replace(good.send(body), identity=TlsIdentity.OTHER)
