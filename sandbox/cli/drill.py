"""`drill`: operations that must not interrupt the traffic, rehearsed on a pair of its own."""

import json
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sandbox.cli.screen import FAILED, PASSED, say, screen
from sandbox.drill.report import DrillReport, Key, Stretch
from sandbox.drill.rotation import run
from sandbox.supervisor import interrupted_by_signals

_INTRODUCTION = f"""\
The LSP sends requests, the lender acknowledges each and calls back, the LSP acknowledges that: four
signatures. Meanwhile their operators change keys and certificates, without a pause. Each column counts what
was signed with one key and accepted by the other side; {FAILED} marks what was refused.
"""

app = typer.Typer(help="Rehearse on a pair of its own what must not interrupt the traffic.", no_args_is_help=True)


@app.command()
def rotation(
    *,
    seconds: Annotated[float, typer.Option(min=10, max=3600, help="How long it lasts, about.")] = 30,
    rate: Annotated[float, typer.Option(min=1, max=50, help="Requests a second.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> int:
    """Change every key and certificate while requests go on; block a stolen key.

    Starts a pair of its own on free ports, with keys, databases and processes
    that are gone afterwards. Both sides change their signing keys, the LSP
    gets a new TLS certificate, and the lender blocks a key: nothing may be
    lost, and only what is blocked or removed may be refused.

    Exit status 0: so it was; 1: it was not.
    """
    if as_json:
        with interrupted_by_signals():
            report = run(seconds, rate, lambda _: None)
        typer.echo(json.dumps(report.as_dict(), indent=2))
        return 0 if report.holds else 1
    say("Starting a lender and an LSP of its own ...\n", style="dim")
    say(_INTRODUCTION)
    console = screen()
    with interrupted_by_signals(), Live(console=console, refresh_per_second=4) as live:
        report = run(seconds, rate, lambda report: live.update(_timeline(report)))
    if not console.is_terminal:
        say()  # there, `Live` leaves the line open
    _print_verdict(report)
    return 0 if report.holds else 1


def _timeline(report: DrillReport) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold cyan")
    table.add_column("\nsecond", justify="right", style="dim", header_style="dim")
    table.add_column("\nwhat happens", ratio=1, header_style="dim")
    keys = sorted(report.keys, key=lambda key: key.organisation_id, reverse=True)
    for key in keys:
        table.add_column(f"{key.organisation_id}\n{key.name}", justify="right", no_wrap=True)
    for stretch in report.stretches():
        cells = [_cell(stretch, key) for key in keys]
        table.add_row(f"{stretch.seconds:.1f}", stretch.event, *cells)
    under_way = report.sent - report.completed - len(report.lost)
    state = f"{report.sent} requests, {report.completed} complete, {under_way} under way"
    return Group(table, Text(f"\n{state}", style="dim"))


def _cell(stretch: Stretch, key: Key) -> Text:
    accepted, refused = stretch.accepted[key.kid], stretch.refused[key.kid]
    text = Text(str(accepted), style="green") if accepted else Text("" if refused else "·", style="dim")
    if refused:
        text = Text(f"{refused} {FAILED} ", style="bold red").append_text(text)
    return text


def _print_verdict(report: DrillReport) -> None:
    say("\nRefused, as it has to be:")
    for refusal in report.refusals:
        mark, style = (PASSED, "green") if refusal.is_right else (FAILED, "bold red")
        say(Text(f"  {mark} ", style=style).append(refusal.what, style="default"))
        say(f"      {refusal.answer}, {refusal.seconds * 1000:.0f} ms after the operator's order", style="dim")
    if report.repeated:
        say(f"\n{report.repeated} tries got no answer and were made again.", style="yellow")
    for refused in report.refused[:10]:
        say(f"  {FAILED} {refused}", style="bold red")
    counts = f"{report.sent} requests: {len(report.lost)} lost, {len(report.refused)} refused that should not be."
    say()
    say(Text(f"{PASSED if report.holds else FAILED} {counts}", style="bold green" if report.holds else "bold red"))
