"""What becomes of a node's own signing keys: the registry of OCEN 4.0 is told before the node signs with one."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.text import Text

from sandbox.cli.participants import print_counting
from sandbox.cli.screen import say, shown, tell
from sandbox.enrolment import enrolled
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.holders import Nodes, own_details
from sandbox.ops_client import OpsClient
from sandbox.settings import Folders, NodeName
from shared.protocol.participants import KeyStatus


def make_own(folders: Folders, node: NodeName, ops: OpsClient, *, kid: str, out: Path | None, reason: str) -> None:
    """Have a node make a key, tell the registry if the node is its member, and print what is next.

    Raises:
        SandboxError: there is no room for it, or node or registry say no.
    """
    if out is not None and out.exists():
        raise SandboxError(f"{out} exists: name a new file for the public key")
    before = own_details(ops)
    with enrolled(folders, before["organisation_id"]) as enrolment:
        if enrolment is not None:
            enrolment.demand_room_for_key(before["keys"])
        made = ops.make_key(kid or None, reason)["kid"]
        details = own_details(ops)
        if enrolment is not None:
            enrolment.take_keys(details["keys"])
    _print_made(node, details, made, out, is_enrolled=enrolment is not None)


def _print_made(node: NodeName, details: Record, made: str, out: Path | None, *, is_enrolled: bool) -> None:
    public_key = next(key["pem"] for key in details["keys"] if key["kid"] == made)
    organisation_id = details["organisation_id"]
    say(Text(f"The {node.label} has made a key, and keeps it as back-up: ", "bold green").append(made, "bold"))
    if out is None:
        typer.echo(public_key, nl=False)
    else:
        out.write_text(public_key, "utf-8")
        say(f"Its public half is in {shown(out)}.")
    if is_enrolled:
        say("The registry has it, so counterparties of OCEN 4.0 take it from now on.")
    file = shown(out) if out else "FILE"
    say("\nCounterparties have to know it before the node signs with it:")
    say(f"  ocen-sandbox keys add --of {organisation_id} --file {file} --kid {made}")
    say(f"  ocen-sandbox keys switch {made}")


def refuse_unless_known(pair: Nodes, node: NodeName, kid: str) -> None:
    """Make sure that the nodes of the other role know a key; they would only refuse who signed with it.

    Raises:
        SandboxError: one does not.
    """
    own = pair[node].identity()["organisation_id"]
    for name, other in pair.items():
        theirs = next((one for one in other.participants() if one["organisation_id"] == own), None)
        if theirs is None or name.role is node.role:
            continue
        if not any(key["kid"] == kid and KeyStatus(key["status"]).counts for key in theirs["keys"]):
            mend = f"ocen-sandbox keys add --of {own} --kid {kid} --file PUBLIC_KEY"
            raise SandboxError(f"the {name.label} does not know key {kid}, and would refuse it: first `{mend}`")


def change_own(folders: Folders, node: NodeName, ops: OpsClient, *, kid: str, status: KeyStatus, reason: str) -> None:
    """Change the status of a node's own key: the registry learns of what is new before, of what has ended after it.

    Raises:
        SandboxError: node or registry say no.
    """
    before = own_details(ops)
    organisation_id = before["organisation_id"]
    with enrolled(folders, organisation_id) as enrolment:
        taking_over = _taking_over(before["keys"], kid, status)
        # A key that others may have is not waited for.
        if enrolment is not None and taking_over is not None and status is not KeyStatus.BLOCKED:
            if taking_over not in enrolment.kids:
                enrolment.take_keys(before["keys"])
            enrolment.await_look_ups(tell)
        details = ops.change_key(organisation_id, kid, status, reason)
        if enrolment is not None:
            enrolment.take_keys(details["keys"])
    say(Text(f"Own keys of the {node.label} now:", style="bold green"))
    print_counting(details["keys"], kid)
    if status is KeyStatus.BLOCKED:
        say(f"\nCounterparties have to block it too: ocen-sandbox keys block {kid} --of {organisation_id} --reason WHY")
    elif status is KeyStatus.RETIRED:
        say(f"\nCounterparties may retire it too: ocen-sandbox keys retire {kid} --of {organisation_id}")
    if enrolment is not None and not status.counts:
        say("The registry has taken it out; who has looked it up takes it until he asks again, within 5 minutes.")


def _taking_over(keys: Sequence[Record], kid: str, status: KeyStatus) -> str | None:
    """Return the kid of the key that begins to sign when a node's key gets another status; None if none does."""
    active = next((key["kid"] for key in keys if key["status"] == KeyStatus.ACTIVE), None)
    backups = [key["kid"] for key in keys if key["status"] == KeyStatus.BACKUP]
    if status is KeyStatus.ACTIVE:
        return kid if kid in backups else None
    return backups[0] if kid == active and backups else None
