"""What the metadata of an OCEN 4.0 payload has to say, judged only after its signature has been found right."""

from typing import Any

from shared.protocol.checks.detached import MOST_SHOWN
from shared.protocol.checks.payload import is_usable, problem_of
from shared.protocol.encoding import kind_of
from shared.protocol.phases import MAX_IDENTIFIER_LENGTH, Identified
from shared.protocol.problems import Problem
from shared.protocol.verification import Finding, Need, check

PAIRS = {"originatorOrgId": "orgId", "originatorParticipantId": "participantId"}
"""The schema names each of the two differently among its properties and among what it requires (P18)."""

NETWORK_MEMBERS = ("productNetworkId", "networkId")
"""The schema has the first, samples the second; who writes both has to mean one network by them."""


@check(Problem.MANDATORY_MISSING)
def originator_metadata_is_complete(message: Identified) -> Finding:
    """The metadata has version, timestamp, traceId and its originator's two ids (OCEN 4.0 MetaData; P18)."""
    metadata = message.opened.claims.metadata
    values = {name: metadata.get(name) for name in ("version", "timestamp", "traceId")}
    values |= {name: metadata.get(name, metadata.get(other)) for name, other in PAIRS.items()}
    bad = [name for name, value in values.items() if not is_usable(value)]
    expected = f"metadata with {', '.join(values)}, each 1 to {MAX_IDENTIFIER_LENGTH} printable characters"
    if not bad:
        return Finding(True, expected, "all five")
    missing = [name for name in bad if values[name] is None]
    problem = Problem.MANDATORY_MISSING if missing else problem_of(values[bad[0]])
    return Finding(False, expected, ", ".join(f"{name} ({kind_of(values[name])})" for name in bad), problem)


@check(Problem.SENDER, Need.DIRECTORY)
def originator_is_the_token_holder(message: Identified) -> Finding:
    """Both of its originator's ids are those of the token's participant, in either spelling (P22)."""
    holder, metadata = message.holder, message.opened.claims.metadata
    ids = {"originatorParticipantId": holder.id, "originatorOrgId": holder.organisation_id}
    for name, registered in ids.items():
        spellings = [member for member in (name, PAIRS[name]) if member in metadata]
        expected = registered or metadata[spellings[0]]  # where the registry names no organisation, they are equal
        for member in spellings:
            if metadata[member] != expected:
                return Finding(False, f"{member} {expected}", _shown(metadata[member]))
    return Finding(True, f"{holder.id} of {holder.organisation_id or 'its organisation'}", "the same")


@check(Problem.SENDER, Need.DIRECTORY, Need.NETWORK)
def both_are_in_the_product_network(message: Identified) -> Finding:
    """Sender and receiver are members of the product network that the message names (OCEN 4.0 registry; P29)."""
    if not message.sender.networks:
        expected = "a product network that both belong to"
        return Finding(True, expected, "no product network is set here, so none is judged")
    for network in _named_networks(message):
        shown = network[:64] or "(none is named)"
        expected = f"product network {shown} with both parties as members"
        members = message.sender.networks.get(network)
        if members is None:
            ours = ", ".join(sorted(message.sender.networks)[:MOST_SHOWN])
            return Finding(False, expected, f"{shown} is none of ours, which are {ours}")
        if missing := _missing(message, members):
            own = f"we, {message.opened.own_id}, are not in it"
            found = [own if member == message.opened.own_id else f"{member} is not in it" for member in missing]
            return Finding(False, expected, "; ".join(found))
    return Finding(True, expected, "both are")


def short_networks(message: Identified) -> list[str]:
    """Return those networks of ours that the message names and the sender or the receiver is missing in."""
    judged = {network: message.sender.networks.get(network) for network in _named_networks(message)}
    return [name for name, members in judged.items() if members is not None and _missing(message, members)]


def _missing(message: Identified, members: frozenset[str]) -> list[str]:
    """Return who of sender and receiver is none of these members of a network."""
    return [one for one in (message.holder.id, message.opened.own_id) if one not in members]


def _named_networks(message: Identified) -> list[str]:
    # Many a serializer writes null for what is not there, and the schema lets either spelling be absent.
    product = message.opened.claims.document.get("productData")
    given = product if isinstance(product, dict) else {}
    return [str(given[member]) for member in NETWORK_MEMBERS if given.get(member) is not None] or [""]


def _shown(value: Any) -> str:
    return value[:64] if isinstance(value, str) else kind_of(value)
