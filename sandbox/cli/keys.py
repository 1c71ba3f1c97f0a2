"""`keys`: signing keys of the nodes, and verification keys of their counterparties: add, switch, block, retire."""

from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from sandbox.cli import options
from sandbox.cli.inputs import PUBLIC_KEY, read_text
from sandbox.cli.own_keys import Owner, change_own, make_own, refuse_unless_known
from sandbox.cli.participants import print_counting, print_key
from sandbox.cli.screen import say
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
            own = f"Own keys of the {name.kind} {details['organisation_id']}"
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
        if of is not None and file is not None:
            _add_theirs(holders(pair, of, at), of, read_text(file, PUBLIC_KEY), kid, reason)
        elif at is not None:
            make_own(Owner(folders, at, pair[at]), kid, out, reason)


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
    back-up, until it is retired. A member of the registry of OCEN 4.0 waits
    until the registry has had the key for ten seconds.
    """
    folders = Folders(data_dir)
    with connected(folders) as pair:
        if of is None:
            refuse_unless_known(pair, holder_of_own_key(pair, kid, at), kid)
        _change(folders, pair, kid, KeyStatus.ACTIVE, whose=_Whose(of, at), reason=reason)


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
    folders = Folders(data_dir)
    with connected(folders) as pair:
        _change(folders, pair, kid, KeyStatus.RETIRED, whose=_Whose(of, at), reason=reason)


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
    folders = Folders(data_dir)
    with connected(folders) as pair:
        _change(folders, pair, kid, KeyStatus.BLOCKED, whose=_Whose(of, at), reason=reason)


def _add_theirs(nodes: Nodes, organisation_id: str, public_key: str, kid: str, reason: str) -> None:
    for name, ops in nodes.items():
        known = {key["kid"]: key for key in ops.add_key(organisation_id, public_key, kid, reason)["keys"]}
        say(Text(f"The {name.label} takes this key of {organisation_id} from now on:", style="bold green"))
        print_key(known[kid] if kid else list(known.values())[-1])


def _change(folders: Folders, pair: Nodes, kid: str, status: KeyStatus, *, whose: _Whose, reason: str) -> None:
    if whose.of is None:
        node = holder_of_own_key(pair, kid, whose.at)
        change_own(Owner(folders, node, pair[node]), kid, status, reason)
        return
    for name, ops in holders(pair, whose.of, whose.at).items():
        details = ops.change_key(whose.of, kid, status, reason)
        say(Text(f"Keys of {whose.of} at the {name.label} now:", style="bold green"))
        print_counting(details["keys"], kid)
