"""`registry peers`, `registry dialect`: how the peers of each node sign, which no registry tells."""

from typing import Annotated, Literal

import typer
from rich.text import Text

from sandbox.cli.members import id_of
from sandbox.cli.options import DATA_DIR, At, DataDir, DialectChoice, Id
from sandbox.cli.screen import say
from sandbox.errors import SandboxError
from sandbox.holders import chosen_nodes
from sandbox.running import connected, connected_registry
from sandbox.settings import Folders
from shared.node.settings import dialect_named


def peers(*, at: At = None, data_dir: DataDir = DATA_DIR) -> None:
    """List whom each node has looked up.

    With the dialect in which it signs.
    """
    folders = Folders(data_dir)
    with connected_registry(folders), connected(folders) as pair:
        for name, ops in chosen_nodes(pair, at).items():
            known = ops.peers()
            say(Text(f"The {name.label} knows{'' if known else ' nobody yet'}", style="bold"))
            for peer in known:
                line = Text(f"  {peer['participant_id']}", "bold cyan").append(f"  {peer['dialect']}", "default")
                who = f"{peer['name']} {peer['base_url']}".strip() or "set at this node, not looked up"
                say(line.append(f"  {who}", "default"))


def set_dialect(
    *,
    participant_id: Id,
    dialect: Annotated[
        Literal[DialectChoice, "default"],
        typer.Argument(metavar="DIALECT", help="How it signs; rfc, of former releases, is taken for strict."),
    ],
    at: At = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Settle how a peer signs.

    strict: as the documents say; authstarter: as the official starters do;
    default: take back what was settled so. It counts from the next message on.

    [cyan]ocen-sandbox registry dialect 7 authstarter --at lender[/cyan]
    [cyan]ocen-sandbox registry dialect 7 default[/cyan]
    """
    folders = Folders(data_dir)
    with connected_registry(folders), connected(folders) as pair:
        peer, asked = id_of(folders, participant_id), chosen_nodes(pair, at)
        if dialect == "default":
            answers = {name: ops.unset_peer(peer) for name, ops in asked.items()}
            if not any(answers.values()):
                raise SandboxError(f"nothing was settled about participant {peer}: see `ocen-sandbox registry peers`")
            for name, now in answers.items():
                if now is not None:
                    told = f"participant {peer} is dealt with by default again, as {now['dialect']}"
                    say(f"For the {name.label}, {told}.")
            return
        settled = dialect_named(dialect)
        for name, ops in asked.items():
            ops.set_peer(peer, settled)
            say(f"For the {name.label}, participant {peer} is dealt with as {settled} from now on.")
