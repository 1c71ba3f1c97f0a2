"""`messages`, `sms`: what the journals of the two nodes hold."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli.history import print_history
from sandbox.cli.options import DATA_DIR, At, DataDir
from sandbox.cli.screen import columns, say
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.holders import chosen_nodes
from sandbox.ops_client import OpsClient
from sandbox.running import connected
from sandbox.settings import Folders, NodeName

_STATE_STYLES = {"ACCEPTED": "green", "DELIVERED": "green", "REFUSED": "red", "DEAD": "red"}


def messages(
    *,
    request_id: Annotated[str | None, typer.Argument(help="Show everything about this request.")] = None,
    at: At = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="So many of the latest messages of each node.")] = 20,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """List messages, or show one request in full.

    In full: signed texts as they travelled, what they say, every check,
    every try to deliver, every refusal.

    [cyan]ocen-sandbox messages[/cyan]
    [cyan]ocen-sandbox messages 01999c1e-7b1a-7c40-9a51-2f6a8d0c9e11 --at lender[/cyan]
    """
    with connected(Folders(data_dir)) as pair:
        asked = chosen_nodes(pair, at)
        if request_id is None:
            _print_conversations([(name, line) for name, ops in asked.items() for line in _latest(ops, limit)])
            return
        found = {name: ops.message(request_id) for name, ops in asked.items()}
    known = {name: history for name, history in found.items() if history is not None}
    if not known:
        raise SandboxError(f"no message has the requestId {request_id}: list them with `ocen-sandbox messages`")
    print_history(known)


def sms(
    *,
    request_id: Annotated[str | None, typer.Argument(help="Only what belongs to this request.")] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Show the lender's SMS inbox.

    That is what borrowers would have on their phones, until it expires.
    """
    with connected(Folders(data_dir)) as pair:
        notices = pair[NodeName.LENDER].notices(request_id)
    if not notices:
        say("No SMS, or all have expired; one comes of: ocen-sandbox send TriggerLoanAcceptanceRequest")
    for notice in reversed(notices):
        head = Text(_time(notice["at"]), style="dim").append(f"  to {notice['recipient']}", style="bold")
        say(head.append(f"  requestId {notice['reference']}", style="dim"))
        say(Text(f"  {notice['text']}", style="magenta"))


def _latest(ops: OpsClient, limit: int) -> list[Record]:
    """Return the latest messages that the node sent, received or refused."""
    refusals = ops.refusals(limit)
    names = _names_by_path() if refusals else {}
    refused: list[Record] = [
        {
            "request_id": refusal["request_id"] or "no requestId that could be read",
            "at": refusal["at"],
            "direction": "refused",
            "message": names.get(refusal["path"], refusal["path"]),
            "state": refusal["error"],
            "tries": None,
        }
        for refusal in refusals
    ]
    return sorted([*ops.messages(limit), *refused], key=lambda line: line["at"])[-limit:]


def _names_by_path() -> dict[str, str]:
    from shared.catalogue.table import CATALOGUE  # the models of all bodies: not for those who were refused nothing

    return {message.path: message.full_name for message in CATALOGUE}


def _print_conversations(lines: Sequence[tuple[NodeName, Record]]) -> None:
    """Print messages by requestId, the newest request last, each in the order of time."""
    if not lines:
        say("No messages yet; send one with: ocen-sandbox send TriggerLoanAcceptanceRequest")
    widest = max((len(line["message"]) for _, line in lines), default=0)
    requests: dict[str, list[tuple[NodeName, Record]]] = {}
    for name, line in sorted(lines, key=lambda pair: _order(pair[1])):
        requests.setdefault(line["request_id"], []).append((name, line))
    for request_id, exchanged in requests.items():
        say(Text(request_id, style="bold cyan"))
        rows = []
        for name, line in exchanged:
            style = "red" if line["direction"] == "refused" else _STATE_STYLES.get(line["state"], "yellow")
            state = Text(line["state"], style=style)
            tries = f"{line['tries']} tries" if (line["tries"] or 0) > 1 else ""
            rows.append((_time(line["at"]), name.short, line["direction"], line["message"], state, tries))
        say(columns(rows, widths=(12, 6, 8, widest), indent=2))


def _order(line: Record) -> tuple[str, bool, bool]:
    """By time; within a millisecond a request before its answer, sending before receiving."""
    return line["at"], line["message"].endswith("Response"), line["direction"] != "sent"


def _time(moment: str) -> str:
    """Shorten an RFC 3339 moment in UTC to its time of day with milliseconds."""
    return moment[11:23]
