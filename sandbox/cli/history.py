"""One request in full from both journals: messages as they were sent, their content, checks, attempts, refusals."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from sandbox.cli.screen import FAILED, PASSED, facts, say, screen, step_table
from sandbox.following import Record
from sandbox.settings import NodeName


def print_history(histories: Mapping[NodeName, Record]) -> None:
    """Print what each node knows of one request, in the order of time."""
    events = [
        (record["at"], order, name, kind, record)
        for name, history in histories.items()
        for order, kind in enumerate(("sent", "received", "refused"))
        for record in history[kind]
    ]
    for _, _, name, kind, record in sorted(events, key=lambda event: event[:3]):
        _PRINTERS[kind](name, record)


def _print_sent(name: NodeName, record: Record) -> None:
    mark = PASSED if record["state"] == "DELIVERED" else FAILED if record["state"] in ("REFUSED", "DEAD") else "…"
    _head(f"{mark} {name.label} sent {record['message']} to {record['peer']}: {record['state']}")
    rows = [("at", record["at"]), ("id", record["id"]), ("tries", str(record["tries"])), ("result", record["result"])]
    if record["state"] in ("WAITING", "SENDING"):
        rows.append(("due again", record["due_at"]))
    _facts(*rows)
    for number, attempt in enumerate(record["attempts"], start=1):
        _print_attempt(number, attempt)


def _print_attempt(number: int, attempt: Record) -> None:
    style = "green" if attempt["outcome"] == "ACCEPTED" else "red"
    answered = f"HTTP {attempt['status']}, " if attempt["status"] is not None else ""
    head = Text(f"try {number}  ", style="bold").append(f"{answered}{attempt['outcome']}", style=style)
    _print(head.append(f"  {attempt['milliseconds']:.1f} ms  {attempt['started_at']}", style="dim"))
    _facts(("traceId", attempt["trace_id"]), ("kid", attempt["kid"]), ("reason", attempt["reason"]))
    _print_signed("what was sent", attempt["sent"])
    if attempt["answer"] is not None:
        _print_signed("what came back", attempt["answer"])
        _print_steps("checks of what came back", attempt["verification"])


def _print_received(name: NodeName, record: Record) -> None:
    _head(f"{PASSED} {name.label} received {record['message']} from {record['peer']}: ACCEPTED")
    rows = [(member, record[member]) for member in ("kid", "certificate", "address")]
    _facts(("at", record["at"]), ("traceId", record["trace_id"]), *rows)
    _print_signed("what came in", record)
    _print_steps("checks", record["verification"])
    _print_signed("the ack", record["ack"])


def _print_refused(name: NodeName, record: Record) -> None:
    _head(f"{FAILED} {name.label} refused a message at {record['path']}: {record['error']}")
    rows = [("at", record["at"]), ("connection of", record["peer"] or "unknown"), ("address", record["address"])]
    rows += [("traceId", record["trace_id"]), ("meaning", record["meaning"])]
    _facts(*rows, *([("because", record["reason"])] if record["reason"] else []))
    _print_steps("checks", record["verification"])
    _print(Text("what came in", style="bold"))
    _raw(record["raw"], record["signature"])


_PRINTERS = {"sent": _print_sent, "received": _print_received, "refused": _print_refused}


def _print_signed(title: str, signed: Record) -> None:
    _print(Text(title, style="bold"))
    _raw(signed["envelope"], signed["signature"])
    if signed["decoded"] is not None:
        header, payload = signed["decoded"]["header"], signed["decoded"]["payload"]
        _facts(("header", json.dumps(header)), ("payload", json.dumps(payload, indent=2, ensure_ascii=False)))


def _print_steps(title: str, steps: list[dict[str, Any]]) -> None:
    _print(Text(title, style="bold"))
    _print(step_table(steps))


def _head(title: str) -> None:
    say()
    screen().print(Rule(Text(title, style="bold"), align="left", style="dim"))


def _raw(text: str, signature: str) -> None:
    """Print a message as it was sent, on one line however long, so that it can be copied.

    Of the headers beside it the one that signs it is kept; an access token is never written down.
    """
    if signature:
        say(Text(f"  Signature: {signature}", style="dim"))
    say(Text(f"  {text}", style="dim"))


def _facts(*rows: tuple[str, str]) -> None:
    say(facts(rows, indent=2))


def _print(what: RenderableType) -> None:
    screen().print(Padding(what, (0, 0, 0, 2)))
