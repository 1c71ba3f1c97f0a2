"""Participants of OCEN 4.0's network: how commands name them, and how their status and reports are printed."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.text import Text

from sandbox.cli.participants import because, moment
from sandbox.cli.screen import columns, facts, say, screen
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.network import MEMBERSHIP_FILE, read_membership
from sandbox.running import connected_registry, run_of
from sandbox.settings import Folders

_SHORTEST_ID: Final = 8


def print_participants(listed: Sequence[Record], networks: Sequence[Record]) -> None:
    """Print participants in columns, with the product networks that each is in."""
    rows: list[Sequence[str | Text]] = [
        [Text(title, "dim") for title in ("id", "status", "role", "base URL", "networks", "name")]
    ]
    for participant in listed:
        inside = ", ".join(str(network["id"]) for network in networks if participant["id"] in network["members"])
        status, name = Text(*_status(participant)), participant["organisation"]["name"]
        rows.append((participant["id"], status, participant["role"], participant["base_url"], inside, name))
    say(columns(rows))


def print_participant(participant: Record) -> None:
    """Print all that the registry tells of a participant."""
    print_status(participant)
    organisation = participant["organisation"]
    rows = [
        ("role", participant["role"]),
        ("organisation", f"{organisation['id']}, {organisation['spoc_email']}, {organisation['spoc_phone']}"),
        ("base URL", participant["base_url"]),
        ("client id", participant["client_id"]),
    ]
    for key in participant["keys"]:
        rows += [("key", key["kid"]), ("", f"thumbprint {key['thumbprint']}")]
    for certificate in participant["tls_certificates"]:
        rows.append(("certificate", f"sha256 {certificate['thumbprint']}"))
        uses = " and ".join(certificate["uses"])
        rows.append(("", f"{certificate['subject']}, for {uses}, expires {moment(certificate['expires_at'])}"))
    rows.append(("registered", moment(participant["created_at"])))
    if participant["approved_at"]:
        rows.append(("approved", f"{moment(participant['approved_at'])} by {participant['approved_by']}"))
    if participant["offboarded_at"]:
        rows.append(("offboarded", moment(participant["offboarded_at"])))
    say(facts(rows, indent=2))


def print_status(participant: Record) -> None:
    """Print in one line who a participant is and whether it takes part."""
    who = f"{participant['organisation']['name']}, participant {participant['id']}"
    line = Text(f"{who}, is ").append(*_status(participant))
    say(line.append(because(participant["status_because"]), "default"))


def print_secret(given: Record) -> None:
    """Print the credentials of a participant's client."""
    rows = [("participant id", given["participant"]["id"]), ("client id", given["client_id"])]
    say(facts([*rows, ("client secret", given["client_secret"])], indent=2))
    say("The secret is shown this once.", style="dim")


def print_events(listed: Sequence[Record], names: Mapping[str, str]) -> None:
    """Print events that came newest first, the newest last; `names` are those of members by their participant ids.

    What does not fit on the screen is cut from the loan application id alone.
    """
    rows: list[list[str | Text]] = []
    about: list[Text] = []
    for report in reversed(listed):
        event = report["body"]["event"]
        to = ", ".join(f"{names.get(it['roleId'], it['roleId'])} {it['responseCode']}" for it in event["recipients"])
        by = names.get(report["participant_id"], report["participant_id"])
        about.append(Text(event["loanMetaData"]["loanApplicationId"]))
        rows.append([Text(report["received_at"][11:23], "dim"), by, event["eventType"], f"with {to}"])
    taken = max((line.cell_len for line in columns(rows).split()), default=0) + 2
    for row, loan in zip(rows, about, strict=True):
        loan.truncate(max(_SHORTEST_ID, screen().width - taken), overflow="ellipsis")
        row.append(loan)
    say(columns(rows))


def id_of(folders: Folders, named: str) -> str:
    """Return a participant id; an organisation id counts for that of its participant, if it has just one.

    Who has joined is known by the file in its folder, who has registered by a form by its name in the registry, which
    ends with the organisation id.

    Raises SandboxError if no such organisation is registered, or it is several participants.
    """
    if named.isdecimal():
        return named
    home = run_of(folders).certs / named
    if (home / MEMBERSHIP_FILE).exists():
        return read_membership(home).participant_id
    with connected_registry(folders) as registry:
        listed = registry.participants()
    found = [participant["id"] for participant in listed if participant["organisation"]["name"].endswith(f"({named})")]
    if len(found) > 1:
        raise SandboxError(f"{named} is the participants {' and '.join(found)}: give the id of the one that you mean")
    if not found:
        raise SandboxError(
            f"{named} is no member of the network: ocen-sandbox registry join {named}, or give a participant id of "
            "`ocen-sandbox registry list`"
        )
    return str(found[0])


def _status(participant: Record) -> tuple[str, str]:
    if participant["offboarded_at"]:
        return "OFFBOARDED", "red"
    return participant["status"], "green" if participant["status"] == "APPROVED" else "yellow"
