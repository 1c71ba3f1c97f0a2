"""The commands, in the order of the help page."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from sandbox.cli import (
    applying,
    bench,
    certificates,
    clock,
    drill,
    envelopes,
    evidence,
    journal,
    keys,
    kit,
    lifecycle,
    onboarding,
    participants,
    peers,
    pki,
    registry,
    sending,
    show,
)

app = typer.Typer(
    name="ocen-sandbox",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)

registry.app.command()(peers.peers)
registry.app.command("dialect")(peers.set_dialect)

PAIR, MESSAGES, PARTIES, OFFLINE = "The pair", "Messages", "Participants", "Keys and envelopes"
COMMANDS: Mapping[str, Sequence[Callable[..., object]]] = {
    PAIR: (show.demo, lifecycle.up, lifecycle.status, lifecycle.down, clock.clock, bench.bench),
    MESSAGES: (applying.apply, sending.send, journal.messages, evidence.evidence, journal.sms, sending.redrive),
    PARTIES: (kit.kit, onboarding.onboard),
    OFFLINE: (envelopes.sign, envelopes.verify),
}
GROUPS = {PAIR: (drill,), PARTIES: (participants, registry, keys, certificates), OFFLINE: (pki,)}

for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
    for group in GROUPS.get(panel, ()):
        app.add_typer(group.app, name=group.__name__.rpartition(".")[2], rich_help_panel=panel)


def _print_version(asked: bool) -> None:
    if asked:
        try:
            typer.echo(f"ocen-sandbox {version('ocen-reference-pair')}")
        except PackageNotFoundError:
            typer.echo("ocen-sandbox, from a source folder that is not installed")
        raise typer.Exit


@app.callback()
def _program(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """An OCEN lender and LSP that call each other over mTLS, every message and ack signed.

    Begin with [bold]ocen-sandbox demo[/bold]: it makes keys and databases on the first run.
    """
