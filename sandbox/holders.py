"""Find the node that knows an organisation or holds a key, so that commands need not name it."""

from collections.abc import Mapping
from typing import TypeAlias

from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.ops_client import OpsClient
from sandbox.settings import NodeName

Nodes: TypeAlias = Mapping[NodeName, OpsClient]


def chosen_nodes(pair: Nodes, at: NodeName | None) -> Nodes:
    """Return the one node that was named, or all. Raises SandboxError if the one that was named does not run."""
    return pair if at is None else {at: pair[at]}


def holders(pair: Nodes, organisation_id: str, at: NodeName | None = None) -> Nodes:
    """Return the nodes that know an organisation as counterparty now. Raises SandboxError if none does."""
    known = ((name, participant) for name, ops in chosen_nodes(pair, at).items() for participant in ops.participants())
    found = {name: pair[name] for name, participant in known if participant["organisation_id"] == organisation_id}
    if not found:
        raise _nobody(organisation_id, at, "")
    return found


def known_histories(pair: Nodes, organisation_id: str, at: NodeName | None = None) -> Mapping[NodeName, Record]:
    """Return what the nodes know of an organisation, or of themselves, with its history; also of an offboarded one.

    Raises SandboxError if none remembers it.
    """
    found = {name: ops.participant(organisation_id) for name, ops in chosen_nodes(pair, at).items()}
    known = {name: details for name, details in found.items() if details is not None}
    if not known:
        raise _nobody(organisation_id, at, ", and never did")
    return known


def own_details(ops: OpsClient) -> Record:
    """Return what a node remembers of itself."""
    details = ops.participant(ops.identity()["organisation_id"])
    assert details is not None
    return details


def tell_base_urls(pair: Nodes, urls: Mapping[str, str]) -> None:
    """Tell each node where it and the others are now, by organisation id: it may know the ports of an earlier start."""
    for ops in pair.values():
        for known in (*ops.participants(), ops.own_form()):
            url = urls.get(known["organisation_id"], known["base_url"])
            if url != known["base_url"]:
                ops.amend(known["organisation_id"], base_url=url, reason="started there")


def holder_of_own_key(pair: Nodes, kid: str, at: NodeName | None = None) -> NodeName:
    """Return the node whose own signing key has that kid. Raises SandboxError if none has it."""
    own = {name: [key["kid"] for key in own_details(ops)["keys"]] for name, ops in chosen_nodes(pair, at).items()}
    for name, kids in own.items():
        if kid in kids:
            return name
    whose = f"the {at.label}'s own" if at else "a node's own"
    hint = "see `ocen-sandbox keys list`; for a counterparty's key say whose: --of ORG"
    raise SandboxError(f"no key {kid} is {whose}: {hint}")


def _nobody(organisation_id: str, at: NodeName | None, never: str) -> SandboxError:
    who = f"the {at.label} does not know" if at else "no node knows"
    return SandboxError(f"{who} {organisation_id}{never}: see `ocen-sandbox participants`")
