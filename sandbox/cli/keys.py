"""`keys`: signing keys of the nodes, and verification keys of their counterparties: add, switch, block, retire."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli.inputs import PUBLIC_KEY, read_text
from sandbox.cli.options import DATA_DIR, At, DataDir, Of, Why
from sandbox.cli.own_keys import change_own, make_own, refuse_unless_known
from sandbox.cli.participants import print_counting, print_key, print_listed
from sandbox.cli.screen import say
from sandbox.errors import SandboxError
from sandbox.holders import holder_of_own_key, holders
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
            make_own(folders, at, pair[at], kid=kid, out=out, reason=reason)
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
                refuse_unless_known(pair, node, kid)
            change_own(folders, node, pair[node], kid=kid, status=status, reason=reason)
            return
        for name, ops in holders(pair, of, at).items():
            details = ops.change_key(of, kid, status, reason)
            say(Text(f"Keys of {of} at the {name.label} now:", style="bold green"))
            print_counting(details["keys"], kid)
