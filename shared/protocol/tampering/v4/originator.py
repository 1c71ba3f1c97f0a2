"""Bodies that are rightly signed and name somebody else than the holder of the token, or another's network."""

from dataclasses import replace
from typing import Any

from shared.protocol.checks.originator import (
    PAIRS,
    both_are_in_the_product_network,
    originator_is_the_token_holder,
    originator_metadata_is_complete,
)
from shared.protocol.checks.payload import MAX_IDENTIFIER_LENGTH, payload_is_a_json_object, sender_has_the_role
from shared.protocol.encoding import dump_json
from shared.protocol.problems import Problem
from shared.protocol.tampering.base import OutgoingMessage, TlsIdentity
from shared.protocol.tampering.table import Rows
from shared.protocol.tampering.v4.good import GoodCall

rows = Rows[GoodCall]()

PLAIN = ("version", "timestamp", "traceId")
SPELLINGS = (*PAIRS, *PAIRS.values())

OTHER_NETWORKS: dict[str, dict[str, Any]] = {
    "a network of the sender's that the receiver is no member of": {"productNetworkId": "{foreign}"},
    "a network that nobody knows": {"productNetworkId": "no-such-network"},
    "two networks, the second not shared": {"networkId": "{foreign}"},
    "a list of networks": {"networkId": ["{foreign}"]},
    "no network": {"productNetworkId": None},
}


@rows.caught_by(payload_is_a_json_object)
def body_empty(good: GoodCall) -> OutgoingMessage:
    """The body is empty, and the signature is over that."""
    return good.send_payload(b"")


@rows.caught_by(originator_metadata_is_complete)
def metadata_missing(good: GoodCall) -> OutgoingMessage:
    """The body has no metadata."""
    return good.send_document(good.without("metadata"))


@rows.caught_by(originator_metadata_is_complete)
def metadata_as_a_text(good: GoodCall) -> OutgoingMessage:
    """Metadata is a text, not an object."""
    return good.send_document({**good.document, "metadata": "as agreed"})


@rows.each_caught_by(originator_metadata_is_complete, *PLAIN)
def metadata_without(good: GoodCall, case: str) -> OutgoingMessage:
    """Metadata has no {}."""
    return good.send_document(good.without_metadata(case))


@rows.each_caught_by(originator_metadata_is_complete, *PAIRS)
def metadata_without_either(good: GoodCall, case: str) -> OutgoingMessage:
    """Metadata has no {} in either spelling."""
    return good.send_document(good.without_metadata(case, PAIRS[case]))


@rows.each_caught_by(originator_metadata_is_complete, *PLAIN, *PAIRS, problem=Problem.LENGTH)
def metadata_with_empty(good: GoodCall, case: str) -> OutgoingMessage:
    """Metadata has an empty {}."""
    return good.send_document(good.with_metadata(**{case: ""}))


@rows.caught_by(originator_metadata_is_complete)
def originator_null(good: GoodCall) -> OutgoingMessage:
    """The originatorParticipantId is null, though participantId is right."""
    return good.send_document(good.with_metadata(originatorParticipantId=None))


@rows.caught_by(originator_metadata_is_complete, Problem.LENGTH)
def trace_id_too_long(good: GoodCall) -> OutgoingMessage:
    """The traceId is one character too long."""
    return good.send_document(good.with_metadata(traceId="t" * (MAX_IDENTIFIER_LENGTH + 1)))


@rows.each_caught_by(originator_is_the_token_holder, *SPELLINGS)
def another_participant_as(good: GoodCall, case: str) -> OutgoingMessage:
    """Only {} is another participant's; token, key and certificate are the sender's."""
    return good.send_document(good.with_metadata(**{case: _ids_of_other(good)[case]}))


@rows.caught_by(originator_is_the_token_holder)
def another_participant_throughout(good: GoodCall) -> OutgoingMessage:
    """All ids in the metadata are another participant's; token, key and certificate are the sender's."""
    return good.send_document(good.with_metadata(**_ids_of_other(good)))


@rows.caught_by(originator_is_the_token_holder)
def originator_in_other_case(good: GoodCall) -> OutgoingMessage:
    """The sender's id is written with small letters for capitals and capitals for small ones."""
    own = str(good.claims["participantId"]).swapcase()
    return good.send_document(good.with_metadata(originatorParticipantId=own, participantId=own))


@rows.caught_by(originator_is_the_token_holder)
def sent_in_the_name_of_the_sender(good: GoodCall) -> OutgoingMessage:
    """Another participant signs the sender's body and sends it with its own token over its own connection."""
    return _from_other(good, good.payload)


@rows.caught_by(sender_has_the_role)
def sent_in_another_role(good: GoodCall) -> OutgoingMessage:
    """Another participant sends in its own name a message that its role does not send."""
    return _from_other(good, dump_json(good.with_metadata(**_ids_of_other(good))))


@rows.each_caught_by(both_are_in_the_product_network, *OTHER_NETWORKS)
def product_network_is(good: GoodCall, case: str) -> OutgoingMessage:
    """The body names {}."""
    members = {name: _filled(value, good) for name, value in OTHER_NETWORKS[case].items()}
    data = {**good.document["productData"], **members}
    known = {name: value for name, value in data.items() if value is not None}
    return good.send_document({**good.document, "productData": known})


def _ids_of_other(good: GoodCall) -> dict[str, str]:
    other = good.other
    ids = {"originatorOrgId": other.parent_id, "originatorParticipantId": other.organisation_id}
    return {**ids, **{PAIRS[name]: value for name, value in ids.items()}}


def _from_other(good: GoodCall, payload: bytes) -> OutgoingMessage:
    key = good.other.key
    signed = good.send_signature(good.sign(payload, {**good.header, "kid": key.kid}, key), payload)
    headers = {**signed.headers, "authorization": f"Bearer {good.token(good.other.claims)}"}
    return replace(signed, headers=headers, identity=TlsIdentity.OTHER)


def _filled(value: Any, good: GoodCall) -> Any:
    if isinstance(value, list):
        return [_filled(one, good) for one in value]
    return value.format(foreign=good.foreign_network) if isinstance(value, str) else value
