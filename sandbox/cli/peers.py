"""`registry peers`, `registry dialect`: how the peers of each node sign, which no registry tells."""

from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli import options
from sandbox.cli.registry import Id, id_of
from sandbox.cli.screen import say
from sandbox.holders import asked_of
from sandbox.running import connected
from sandbox.settings import Folders
from shared.protocol.participants import Dialect


def peers(*, at: options.At = None, data_dir: options.DataDir = options.DATA_DIR) -> None:
    """List whom each node has looked up.

    With the dialect in which it signs.
    """
    with connected(Folders(data_dir)) as pair:
        for name, ops in asked_of(pair, at).items():
            known = ops.peers()
            say(Text(f"The {name.label} knows{'' if known else ' nobody yet'}", style="bold"))
            for one in known:
                line = Text(f"  {one['participant_id']}", "bold cyan").append(f"  {one['dialect']}", "default")
                say(line.append(f"  {one['name']} {one['base_url']}".rstrip(), "default"))


def set_dialect(
    *,
    participant_id: Id,
    dialect: Annotated[Dialect, typer.Argument(help="How it signs; strict is as the documents say.")],
    at: options.At = None,
    data_dir: options.DataDir = options.DATA_DIR,
) -> None:
    """Settle how a peer signs.

    strict: RFC 7797 with crit; rfc: RFC 7515 Appendix F; authstarter: as the
    official starters do. It counts from the next message on.

    [cyan]ocen-sandbox registry dialect 7 authstarter --at lender[/cyan]
    """
    folders = Folders(data_dir)
    with connected(folders) as pair:
        peer = id_of(folders, participant_id)
        for name, ops in asked_of(pair, at).items():
            ops.set_peer(peer, dialect)
            say(f"For the {name.label}, participant {peer} signs as {dialect.value} from now on.")
