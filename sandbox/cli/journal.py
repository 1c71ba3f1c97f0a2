"""`messages`, `sms`, `participants`: what the journals of the two nodes hold."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sandbox.cli import options
from sandbox.cli.history import print_history
from sandbox.cli.screen import screen
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.ops_client import OpsClient
from sandbox.running import connect
from sandbox.settings import Folders, NodeName

_STATE_STYLES = {"ACCEPTED": "green", "DELIVERED": "green", "REFUSED": "red", "DEAD": "red"}

At = Annotated[NodeName | None, typer.Option("--at", help="Only this node's journal.", show_default="both nodes")]


def messages(
    *,
    request_id: Annotated[str | None, typer.Argument(help="Show everything about this request.")] = None,
    at: At = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="So many of the latest messages of each node.")] = 20,
    data_dir: options.DataDir = options.DATA_DIR,
) -> int:
    """List the latest messages of both nodes, or show one request in full.

    In full: signed texts as they travelled, what they say, every check, every try to deliver, every refusal.

    [dim]ocen-sandbox messages[/dim]
    [dim]ocen-sandbox messages 01999c1e-7b1a-7c40-9a51-2f6a8d0c9e11 --at lender[/dim]
    """
    pair = {name: ops for name, ops in connect(Folders(data_dir)).items() if at in (None, name)}
    if request_id is not None:
        found = {name: ops.message(request_id) for name, ops in pair.items()}
        known = {name: history for name, history in found.items() if history is not None}
        if not known:
            raise SandboxError(f"no message has the requestId {request_id}: list them with `ocen-sandbox messages`")
        print_history(known)
        return 0
    lines = [(name, line) for name, ops in pair.items() for line in ops.messages(limit)]
    if not lines:
        screen().print("No messages yet; send one with: ocen-sandbox send TriggerLoanAcceptanceRequest")
        return 0
    _print_conversations(lines)
    return 0


def sms(
    *,
    request_id: Annotated[str | None, typer.Argument(help="Only what belongs to this request.")] = None,
    data_dir: options.DataDir = options.DATA_DIR,
) -> None:
    """Show the lender's SMS inbox: what borrowers would have on their phones, until it expires."""
    notices = connect(Folders(data_dir))[NodeName.LENDER].notices(request_id)
    console = screen()
    if not notices:
        console.print("No SMS, or all have expired; one comes of: ocen-sandbox send TriggerLoanAcceptanceRequest")
    for notice in reversed(notices):
        head = Text(_time(notice["at"]), style="dim").append(f"  to {notice['recipient']}", style="bold")
        console.print(head.append(f"  requestId {notice['reference']}", style="dim"), soft_wrap=True)
        console.print(Text(f"  {notice['text']}", style="magenta"), soft_wrap=True)


def participants(*, data_dir: options.DataDir = options.DATA_DIR) -> None:
    """Show whom each node knows: organisation, address, keys and certificates."""
    console = screen()
    for name, ops in connect(Folders(data_dir)).items():
        console.print(Text(f"The {name.label} {ops.identity()['organisation_id']} knows", style="bold"))
        _print_participants(ops)


def _print_conversations(lines: Iterable[tuple[NodeName, Record]]) -> None:
    """Print messages by requestId, the newest request last, each in the order of time."""
    requests: dict[str, list[tuple[NodeName, Record]]] = {}
    for name, line in sorted(lines, key=lambda one: (one[1]["at"], one[1]["direction"] == "received")):
        requests.setdefault(line["request_id"], []).append((name, line))
    console = screen()
    for request_id, exchanged in requests.items():
        console.print(Text(request_id, style="bold cyan"))
        table = Table.grid(padding=(0, 2, 0, 0))
        for name, line in exchanged:
            state = Text(line["state"], style=_STATE_STYLES.get(line["state"], "yellow"))
            tries = f"{line['tries']} tries" if (line["tries"] or 0) > 1 else ""
            table.add_row("", _time(line["at"]), name.label, line["direction"], line["message"], state, tries)
        console.print(table)


def _print_participants(ops: OpsClient) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 2))
    for title in ("organisation", "role", "base URL", "keys", "certificates"):
        table.add_column(title, overflow="fold")
    for one in ops.participants():
        keys = "\n".join(f"{key['kid']} {key['status']}" for key in one["keys"])
        certificates = "\n".join(f"{certificate[:16]}..." for certificate in one["certificates"])
        table.add_row(one["organisation_id"], one["role"], one["base_url"], keys, certificates)
    screen().print(table)


def _time(moment: str) -> str:
    """Shorten an RFC 3339 moment in UTC to its time of day with milliseconds."""
    return moment[11:23]
