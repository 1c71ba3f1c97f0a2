"""The commands, in the order of the help page. A command's module is imported when the command is called."""

import functools
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand
from typer.main import get_command, get_group

PAIR, MESSAGES, PARTIES, OFFLINE = "The pair", "Messages", "Participants", "Keys and envelopes"

COMMANDS: Final[Mapping[str, tuple[str | None, str, str]]] = {
    "demo": (PAIR, "show.demo", "Show a loan acceptance end to end, and a refusal."),
    "up": (PAIR, "lifecycle.up", "Start the lender and the LSP, until Ctrl-C."),
    "status": (PAIR, "status.status", "Tell whether the pair runs, and where."),
    "down": (PAIR, "lifecycle.down", "End the pair."),
    "clock": (PAIR, "clock.clock", "Show business time, or set it forward on every node."),
    "bench": (
        PAIR,
        "bench.bench",
        "Measure exchanges per second of a pair of its own, started on free ports and ended again.",
    ),
    "drill": (PAIR, "drill.app", "Rehearse on a pair of its own what must not interrupt the traffic."),
    "apply": (MESSAGES, "applying.apply", "Apply for a loan, and see which offers come."),
    "send": (MESSAGES, "sending.send", "Send a message, and show what becomes of it."),
    "messages": (MESSAGES, "journal.messages", "List messages, or show one request in full."),
    "evidence": (MESSAGES, "evidence.evidence", "Write the evidence of a request to a zip file."),
    "sms": (MESSAGES, "journal.sms", "Show the lender's SMS inbox."),
    "redrive": (MESSAGES, "sending.redrive", "Try a delivery again that was given up."),
    "kit": (PARTIES, "kit.kit", "Make a starter kit, and onboard it."),
    "onboard": (PARTIES, "onboarding.onboard", "Onboard a lender or LSP by its form."),
    "participants": (PARTIES, "participants.app", "Whom each node knows: show, change, offboard."),
    "participants form": (None, "onboarding.own_form", "Hand out a node's own form."),
    "registry": (PARTIES, "registry.app", "The network of OCEN 4.0: who takes part, and what they report."),
    "registry peers": (None, "peers.peers", "List whom each node has looked up."),
    "registry dialect": (None, "peers.set_dialect", "Settle how a peer signs."),
    "keys": (PARTIES, "keys.app", "Signing keys: list, add, switch, block, retire."),
    "certificates": (PARTIES, "certificates.app", "TLS certificates: list, add, remove, renew."),
    "sign": (OFFLINE, "envelopes.sign", "Sign a payload and print the envelope, or in v4 the HTTP header Signature."),
    "verify": (OFFLINE, "envelopes.verify", "Verify an envelope, check by check."),
    "pki": (OFFLINE, "pki.app", "Make keys and certificates, and show them."),
}
"""Each command and group, and commands of a group that another module has: panel, place in this package, summary."""

app = typer.Typer(
    name="ocen-sandbox",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


@functools.cache
def loaded(path: str) -> Any:
    """Import the command or group of that path, such as `registry peers`, and return it as Typer runs it."""
    module, name = COMMANDS[path][1].split(".")
    found = getattr(import_module(f"sandbox.cli.{module}"), name)
    if isinstance(found, typer.Typer):
        _list(found, f"{path} ")
        return get_group(found)
    single = typer.Typer(add_completion=False)
    single.command(path.rpartition(" ")[2])(found)
    return get_command(single)


def _list(group: typer.Typer, prefix: str = "") -> None:
    """Let a group's help page list the commands whose paths go on from `prefix` with one word."""
    for path, (panel, _, summary) in COMMANDS.items():
        name = path.removeprefix(prefix)
        if path.startswith(prefix) and " " not in name:
            group.command(name, cls=_listed(path), help=summary, rich_help_panel=panel)(lambda: None)


def _listed(path: str) -> type[TyperCommand]:
    """Return what stands for a command in the help page of its group, and gives way to it when it is called."""

    class Listed(TyperCommand):
        def make_context(self, *arguments: Any, **options: Any) -> Any:
            return loaded(path).make_context(*arguments, **options)

    return Listed


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

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


_list(app)
