"""`demo`: the exchange as people watch it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli import options
from sandbox.cli.lifecycle import print_pair, run_until_interrupted, tell
from sandbox.cli.screen import FAILED, PASSED, data_option, say, shown
from sandbox.cli.stage import Stage
from sandbox.demo import Demo, DemoFailedError, Sms
from sandbox.following import Passage
from sandbox.ops_client import OpsClient
from sandbox.pair import StartedPair, started_pair
from sandbox.running import Run, connected, nodes_alive, read_run
from sandbox.settings import PAIR, Folders, NodeName, PairSettings
from sandbox.spoiled import Refusal, send_spoiled
from sandbox.supervisor import interrupted_by_signals
from shared.node.clock import SystemClock


@options.with_pair_settings
def demo(
    *,
    settings: PairSettings,
    leave: Annotated[bool, typer.Option("--exit", help="End the pair afterwards, if the demo has started it.")] = False,
    every_check: Annotated[
        bool, typer.Option("--every-check", help="Name the checks at every step, not only where they are new.")
    ] = False,
) -> int:
    """Show a loan acceptance end to end, and a refusal.

    Uses the pair that runs in the data folder, or starts one. Every arrow is
    a signed call over mTLS; the checks come from the journals of both nodes.
    Exit status 0: every step held; 1: one did not.

    [cyan]ocen-sandbox demo[/cyan]          the pair stays up until Ctrl-C
    [cyan]ocen-sandbox demo --exit[/cyan]   the pair ends with the demo
    """
    with interrupted_by_signals(), _some_pair(settings) as (run, started):
        with connected(settings.folders) as pair:
            held = play(settings.folders, run, pair, every_check=every_check)
        if started is not None and not leave:
            say("\nThe pair stays up until Ctrl-C.")
            run_until_interrupted(started)
    return 0 if held else 1


@contextmanager
def _some_pair(settings: PairSettings) -> Iterator[tuple[Run, StartedPair | None]]:
    """Use the pair that runs, or start one; a started one is returned too."""
    run = read_run(settings.folders)
    if run is not None and len(nodes_alive(settings.folders, run)) == len(PAIR):
        say(f"Using the pair that runs already, at {run.nodes[NodeName.LENDER].url}.\n", style="dim")
        yield run, None
        return
    with started_pair(settings, tell=tell) as pair:
        print_pair(pair)
        say()
        yield pair.run, pair


def play(folders: Folders, run: Run, pair: Mapping[NodeName, OpsClient], *, every_check: bool) -> bool:
    """Show the exchange and the refusal on a pair that runs; tell whether every step held."""
    stage = Stage(run, every_check=every_check)
    passages: list[Passage] = []
    try:
        stage.open("Loan acceptance: the borrower confirms by an OTP that the lender sends")
        for scene in Demo(pair).scenes():
            if isinstance(scene, Sms):
                stage.sms(scene)
            else:
                passages.append(scene)
                stage.passage(scene)
        refusal = send_spoiled(run, pair[NodeName.LENDER], SystemClock())
        stage.open("The same request, changed by somebody after the LSP has signed it")
        stage.refusal(refusal)
        _print_verdict(passages, refusal)
        _print_next(folders, passages[0].request_id, refusal.request_id)
        return refusal.is_right
    except DemoFailedError as failure:
        say(Text(f"\n{FAILED} {failure}", style="bold red"))
        say(f"\nSee `ocen-sandbox messages`, and the logs in {shown(folders.data / 'logs')}")
        return False


def _print_verdict(passages: list[Passage], refusal: Refusal) -> None:
    say()
    if not refusal.is_right:
        say(Text(f"{FAILED} The spoiled message was not refused as it has to be.", style="bold red"))
        return
    count = len(passages)
    checks = sum(len(step.checks) + len(step.ack_checks) for step in passages)
    took = (max(step.acked_at for step in passages) - passages[0].sent_at).total_seconds() * 1000
    say(Text(f"{PASSED} Every step held.", style="bold green"))
    say(
        f"  {count} messages and {count} acks, {2 * count} signatures, {checks} checks, {took:.0f} ms.\n"
        "  The message that was changed was refused, and left no trace but its refusal."
    )


def _print_next(folders: Folders, exchange: str, refusal: str) -> None:
    where = data_option(folders.data)
    commands = {
        f"messages {exchange}{where}": "the first exchange in full",
        f"messages {refusal}{where}": "the refusal in full",
        f"send TriggerLoanAcceptanceRequest{where}": "one more message",
        f"kit --org ACME --role LSP --out acme/{where}": "keys and clients for your own LSP",
    }
    say("\nNext, while the pair runs (ocen-sandbox up):")
    width = max(map(len, commands))
    for command, note in commands.items():
        line = Text(f"  ocen-sandbox {command:{width}}", style="cyan").append(f"  {note}", style="dim")
        say(line)
