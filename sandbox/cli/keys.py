"""`keys`: signing keys of the nodes, and verification keys of their counterparties: add, switch, block, retire."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli.inputs import PUBLIC_KEY, read_text
from sandbox.cli.options import DATA_DIR, At, DataDir, Of, Why
from sandbox.cli.participants import print_counting, print_key, print_listed
from sandbox.cli.screen import say, shown, tell
from sandbox.enrolment import enrolled
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.holders import Nodes, holder_of_own_key, holders, own_details
from sandbox.ops_client import OpsClient
from sandbox.running import connected
from sandbox.settings import Folders, NodeName
from shared.protocol.participants import KeyStatus

app = typer.Typer(help="Signing keys: list, add, switch, block, retire.", no_args_is_help=True)

Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's id, as `keys list` shows it.")]


@app.command("list")
def list_keys(*, of: Of = None, at: At = None, data_dir: DataDir = DATA_DIR) -> None:
    """List keys with their history.

    The nodes' own, or with --of those of a counterparty; ended ones too.

    [cyan]ocen-sandbox keys list[/cyan]
    [cyan]ocen-sandbox keys list --of BANK01[/cyan]
    """
    print_listed(data_dir, "keys", of, at)


@app.command()
def add(
    *,
    of: Of = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="The counterparty's public key: PEM, X.509 or JWK.")
    ] = None,
    kid: Annotated[str, typer.Option(help="The key's id.", show_default="the JWK's; for our own a UUID")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the public half of our new key here.")] = None,
    reason: Why = "",
    at: At = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Add a key, as back-up.

    With --of: a counterparty's, at every node that knows it. Without: the
    node that --at names makes one of its own, and the registry of OCEN 4.0
    learns of it where the node is a member. Two keys count at a time.

    [cyan]ocen-sandbox keys add --at lender --out new.pub.pem[/cyan]
    [cyan]ocen-sandbox keys add --of BANK01 --file new.pub.pem --kid bank01-3[/cyan]
    """
    if of is None and file is not None:
        raise SandboxError("whose key is it? Say --of ORG; a node makes its own keys itself")
    if of is not None and file is None:
        raise SandboxError(f"no key: give {of}'s public key with --file")
    if of is None and at is None:
        raise SandboxError("which node is to make a key? Say --at lender or --at lsp; --of ORG adds a counterparty's")
    folders = Folders(data_dir)
    with connected(folders) as pair:
        if of is None or file is None:
            assert at is not None
            _make_own(folders, at, pair[at], kid=kid, out=out, reason=reason)
            return
        public_key = read_text(file, PUBLIC_KEY)
        for name, ops in holders(pair, of, at).items():
            known = {key["kid"]: key for key in ops.add_key(of, public_key, kid, reason)["keys"]}
            say(Text(f"The {name.label} takes this key of {of} from now on:", style="bold green"))
            print_key(known[kid] if kid else list(known.values())[-1])


@app.command()
def switch(*, kid: Kid, of: Of = None, reason: Why = "", at: At = None, data_dir: DataDir = DATA_DIR) -> None:
    """Make a back-up key the active one.

    A node signs with it from the next message on; the former key stays as
    back-up, until it is retired. A member of the registry of OCEN 4.0 waits
    until the registry has had the key for ten seconds.
    """
    _change(data_dir, kid, KeyStatus.ACTIVE, of=of, at=at, reason=reason)


@app.command()
def retire(*, kid: Kid, of: Of = None, reason: Why = "", at: At = None, data_dir: DataDir = DATA_DIR) -> None:
    """End a key that is no longer needed.

    If it was the active one, the back-up takes its place.
    """
    _change(data_dir, kid, KeyStatus.RETIRED, of=of, at=at, reason=reason)


@app.command()
def block(
    *,
    kid: Kid,
    reason: Annotated[str, typer.Option(help="Why; kept with the key.")],
    of: Of = None,
    at: At = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """End a key that others may have: for ever.

    No message that it signs is taken from now on. If it was the active one,
    the back-up takes its place.

    [cyan]ocen-sandbox keys block bank01-1 --of BANK01 --reason "laptop stolen"[/cyan]
    """
    _change(data_dir, kid, KeyStatus.BLOCKED, of=of, at=at, reason=reason)


def _change(data_dir: Path, kid: str, status: KeyStatus, *, of: str | None, at: NodeName | None, reason: str) -> None:
    """Change a counterparty's key wherever it is known, or without `of` a node's own: at one node, or the one it is."""
    folders = Folders(data_dir)
    with connected(folders) as pair:
        if of is None:
            node = holder_of_own_key(pair, kid, at)
            if status is KeyStatus.ACTIVE:
                _refuse_unless_known(pair, node, kid)
            _change_own(folders, node, pair[node], kid=kid, status=status, reason=reason)
            return
        for name, ops in holders(pair, of, at).items():
            details = ops.change_key(of, kid, status, reason)
            say(Text(f"Keys of {of} at the {name.label} now:", style="bold green"))
            print_counting(details["keys"], kid)


def _make_own(folders: Folders, node: NodeName, ops: OpsClient, *, kid: str, out: Path | None, reason: str) -> None:
    """Have a node make a key, tell the registry if the node is its member, and print what is next."""
    if out is not None and out.exists():
        raise SandboxError(f"{out} exists: name a new file for the public key")
    before = own_details(ops)
    with enrolled(folders, before["organisation_id"]) as enrolment:
        if enrolment is not None:
            enrolment.check_room_for_key(before["keys"])
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


def _refuse_unless_known(pair: Nodes, node: NodeName, kid: str) -> None:
    """Make sure that the nodes of the other role know a key; they would only refuse who signed with it."""
    own = pair[node].identity()["organisation_id"]
    for name, other in pair.items():
        theirs = next((known for known in other.participants() if known["organisation_id"] == own), None)
        if theirs is None or name.role is node.role:
            continue
        if not any(key["kid"] == kid and KeyStatus(key["status"]).counts for key in theirs["keys"]):
            hint = f"ocen-sandbox keys add --of {own} --kid {kid} --file PUBLIC_KEY"
            raise SandboxError(f"the {name.label} does not know key {kid}, and would refuse it: first `{hint}`")


def _change_own(folders: Folders, node: NodeName, ops: OpsClient, *, kid: str, status: KeyStatus, reason: str) -> None:
    """Change the status of a node's own key; the registry is told of a new key before, of an ended key afterwards."""
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
