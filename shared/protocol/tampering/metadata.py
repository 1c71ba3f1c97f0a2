"""Payloads that are rightly signed and name somebody else than their sender, or another's product network."""

from typing import Any

from shared.protocol.checks.originator import (
    PAIRS,
    both_are_in_the_product_network,
    originator_is_the_token_holder,
    originator_metadata_is_complete,
)
from shared.protocol.checks.payload import (
    metadata_is_complete,
    sender_has_the_role,
    sender_is_the_key_holder,
)
from shared.protocol.phases import MAX_IDENTIFIER_LENGTH
from shared.protocol.problems import Problem
from shared.protocol.tampering.base import Good, OutgoingMessage
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.table import Rows

rows = Rows[Good]()
v3_rows = Rows[GoodMessage]()
v4_rows = Rows[GoodCall]()

PLAIN = ("version", "timestamp", "traceId")
SPELLINGS = (*PAIRS, *PAIRS.values())

OTHER_NETWORKS: dict[str, dict[str, Any]] = {
    "a network of the sender's that the receiver is no member of": {"productNetworkId": "{foreign}"},
    "a network that nobody knows": {"productNetworkId": "no-such-network"},
    "two networks, the second not shared": {"networkId": "{foreign}"},
    "a list of networks": {"networkId": ["{foreign}"]},
    "no network": {"productNetworkId": None},
}


@rows.caught_by(v3=metadata_is_complete, v4=originator_metadata_is_complete, requirement="OCEN-IDN-01")
def metadata_missing(good: Good) -> OutgoingMessage:
    """The payload has no metadata."""
    return good.send_document(good.without("metadata"))


@rows.caught_by(v3=metadata_is_complete, v4=originator_metadata_is_complete)
def metadata_as_a_text(good: Good) -> OutgoingMessage:
    """Metadata is a text, not an object."""
    return good.send_document({**good.document, "metadata": "as agreed"})


@rows.each_caught_by(*PLAIN, v3=metadata_is_complete, v4=originator_metadata_is_complete)
def metadata_without(good: Good, case: str) -> OutgoingMessage:
    """Metadata has no {}."""
    return good.send_document(good.without_metadata(case))


@rows.each_caught_by(*PLAIN, v3=metadata_is_complete, v4=originator_metadata_is_complete, problem=Problem.LENGTH)
def metadata_with_empty(good: Good, case: str) -> OutgoingMessage:
    """Metadata has an empty {}."""
    return good.send_document(good.with_metadata(**{case: ""}))


@v3_rows.caught_by(v3=metadata_is_complete, requirement="OCEN-IDN-01")
def organisation_missing(good: GoodMessage) -> OutgoingMessage:
    """Metadata has no orgId."""
    return good.send_document(good.without_metadata("orgId"))


@v3_rows.caught_by(v3=metadata_is_complete, problem=Problem.LENGTH, requirement="OCEN-IDN-01")
def organisation_empty(good: GoodMessage) -> OutgoingMessage:
    """Metadata has an empty orgId."""
    return good.send_document(good.with_metadata(orgId=""))


@v4_rows.each_caught_by(*PAIRS, v4=originator_metadata_is_complete, requirement="OCEN-IDN-01")
def originator_without_either(good: GoodCall, case: str) -> OutgoingMessage:
    """Metadata has no {} in either spelling."""
    return good.send_document(good.without_metadata(case, PAIRS[case]))


@v4_rows.each_caught_by(*PAIRS, v4=originator_metadata_is_complete, problem=Problem.LENGTH, requirement="OCEN-IDN-01")
def originator_with_empty(good: GoodCall, case: str) -> OutgoingMessage:
    """Metadata has an empty {}."""
    return good.send_document(good.with_metadata(**{case: ""}))


@v4_rows.caught_by(v4=originator_metadata_is_complete)
def originator_null(good: GoodCall) -> OutgoingMessage:
    """The originatorParticipantId is null, though participantId is right."""
    return good.send_document(good.with_metadata(originatorParticipantId=None))


@rows.caught_by(v3=metadata_is_complete, v4=originator_metadata_is_complete, problem=Problem.LENGTH)
def trace_id_too_long(good: Good) -> OutgoingMessage:
    """The traceId is one character too long."""
    return good.send_document(good.with_metadata(traceId="t" * (MAX_IDENTIFIER_LENGTH + 1)))


@v3_rows.caught_by(v3=sender_is_the_key_holder, requirement="OCEN-IDN-01")
def organisation_of_another_participant(good: GoodMessage) -> OutgoingMessage:
    """The orgId is that of another participant; key and certificate are the sender's."""
    return good.send_document(good.with_metadata(orgId=good.other.id))


@v3_rows.caught_by(v3=sender_is_the_key_holder, requirement="OCEN-IDN-01")
def organisation_in_other_case(good: GoodMessage) -> OutgoingMessage:
    """The sender's orgId is written with small letters for capitals and capitals for small ones."""
    return good.send_document(good.with_metadata(orgId=str(good.document["metadata"]["orgId"]).swapcase()))


@v3_rows.caught_by(v3=sender_is_the_key_holder, requirement="OCEN-IDN-01")
def organisation_followed_by_a_space(good: GoodMessage) -> OutgoingMessage:
    """A space follows the sender's orgId."""
    return good.send_document(good.with_metadata(orgId=f"{good.document['metadata']['orgId']} "))


@v4_rows.each_caught_by(*SPELLINGS, v4=originator_is_the_token_holder, requirement="OCEN-IDN-01")
def another_participant_as(good: GoodCall, case: str) -> OutgoingMessage:
    """Only {} is another participant's; token, key and certificate are the sender's."""
    return good.send_document(good.with_metadata(**{case: good.ids_of_other[case]}))


@v4_rows.caught_by(v4=originator_is_the_token_holder, requirement="OCEN-IDN-01")
def another_participant_throughout(good: GoodCall) -> OutgoingMessage:
    """All ids in the metadata are another participant's; token, key and certificate are the sender's."""
    return good.send_document(good.with_metadata(**good.ids_of_other))


@v4_rows.caught_by(v4=originator_is_the_token_holder, requirement="OCEN-IDN-01")
def originator_in_other_case(good: GoodCall) -> OutgoingMessage:
    """The sender's id is written with small letters for capitals and capitals for small ones."""
    own = str(good.claims["participantId"]).swapcase()
    return good.send_document(good.with_metadata(originatorParticipantId=own, participantId=own))


@rows.caught_by(v3=sender_is_the_key_holder, v4=originator_is_the_token_holder, requirement="OCEN-JWS-08 OCEN-IDN-02")
def sent_in_the_name_of_the_sender(good: Good) -> OutgoingMessage:
    """Another participant signs the sender's message, and sends it with its own credentials over its own connection."""
    return good.send_by_other(in_the_name_of_the_sender=True)


@rows.caught_by(both=sender_has_the_role, requirement="OCEN-IDN-03")
def sent_in_another_role(good: Good) -> OutgoingMessage:
    """Another participant sends in its own name a message that its role does not send."""
    return good.send_by_other(in_the_name_of_the_sender=False)


@v4_rows.each_caught_by(*OTHER_NETWORKS, v4=both_are_in_the_product_network, requirement="OCEN-TOK-05")
def product_network_is(good: GoodCall, case: str) -> OutgoingMessage:
    """The body names {}."""
    members = {name: _filled(value, good) for name, value in OTHER_NETWORKS[case].items()}
    data = {**good.document["productData"], **members}
    known = {name: value for name, value in data.items() if value is not None}
    return good.send_document({**good.document, "productData": known})


def _filled(value: Any, good: GoodCall) -> Any:
    if isinstance(value, list):
        return [_filled(item, good) for item in value]
    return value.format(foreign=good.foreign_network) if isinstance(value, str) else value
