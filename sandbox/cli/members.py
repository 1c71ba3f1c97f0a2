"""How participants of OCEN 4.0's network, their standing and their reports are printed."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from sandbox.cli.participants import because, moment
from sandbox.cli.screen import facts, say, screen
from sandbox.following import Record


def print_participants(listed: Sequence[Record], networks: Sequence[Record]) -> None:
    """Print participants as a table, with the product networks that each is in."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("id", "name", "role", "status", "base URL", "networks"):
        table.add_column(title, overflow="fold")
    for one in listed:
        inside = ", ".join(str(network["id"]) for network in networks if one["id"] in network["members"])
        status = Text(*_standing(one))
        table.add_row(one["id"], one["organisation"]["name"], one["role"], status, one["base_url"], inside)
    screen().print(table)


def print_participant(one: Record) -> None:
    """Print all that the registry tells of a participant."""
    print_standing(one)
    organisation = one["organisation"]
    rows = [
        ("role", one["role"]),
        ("organisation", f"{organisation['id']}, {organisation['spoc_email']}, {organisation['spoc_phone']}"),
        ("base URL", one["base_url"]),
        ("client id", one["client_id"]),
    ]
    for key in one["keys"]:
        rows += [("key", key["kid"]), ("", f"thumbprint {key['thumbprint']}")]
    for certificate in one["tls_certificates"]:
        rows.append(("certificate", f"sha256 {certificate['thumbprint']}"))
        rows.append(("", f"{certificate['subject']}, expires {moment(certificate['expires_at'])}"))
    rows.append(("registered", moment(one["created_at"])))
    if one["approved_at"]:
        rows.append(("approved", f"{moment(one['approved_at'])} by {one['approved_by']}"))
    if one["offboarded_at"]:
        rows.append(("offboarded", moment(one["offboarded_at"])))
    say(facts(rows, indent=2))


def print_standing(one: Record) -> None:
    """Print in one line who a participant is and whether it takes part."""
    line = Text(f"{one['organisation']['name']}, participant {one['id']}, is ").append(*_standing(one))
    say(line.append(because(one["status_because"]), "default"))


def print_secret(given: Record) -> None:
    """Print the credentials of a participant's client."""
    rows = [("participant id", given["participant"]["id"]), ("client id", given["client_id"])]
    say(facts([*rows, ("client secret", given["client_secret"])], indent=2))
    say("The secret is shown this once.", style="dim")


def print_events(listed: Sequence[Record], names: Mapping[str, str]) -> None:
    """Print events that came newest first, the newest last; `names` are those of members by their participant ids."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for one in reversed(listed):
        event = one["body"]["event"]
        to = ", ".join(f"{names.get(it['roleId'], it['roleId'])} {it['responseCode']}" for it in event["recipients"])
        by = names.get(one["participant_id"], one["participant_id"])
        loan = event["loanMetaData"]["loanApplicationId"]
        table.add_row(Text(one["received_at"][11:23], "dim"), by, event["eventType"], f"with {to}", loan)
    screen().print(table)


def _standing(one: Record) -> tuple[str, str]:
    if one["offboarded_at"]:
        return "OFFBOARDED", "red"
    return one["status"], "green" if one["status"] == "APPROVED" else "yellow"
