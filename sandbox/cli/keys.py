"""`keys`: signing keys of the nodes, and verification keys of their counterparties: add, switch, block, retire."""

from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from sandbox.cli import options
from sandbox.cli.inputs import read_text
from sandbox.cli.participants import print_key
from sandbox.cli.screen import say, shown
from sandbox.errors import SandboxError
from sandbox.holders import Nodes, asked_of, holder_of_own_key, holders, own_details, remembering
from sandbox.running import connected
from sandbox.settings import Folders, NodeName
from shared.protocol.participants import KeyStatus

app = typer.Typer(help="Signing keys: list, add, switch, block, retire.", no_args_is_help=True)

Of = Annotated[str | None, typer.Option("--of", metavar="ORG", help="A counterparty's.", show_default="the nodes' own")]
Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's id, as `keys list` shows it.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the key.")]


class _Whose(NamedTuple):
    """Whose key is meant: a counterparty's, or a node's own where `of` is None; at one node, or wherever it is."""

    of: str | None
    at: NodeName | None


@app.command("list")
def list_keys(*, of: Of = None, at: options.At = None, data_dir: options.DataDir = options.DATA_DIR) -> None:
    """List keys with their history.

    The nodes' own, or with --of those of a counterparty; ended ones too.

    [cyan]ocen-sandbox keys list[/cyan]
    [cyan]ocen-sandbox keys list --of BANK01[/cyan]
    """
    with connected(Folders(data_dir)) as pair:
        if of is not None:
            known = remembering(pair, of, at)
        else:
            known = {name: own_details(ops) for name, ops in asked_of(pair, at).items()}
        for name, details in known.items():
            own = f"Own keys of the {name.label} {details['organisation_id']}"
            say(Text(own if of is None else f"Keys of {of}, at the {name.label}", style="bold"))
            for key in details["keys"]:
                print_key(key)


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
    at: options.At = None,
    data_dir: options.DataDir = options.DATA_DIR,
) -> None:
    """Add a key, as back-up.

    With --of: a counterparty's, at every node that knows it. Without: the
    node that --at names makes one of its own. Two keys count at a time.

    [cyan]ocen-sandbox keys add --at lender --out new.pub.pem[/cyan]
    [cyan]ocen-sandbox keys add --of BANK01 --file new.pub.pem --kid bank01-3[/cyan]
    """
    if of is None and file is not None:
        raise SandboxError("whose key is it? Say --of ORG; a node makes its own keys itself")
    if of is not None and file is None:
        raise SandboxError(f"no key: give {of}'s public key with --file")
    if of is None and at is None:
        raise SandboxError("which node is to make a key? Say --at lender or --at lsp; --of ORG adds a counterparty's")
    with connected(Folders(data_dir)) as pair:
        if of is not None and file is not None:
            _add_theirs(holders(pair, of, at), of, read_text(file), kid, reason)
        elif at is not None:
            _make_own(pair, at, kid, out, reason)


@app.command()
def switch(
    *,
    kid: Kid,
    of: Of = None,
    reason: Why = "",
    at: options.At = None,
    data_dir: options.DataDir = options.DATA_DIR,
) -> None:
    """Make a back-up key the active one.

    A node signs with it from the next message on; the former key stays as
    back-up, until it is retired.
    """
    with connected(Folders(data_dir)) as pair:
        if of is None:
            _refuse_unless_known(pair, holder_of_own_key(pair, kid, at), kid)
        _change(pair, kid, KeyStatus.ACTIVE, reason, _Whose(of, at))


@app.command()
def retire(
    *,
    kid: Kid,
    of: Of = None,
    reason: Why = "",
    at: options.At = None,
    data_dir: options.DataDir = options.DATA_DIR,
) -> None:
    """End a key that is no longer needed.

    If it was the active one, the back-up takes its place.
    """
    with connected(Folders(data_dir)) as pair:
        _change(pair, kid, KeyStatus.RETIRED, reason, _Whose(of, at))


@app.command()
def block(
    *,
    kid: Kid,
    reason: Annotated[str, typer.Option(help="Why; kept with the key.")],
    of: Of = None,
    at: options.At = None,
    data_dir: options.DataDir = options.DATA_DIR,
) -> None:
    """End a key that others may have: for ever.

    No message that it signs is taken from now on. If it was the active one,
    the back-up takes its place.

    [cyan]ocen-sandbox keys block bank01-1 --of BANK01 --reason "laptop stolen"[/cyan]
    """
    with connected(Folders(data_dir)) as pair:
        _change(pair, kid, KeyStatus.BLOCKED, reason, _Whose(of, at))


def _add_theirs(nodes: Nodes, organisation_id: str, public_key: str, kid: str, reason: str) -> None:
    for name, ops in nodes.items():
        known = {key["kid"]: key for key in ops.add_key(organisation_id, public_key, kid, reason)["keys"]}
        say(Text(f"The {name.label} takes this key of {organisation_id} from now on:", style="bold green"))
        print_key(known[kid] if kid else list(known.values())[-1])


def _make_own(pair: Nodes, node: NodeName, kid: str, out: Path | None, reason: str) -> None:
    if out is not None and out.exists():
        raise SandboxError(f"{out} exists: name a new file for the public key")
    ops = pair[node]
    made = ops.make_key(kid or None, reason)["kid"]
    details = own_details(ops)
    public_key = next(key["pem"] for key in details["keys"] if key["kid"] == made)
    organisation_id = details["organisation_id"]
    say(Text(f"The {node.label} has made a key, and keeps it as back-up: ", "bold green").append(made, "bold"))
    if out is None:
        typer.echo(public_key, nl=False)
    else:
        out.write_text(public_key, "utf-8")
        say(f"Its public half is in {shown(out)}.")
    file = shown(out) if out else "FILE"
    say("\nCounterparties have to know it before the node signs with it:")
    say(f"  ocen-sandbox keys add --of {organisation_id} --file {file} --kid {made}")
    say(f"  ocen-sandbox keys switch {made}")


def _refuse_unless_known(pair: Nodes, node: NodeName, kid: str) -> None:
    """A node that signed with a key which the nodes of the other role do not know would only be refused."""
    own = pair[node].identity()["organisation_id"]
    for name, other in pair.items():
        theirs = next((one for one in other.participants() if one["organisation_id"] == own), None)
        if theirs is None or name.role is node.role:
            continue
        if not any(key["kid"] == kid and KeyStatus(key["status"]).counts for key in theirs["keys"]):
            mend = f"ocen-sandbox keys add --of {own} --kid {kid} --file PUBLIC_KEY"
            raise SandboxError(f"the {name.label} does not know key {kid}, and would refuse it: first `{mend}`")


def _change(pair: Nodes, kid: str, status: KeyStatus, reason: str, whose: _Whose) -> None:
    if whose.of is None:
        _change_own(pair, holder_of_own_key(pair, kid, whose.at), kid, status, reason)
        return
    for name, ops in holders(pair, whose.of, whose.at).items():
        details = ops.change_key(whose.of, kid, status, reason)
        say(Text(f"Keys of {whose.of} at the {name.label} now:", style="bold green"))
        _print_counting(details["keys"], kid)


def _change_own(pair: Nodes, node: NodeName, kid: str, status: KeyStatus, reason: str) -> None:
    organisation_id = pair[node].identity()["organisation_id"]
    details = pair[node].change_key(organisation_id, kid, status, reason)
    say(Text(f"Own keys of the {node.label} now:", style="bold green"))
    _print_counting(details["keys"], kid)
    if status is KeyStatus.BLOCKED:
        say(f"\nCounterparties have to block it too: ocen-sandbox keys block {kid} --of {organisation_id} --reason WHY")
    elif status is KeyStatus.RETIRED:
        say(f"\nCounterparties may retire it too: ocen-sandbox keys retire {kid} --of {organisation_id}")


def _print_counting(keys: list[dict[str, object]], kid: str) -> None:
    for key in keys:
        if key["kid"] == kid or KeyStatus(str(key["status"])).counts:
            print_key(key)
