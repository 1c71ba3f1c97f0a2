"""`up`, `down`, `status`: start the pair, end it, look whether it runs."""

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sandbox.cli import options
from sandbox.cli.screen import facts, screen, shown
from sandbox.ops_client import OpsClient
from sandbox.pair import StartedPair, end_pair, started_pair
from sandbox.running import Run, connect, nodes_alive, ops_token, read_run
from sandbox.settings import Folders, NodeName, PairSettings
from sandbox.supervisor import interrupted_by_signals
from shared.node.clock import SystemClock


@options.with_pair_settings
def up(
    *,
    settings: PairSettings,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when the pair is ready; end it with `down`.")
    ] = False,
) -> None:
    """Start the lender and the LSP, until Ctrl-C.

    The first run makes keys, certificates and databases; later runs find them.

    [dim]ocen-sandbox up                                  [/dim]lender at 8444, LSP at 8445
    [dim]ocen-sandbox up --detach --base-port 18444       [/dim]in the background, on other ports
    [dim]ocen-sandbox up --host sandbox.bank.example      [/dim]for callers from other machines
    """
    console = screen()
    with interrupted_by_signals():
        console.print("Starting the lender and the LSP ...", style="dim")
        with started_pair(settings, detached=detach) as pair:
            print_pair(pair)
            if detach:
                console.print("\nThe pair runs in the background; end it with: ocen-sandbox down")
                return
            console.print("\nCtrl-C ends the pair. In another terminal, try: ocen-sandbox demo")
            run_until_interrupted(pair)
    console.print("The pair has ended.")


def run_until_interrupted(pair: StartedPair) -> None:
    """Wait for Ctrl-C or `down`."""
    try:
        pair.watch()
    except KeyboardInterrupt:
        screen().print("\nEnding the pair ...", style="dim")


def print_pair(pair: StartedPair) -> None:
    """Print where the pair is, who it is, and where its files are."""
    folders = pair.settings.folders
    console = screen()
    console.print("The pair is ready.\n", style="bold green")
    for name, ops in connect(folders).items():
        with ops:
            identity = ops.identity()
        _print_node(name, pair.run, identity)
    rows = [
        ("keys", f"{shown(folders.certs)}  (participants.json, ca.pem, a folder for each organisation)"),
        ("data", f"{shown(folders.data)}  (databases, logs, ops-token)"),
    ]
    console.print(facts(rows))


def down(data_dir: options.DataDir = options.DATA_DIR) -> None:
    """End the pair that runs in this data folder; nothing happens if none does.

    Only the processes that `up` started are ended, and only if they still are what they were.
    """
    console, folders = screen(), Folders(data_dir)
    ended = end_pair(folders, SystemClock())
    if ended.nodes:
        console.print(f"Ended: {' and '.join(f'the {name.label}' for name in ended.nodes)}.")
    else:
        console.print(f"Nothing runs in {shown(data_dir)}.")
    for name, pid in ended.left_alone.items():
        console.print(f"Process {pid}, once the {name.label}, does not answer as it now and is left alone.")


def status(data_dir: options.DataDir = options.DATA_DIR) -> int:
    """Tell whether the pair runs, and where. Exit status 0: both nodes are ready; 1: not so."""
    folders = Folders(data_dir)
    run = read_run(folders)
    alive = nodes_alive(folders, run)
    if run is None or not alive:
        screen().print(f"Nothing runs in {shown(data_dir)}; start the pair with: ocen-sandbox up")
        return 1
    token, ready = ops_token(folders), {}
    for name, node in alive.items():
        with OpsClient(name.label, node.ops_url, token) as ops:
            ready[name] = ops.is_ready()
    _print_status(run, ready)
    return 0 if len(ready) == len(NodeName) and all(ready.values()) else 1


def _print_node(name: NodeName, run: Run, identity: Mapping[str, object]) -> None:
    node = run.nodes[name]
    backup = identity.get("backup_kids")
    rows = [
        ("base URL", Text(node.url, style="bold")),
        ("ops plane", f"{node.ops_url}/docs"),
        ("kid", f"{identity['kid']}"),
        ("backup kid", ", ".join(backup) if isinstance(backup, list) and backup else "none"),
        ("process", f"{node.pid}, log {shown(node.log)}"),
    ]
    console = screen()
    console.print(Text(f"{name.label} ", style="bold").append(node.organisation_id, style="bold cyan"))
    console.print(facts(rows))
    console.print()


def _print_status(run: Run, ready: Mapping[NodeName, bool]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("node", "organisation", "state", "base URL", "ops plane", "pid"):
        table.add_column(title, overflow="fold")
    for name, node in run.nodes.items():
        state = {True: Text("ready", "green"), False: Text("not ready", "yellow")}.get(ready.get(name, None))
        row = (name.label, node.organisation_id, state or Text("not running", "red"), node.url, node.ops_url)
        table.add_row(*row, str(node.pid) if name in ready else "")
    console = screen()
    console.print(table)
    how = "in the background" if run.supervisor is None else f"with process {run.supervisor}"
    console.print(f"since {run.started_at:%Y-%m-%d %H:%M:%S} UTC, {how}", style="dim")
