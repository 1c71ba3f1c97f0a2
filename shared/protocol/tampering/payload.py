"""Payloads that are rightly signed and yet say something else of their sender than an envelope may."""

from dataclasses import replace

from shared.protocol.checks.payload import (
    MAX_IDENTIFIER_LENGTH,
    METADATA_MEMBERS,
    metadata_is_complete,
    payload_is_a_json_object,
    sender_has_the_role,
    sender_is_the_key_holder,
)
from shared.protocol.encoding import dump_json
from shared.protocol.problems import Problem
from shared.protocol.tampering.base import OutgoingMessage, TlsIdentity
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.table import Rows

rows = Rows[GoodMessage]()


@rows.each_caught_by(payload_is_a_json_object, "requestId")
def payload_member_twice(good: GoodMessage, case: str) -> OutgoingMessage:
    """The payload has {} twice, first with a false value."""
    return good.send_payload(f'{{"{case}":{{}},'.encode() + good.payload[1:])


@rows.caught_by(metadata_is_complete)
def metadata_missing(good: GoodMessage) -> OutgoingMessage:
    """The payload has no metadata."""
    return good.send_document(good.without("metadata"))


@rows.caught_by(metadata_is_complete)
def metadata_as_a_text(good: GoodMessage) -> OutgoingMessage:
    """Metadata is a text, not an object."""
    return good.send_document({**good.document, "metadata": "as agreed"})


@rows.each_caught_by(metadata_is_complete, *METADATA_MEMBERS)
def metadata_without(good: GoodMessage, case: str) -> OutgoingMessage:
    """Metadata has no {}."""
    return good.send_document(good.without_metadata(case))


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


def _from_other(good: GoodMessage, payload: bytes) -> OutgoingMessage:
    key = good.other.key
    body = good.envelope(payload, dump_json({"kid": key.kid, "alg": key.algorithm}), key).to_bytes()
    return replace(good.send(body), identity=TlsIdentity.OTHER)
