"""`participants`: show, change and offboard the participants that each node knows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sandbox.cli.options import DATA_DIR, At, DataDir
from sandbox.cli.screen import facts, say
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.holders import chosen_nodes, holders, known_histories, own_details
from sandbox.running import connected
from sandbox.settings import Folders, NodeName
from shared.protocol.participants import KeyStatus

app = typer.Typer(help="Whom each node knows: show, change, offboard.")

Org = Annotated[str, typer.Argument(metavar="ORG", help="Organisation id.")]


@app.callback(invoke_without_command=True)
def _list_unless_asked_otherwise(context: typer.Context, data_dir: DataDir = DATA_DIR) -> None:
    """Whom each node knows: show, change, offboard.

    Without a command: list them.
    """
    command, given = context.invoked_subcommand, context.get_parameter_source("data_dir")
    if command is None:
        list_participants(data_dir=data_dir)
    elif given is not None and given.name == "COMMANDLINE":
        raise SandboxError(f"--data-dir stands before {command}: write participants {command} --data-dir {data_dir}")


@app.command("list")
def list_participants(*, data_dir: DataDir = DATA_DIR) -> None:
    """List whom each node knows.

    Organisation, role, base URL, keys and certificates.
    """
    with connected(Folders(data_dir)) as pair:
        for name, ops in pair.items():
            say(Text(f"The {name.kind} {ops.identity()['organisation_id']} knows", style="bold"))
            for participant in ops.participants():
                print_participant(participant)


@app.command()
def show(*, organisation_id: Org, at: At = None, data_dir: DataDir = DATA_DIR) -> None:
    """Show a participant with its history.

    Every key and certificate that it ever had, when and why each changed,
    offboarded or not.

    [cyan]ocen-sandbox participants show LSP123[/cyan]
    """
    with connected(Folders(data_dir)) as pair:
        for name, details in known_histories(pair, organisation_id, at).items():
            say(Text(f"At the {name.label}\n", style="bold"))
            _print_details(details)


@app.command()
def offboard(
    *,
    organisation_id: Org,
    reason: Annotated[str, typer.Option(help="Why; kept with the history.")],
    at: At = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Offboard a participant.

    From now on no node takes a message of it; its history stays.

    [cyan]ocen-sandbox participants offboard BANK01 --reason "pilot has ended"[/cyan]
    """
    with connected(Folders(data_dir)) as pair:
        for name, ops in holders(pair, organisation_id, at).items():
            ops.offboard(organisation_id, reason)
            say(f"The {name.label} has offboarded {organisation_id}; its history stays.")


@app.command("set")
def set_fields(
    *,
    organisation_id: Org,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Where its messages go.")] = None,
    address: Annotated[list[str] | None, typer.Option(help="Address or network it calls from; one to three.")] = None,
    judge_addresses: Annotated[
        bool | None, typer.Option(help="Refuse its calls from elsewhere.", show_default=False)
    ] = None,
    envelope_member: Annotated[str | None, typer.Option(help="How it spells the signed header.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    at: At = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Change what is neither key nor certificate.

    What is not given stays as it is; addresses take the place of all former
    ones.

    [cyan]ocen-sandbox participants set BANK01 --address 10.0.0.5 --address 10.0.1.0/28[/cyan]
    [cyan]ocen-sandbox participants set BANK01 --no-judge-addresses[/cyan]
    """
    given = {
        "name": name,
        "base_url": base_url,
        "ip_addresses": address or None,
        "judges_addresses": judge_addresses,
        "envelope_member": envelope_member,
    }
    fields: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    if not fields:
        raise SandboxError("nothing to change: give --base-url, --address or another option")
    with connected(Folders(data_dir)) as pair:
        for node, ops in holders(pair, organisation_id, at).items():
            ops.amend(organisation_id, **fields, reason=reason)
            say(Text(f"The {node.label} knows it so from now on:", style="bold green"))
            known = {participant["organisation_id"]: participant for participant in ops.participants()}
            print_participant(known[organisation_id])


def print_participant(participant: Record) -> None:
    """Print a counterparty as it is known now."""
    who = f"  {participant['role']}, {participant['name']}"
    say(Text(f"  {participant['organisation_id']}", "bold cyan").append(who, "default"))
    rows = [("base URL", participant["base_url"])]
    rows += [("key", f"{key['kid']}  {key['status']}, {key['algorithm']}") for key in participant["keys"]]
    rows += [("certificate", f"sha256 {certificate}") for certificate in participant["certificates"]]
    rows += [("calls from", _callers(participant))]
    say(facts(rows, indent=4))
    say()


def _callers(participant: Record) -> str:
    addresses = ", ".join(participant["ip_addresses"])
    if not addresses:
        return "any address"
    return addresses if participant["judges_addresses"] else f"{addresses}; not judged"


def _print_details(details: Record) -> None:
    ended = details["offboarded_at"]
    say(Text(details["organisation_id"], "bold cyan").append(f"  {details['role']}, {details['name']}", "default"))
    rows = [("onboarded", moment(details["onboarded_at"]))]
    rows += [("offboarded", f"{moment(ended)}{because(details['offboarded_because'])}")] if ended else []
    say(facts(rows, indent=2))
    for key in details["keys"]:
        print_key(key)
    for certificate in details["certificates"]:
        print_certificate(certificate)
    say()


def print_listed(data_dir: Path, what: str, of: str | None, at: NodeName | None) -> None:
    """Print the `keys` or `certificates` of a participant as nodes remember them, or those of the nodes themselves."""
    with connected(Folders(data_dir)) as pair:
        own = {name: own_details(ops) for name, ops in chosen_nodes(pair, at).items()} if of is None else {}
        for name, details in (own or known_histories(pair, of or "", at)).items():
            whose = f"of the {name.kind} {details['organisation_id']}" if own else f"of {of}, at the {name.label}"
            say(Text(f"Own {what} {whose}" if own else f"{what.capitalize()} {whose}", style="bold"))
            for record in details[what]:
                print_key(record) if what == "keys" else print_certificate(record)


def print_key(key: Record) -> None:
    """Print a key with its history."""
    say(Text("  key ").append(key["kid"], style="bold").append(f"  {key['status']}, {key['algorithm']}"))
    rows = [(moment(change["at"]), f"{change['status']}{because(change['reason'])}") for change in key["changes"]]
    say(facts(rows, indent=4))


def print_counting(keys: Iterable[Record], kid: str) -> None:
    """Print the keys that count, and the one of that kid, which may count no more."""
    for key in keys:
        if key["kid"] == kid or KeyStatus(key["status"]).counts:
            print_key(key)


def print_certificate(certificate: Record) -> None:
    """Print a TLS certificate, and from when to when it counted."""
    say(Text("  certificate ").append(certificate["thumbprint"], style="bold"))
    rows = [("subject", certificate["subject"]), ("expires", moment(certificate["expires_at"]))]
    rows += [("for", " and ".join(certificate["uses"])), ("registered", moment(certificate["registered_at"]))]
    if certificate["removed_at"]:
        rows += [("removed", f"{moment(certificate['removed_at'])}{because(certificate['removed_because'])}")]
    say(facts(rows, indent=4))


def moment(text: str) -> str:
    """Shorten an RFC 3339 moment in UTC to seconds."""
    return f"{text[:10]} {text[11:19]} UTC"


def because(reason: str) -> str:
    """Write a reason behind a fact, if there is one."""
    return f", {reason}" if reason else ""
