"""Participants of OCEN 4.0's network: how commands name them, and how their standing and reports are printed."""

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
    for one in listed:
        inside = ", ".join(str(network["id"]) for network in networks if one["id"] in network["members"])
        status, name = Text(*_standing(one)), one["organisation"]["name"]
        rows.append((one["id"], status, one["role"], one["base_url"], inside, name))
    say(columns(rows))


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
        uses = " and ".join(certificate["uses"])
        rows.append(("", f"{certificate['subject']}, for {uses}, expires {moment(certificate['expires_at'])}"))
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
    """Print events that came newest first, the newest last; `names` are those of members by their participant ids.

    What does not fit on the screen is cut from the loan application id alone.
    """
    rows: list[list[str | Text]] = []
    about: list[Text] = []
    for one in reversed(listed):
        event = one["body"]["event"]
        to = ", ".join(f"{names.get(it['roleId'], it['roleId'])} {it['responseCode']}" for it in event["recipients"])
        by = names.get(one["participant_id"], one["participant_id"])
        about.append(Text(event["loanMetaData"]["loanApplicationId"]))
        rows.append([Text(one["received_at"][11:23], "dim"), by, event["eventType"], f"with {to}"])
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
    found = [one["id"] for one in listed if one["organisation"]["name"].endswith(f"({named})")]
    if len(found) > 1:
        raise SandboxError(f"{named} is the participants {' and '.join(found)}: give the id of the one that you mean")
    if not found:
        raise SandboxError(
            f"{named} is no member of the network: ocen-sandbox registry join {named}, or give a participant id of "
            "`ocen-sandbox registry list`"
        )
    return str(found[0])


def _standing(one: Record) -> tuple[str, str]:
    if one["offboarded_at"]:
        return "OFFBOARDED", "red"
    return one["status"], "green" if one["status"] == "APPROVED" else "yellow"
