"""How commands name a participant of OCEN 4.0's network: by the registry's id, or by the id of its organisation."""

from typing import Annotated

import typer

from sandbox.cli.screen import listing
from sandbox.errors import SandboxError
from sandbox.network import MEMBERSHIP_FILE, read_membership
from sandbox.running import connected_registry, run_of
from sandbox.settings import Folders

Id = Annotated[str, typer.Argument(metavar="ID", help="Participant id, or organisation id.")]


def id_of(folders: Folders, named: str) -> str:
    """Return a participant id; an organisation id counts for that of its participant, if it has just one.

    Who has joined is known by the file in its folder, who has registered by a form by its name in the registry, which
    ends with the organisation id.

    Raises:
        SandboxError: no such organisation is registered, or it is several participants.
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
        raise SandboxError(f"{named} is the participants {listing(found)}: give the id of the one that you mean")
    if not found:
        raise SandboxError(
            f"{named} is no member of the network: ocen-sandbox registry join {named}, or give a participant id of "
            "`ocen-sandbox registry list`"
        )
    return str(found[0])
