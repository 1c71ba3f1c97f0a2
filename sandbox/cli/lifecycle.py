"""`up`, `down`: start the pair, end it."""

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli.options import DATA_DIR, DataDir
from sandbox.cli.pair_options import with_pair_settings
from sandbox.cli.screen import data_option, facts, listing, say, shown, tell
from sandbox.following import Record
from sandbox.network import read_membership
from sandbox.ops_client import OpsClient
from sandbox.pair import StartedPair, end_pair, started_pair
from sandbox.pair_settings import LOOPBACK_NAMES, PairSettings
from sandbox.registry_ops import NETWORK, PRODUCT
from sandbox.running import Run, connected
from sandbox.settings import Folders, NodeName
from sandbox.supervisor import interrupted_by_signals
from shared.clock import SystemClock


@with_pair_settings
def up(
    *,
    settings: PairSettings,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when the pair is ready; end it with `down`.")
    ] = False,
) -> None:
    """Start the lender and the LSP, until Ctrl-C.

    The first run makes keys, certificates and databases; later runs find
    them. Every option may be given by its environment variable. With
    --version v4 the registry of OCEN 4.0 runs too, and the nodes are its
    members; they speak v3 as well.

    [cyan]ocen-sandbox up[/cyan]                               lender at 8444, LSP at 8445
    [cyan]ocen-sandbox up --version v4 --lenders 3[/cyan]      registry at 8443, two more lenders
    [cyan]ocen-sandbox up --detach --base-port 18444[/cyan]    in the background, other ports
    [cyan]ocen-sandbox up --host sandbox.bank.example[/cyan]   for callers from elsewhere
    """
    with interrupted_by_signals(), started_pair(settings, detached=detach, tell=tell) as pair:
        print_pair(pair)
        where = data_option(settings.folders.data)
        if detach:
            say(f"\nThe pair runs in the background; end it with: ocen-sandbox down{where}")
            return
        v4 = " --version v4" if pair.run.speaks_v4 else ""
        say(f"\nCtrl-C ends the pair. In another terminal, try: ocen-sandbox demo{v4}{where}")
        run_until_interrupted(pair)
    say("The pair has ended.")


def run_until_interrupted(pair: StartedPair) -> None:
    """Wait for Ctrl-C or `down`."""
    try:
        pair.watch()
    except KeyboardInterrupt:
        say("\nEnding the pair ...", style="dim")


def print_pair(pair: StartedPair) -> None:
    """Print where the pair is, who it is, and where its files are."""
    folders = pair.settings.folders
    what = "network" if pair.run.speaks_v4 else "pair"
    say(f"The {what} is ready.\n", style="bold green")
    if pair.run.speaks_v4:
        _print_registry(pair.run)
    with connected(folders) as nodes:
        for name, ops in nodes.items():
            _print_node(name, pair.run, ops.identity())
        unreachable = [] if pair.settings.is_local else _only_from_loopback(pair.run, nodes)
    rows = [("keys and certificates", shown(folders.certs)), ("databases, logs, ops token", shown(folders.data))]
    say(facts(rows))
    if unreachable:
        who = " and ".join(unreachable)
        hint = "`ocen-sandbox participants set ORG --no-judge-addresses`"
        line = f"\nThe nodes let {who} call from loopback only: {hint}, or calls over {pair.settings.host} are refused."
        say(line, style="yellow")


def _only_from_loopback(run: Run, nodes: Mapping[NodeName, OpsClient]) -> list[str]:
    """Return the organisations of the pair whose calls from any other address would be refused."""
    ours = {node.organisation_id for node in run.nodes.values()}
    known = (participant for ops in nodes.values() for participant in ops.participants())
    addresses = ((participant["organisation_id"], participant["ip_addresses"]) for participant in known)
    return [id_ for id_, allowed in addresses if allowed and LOOPBACK_NAMES.issuperset(allowed) and id_ in ours]


def down(data_dir: DataDir = DATA_DIR) -> None:
    """End the pair.

    Nothing happens if none runs in the data folder. Only processes that `up`
    has started are ended, and only if they still are what they were.
    """
    folders = Folders(data_dir)
    ended = end_pair(folders, SystemClock())
    if ended.nodes:
        say(f"Ended: {listing([f'the {name.label}' for name in ended.nodes])}.")
    else:
        say(f"Nothing runs in {shown(data_dir)}.")
    for name, pid in ended.left_alone.items():
        say(f"Process {pid}, once the {name.label}, does not answer as it now and is left alone.")


def _print_node(name: NodeName, run: Run, identity: Record) -> None:
    node, reserve = run.nodes[name], ", ".join(identity["backup_kids"])
    title = Text(node.organisation_id, style="bold cyan").append(f"  {name.kind} at ", "default")
    rows = [
        ("ops plane", f"{node.ops_url}/docs"),
        ("signs with", f"{identity['kid']}, in reserve {reserve or 'no key'}"),
        ("process", f"{node.pid}, log {shown(node.log)}"),
    ]
    if run.speaks_v4:
        member = read_membership(run.certs / node.organisation_id)
        rows.insert(0, ("in OCEN 4.0", f"participant {member.participant_id}, client {member.client_id}"))
    say(title.append(node.url, style="bold"))
    say(facts(rows, indent=2))
    say()


def _print_registry(run: Run) -> None:
    registry = run.nodes[NodeName.REGISTRY]
    member = read_membership(run.certs / run.nodes[NodeName.LSP].organisation_id)
    rows = [
        ("product", f"{member.product_id}, {PRODUCT}"),
        ("network", f"{member.product_network_id}, {NETWORK}, with all nodes below as members"),
        ("ops plane", f"{registry.ops_url}/docs"),
        ("process", f"{registry.pid}, log {shown(registry.log)}"),
    ]
    say(Text("Registry", style="bold cyan").append("  of OCEN 4.0 at ", "default").append(registry.url, style="bold"))
    say(facts(rows, indent=2))
    say()
