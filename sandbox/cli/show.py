"""`demo`: the exchange as people watch it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli import options
from sandbox.cli.acts import Played, played
from sandbox.cli.lifecycle import print_pair, run_until_interrupted
from sandbox.cli.screen import FAILED, PASSED, data_option, say, shown, tell
from sandbox.demo import SCRIPTS, DemoFailedError, Script
from sandbox.errors import SandboxError
from sandbox.pair import StartedPair, started_pair
from sandbox.running import Run, nodes_alive, read_run
from sandbox.settings import Folders, NodeName, OcenVersion, PairSettings
from sandbox.supervisor import interrupted_by_signals


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
    With --version v4: token, look-up, loan application, acceptance, heartbeat.
    Exit status 0: every step held; 1: one did not.

    [cyan]ocen-sandbox demo[/cyan]                          the pair stays up until Ctrl-C
    [cyan]ocen-sandbox demo --exit[/cyan]                   the pair ends with the demo
    [cyan]ocen-sandbox demo --version v4 --lenders 3[/cyan] OCEN 4.0, with three lenders
    """
    with interrupted_by_signals(), _some_pair(settings) as (run, started):
        held = play(settings, run, every_check=every_check)
        if started is not None and not leave:
            say("\nThe pair stays up until Ctrl-C.")
            run_until_interrupted(started)
    return 0 if held else 1


@contextmanager
def _some_pair(settings: PairSettings) -> Iterator[tuple[Run, StartedPair | None]]:
    """Use the pair that runs, or start one; a started one is returned too.

    Raises:
        SandboxError: the pair that runs does not speak what is to be shown.
    """
    run = read_run(settings.folders)
    if run is not None and nodes_alive(settings.folders, run).keys() == run.nodes.keys():
        if settings.version is OcenVersion.V4 and not run.speaks_v4:
            raise SandboxError("the pair that runs speaks v3 alone: `ocen-sandbox down`, then this command again")
        say(f"Using the pair that runs already, at {run.nodes[NodeName.LENDER].url}.\n", style="dim")
        yield run, None
        return
    with started_pair(settings, tell=tell) as pair:
        print_pair(pair)
        say()
        yield pair.run, pair


def play(settings: PairSettings, run: Run, *, every_check: bool) -> bool:
    """Show the exchange and the refusal on a pair that runs; tell whether every step held."""
    script = SCRIPTS[settings.version]
    try:
        shown_all = played(settings.folders, run, script, every_check=every_check)
    except DemoFailedError as failure:
        say(Text(f"\n{FAILED} {failure}", style="bold red"))
        say(f"\nSee `ocen-sandbox messages`, and the logs in {shown(settings.folders.data / 'logs')}")
        return False
    _print_verdict(shown_all)
    _print_next(settings.folders, run, script, shown_all)
    return shown_all.refusal.is_right


def _print_verdict(played: Played) -> None:
    say()
    if not played.refusal.is_right:
        say(Text(f"{FAILED} The spoiled message was not refused as it has to be.", style="bold red"))
        return
    passages, count = played.passages, len(played.passages)
    checks = sum(len(step.checks) + len(step.ack_checks) for step in passages)
    took = (max(step.acked_at for step in passages) - passages[0].sent_at).total_seconds() * 1000
    say(Text(f"{PASSED} Every step held.", style="bold green"))
    say(
        f"  {count} messages and {count} acks, {2 * count} signatures, {checks} checks, {took:.0f} ms.\n"
        "  The message that was changed was refused, and left no trace but its refusal."
    )


def _print_next(folders: Folders, run: Run, script: Script, played: Played) -> None:
    commands = {
        f"messages {played.passages[0].request_id}": "the first exchange in full",
        f"messages {played.refusal.request_id}": "the refusal in full",
        f"send {script.key(script.spoiled)}": "one more message",
        **script.next_commands,
    }
    where = data_option(folders.data)
    what = "network" if run.speaks_v4 else "pair"
    say(f"\nNext, while the {what} runs ({run.command}{where}):")
    width = max(map(len, commands)) + len(where)
    for command, note in commands.items():
        line = Text(f"  ocen-sandbox {command + where:{width}}", style="cyan").append(f"  {note}", style="dim")
        say(line)
