"""The commands, in the order of the help page."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from sandbox.cli import (
    bench,
    certificates,
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

PAIR, MESSAGES, PARTIES, OFFLINE = "The pair", "Messages", "Participants", "Keys and envelopes"

app.command(rich_help_panel=PAIR)(show.demo)
app.command(rich_help_panel=PAIR)(lifecycle.up)
app.command(rich_help_panel=PAIR)(lifecycle.status)
app.command(rich_help_panel=PAIR)(lifecycle.down)
app.command(rich_help_panel=PAIR)(bench.bench)
app.add_typer(drill.app, name="drill", rich_help_panel=PAIR)
app.command(rich_help_panel=MESSAGES)(sending.send)
app.command(rich_help_panel=MESSAGES)(journal.messages)
app.command(rich_help_panel=MESSAGES)(evidence.evidence)
app.command(rich_help_panel=MESSAGES)(journal.sms)
app.command(rich_help_panel=MESSAGES)(sending.redrive)
app.command(rich_help_panel=PARTIES)(kit.kit)
app.command(rich_help_panel=PARTIES)(onboarding.onboard)
app.add_typer(participants.app, name="participants", rich_help_panel=PARTIES)
registry.app.command()(peers.peers)
registry.app.command("dialect")(peers.set_dialect)
app.add_typer(registry.app, name="registry", rich_help_panel=PARTIES)
app.add_typer(keys.app, name="keys", rich_help_panel=PARTIES)
app.add_typer(certificates.app, name="certificates", rich_help_panel=PARTIES)
app.command(rich_help_panel=OFFLINE)(envelopes.sign)
app.command(rich_help_panel=OFFLINE)(envelopes.verify)
app.add_typer(pki.app, name="pki", rich_help_panel=OFFLINE)


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
