"""`bench`: how fast signed exchanges go on this machine, beside what RSA alone would allow."""

import json
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sandbox.bench import BenchPlan, Report, run
from sandbox.cli.screen import screen
from sandbox.settings import PAIR, OcenVersion


def bench(
    *,
    exchanges: Annotated[int, typer.Option(min=100, max=1_000_000, help="Exchanges in each round.")] = 1500,
    concurrency: Annotated[int, typer.Option(min=1, max=512, help="Exchanges kept in flight.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Rounds; the medians of the rounds count.")] = 5,
    version: Annotated[
        OcenVersion, typer.Option(help="The OCEN version to speak; for v4 a registry runs beside the pair.")
    ] = OcenVersion.V3,
    database_url: Annotated[
        str | None,
        typer.Option(
            help="Databases, with {node} where lender or lsp goes: postgresql://ocen@localhost/ocen_{node}. "
            "They have to be empty.",
            show_default="SQLite in a folder of its own",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> int:
    """Measure exchanges per second of a pair of its own, started on free ports and ended again.

    An exchange is a request, its ack, the callback and its ack: 4 signatures and
    4 verifications over mutual TLS, and durable on both sides. This machine's RSA
    limit is measured between the rounds; the ratio to it is what counts, because
    absolute figures say more of the machine than of the pair.
    """
    urls = {name: database_url.replace("{node}", name) for name in PAIR} if database_url else {}
    plan = BenchPlan(exchanges, concurrency, rounds, urls, version)
    columns = (TextColumn("exchanges"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen(stderr=True), transient=True) as bar:
        task = bar.add_task("exchanges", total=exchanges * rounds)
        report = run(plan, lambda done: bar.update(task, completed=done))
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        _print(report)
    return 0


def _print(report: Report) -> None:
    console = screen()
    size = "{version}: {rounds} rounds of {exchanges} exchanges, {concurrency} in flight, {cores} cores".format(
        **report
    )
    console.print(f"OCEN {size}\n")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    limit = "if 4 signatures and 4 verifications were all"
    table.add_row("exchanges a second", f"{report['exchanges_per_s']:,.1f}", "median of the rounds")
    table.add_row("RSA limit of this machine", f"{report['rsa_limit_per_s']:,.1f}", limit)
    table.add_row("ratio to the limit", f"{report['ratio']:.2f}", "")
    table.add_row("CPU time in RSA", f"{report['rsa_cpu_share']:.0%}", "of both processes")
    table.add_row("CPU time per exchange", f"{report['cpu_ms_per_exchange']:.2f} ms", "both processes")
    for name, cuts in (("ack after", report["ack_ms"]), ("callback after", report["callback_ms"])):
        table.add_row(name, f"{cuts['p50']:.1f} ms", f"median; p95 {cuts['p95']:.1f} ms, p99 {cuts['p99']:.1f} ms")
    console.print(table)
