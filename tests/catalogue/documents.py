"""Payloads of OCEN 4.0 for tests: the catalogue's examples with what a node adds, and changed in one place."""

from copy import deepcopy
from typing import Any

from shared.catalogue.table import example_of, find_message
from shared.protocol.encoding import dump_json, parse_json_object

METADATA = {
    "version": "4.0.0alpha",
    "originatorOrgId": "LSP-417",
    "originatorParticipantId": "3051",
    "timestamp": "2031-03-04T05:06:07.890Z",
    "traceId": "trace-1",
    "requestId": "request-1",
}


def complete(key: str) -> dict[str, Any]:
    """The example of a message with the metadata that the sender's node adds to it, numbers as the node reads them."""
    return parse_json_object(dump_json({"metadata": dict(METADATA), **example_of(find_message(key))}))


def changed(key: str, place: str, value: object) -> dict[str, Any]:
    """The example with one member changed, as `loanApplications.0.terms` names it; with `...` it is left out."""
    document = deepcopy(complete(key))
    *parents, member = place.split(".")
    target: Any = document
    for parent in parents:
        target = target[int(parent)] if isinstance(target, list) else target[parent]
    if value is ...:
        target.pop(member, None)
    else:
        target[int(member) if isinstance(target, list) else member] = value
    return document
