"""Following one message through the journals of the pair: sent, received, acknowledged, answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sandbox.ops_client import OpsClient

_FINAL: Final = frozenset({"DELIVERED", "REFUSED", "DEAD"})

Record = Mapping[str, Any]
"""A JSON object of the operator plane."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One message and its ack, as both journals have them.

    Attributes:
        sender: organisation id; so is `receiver`.
        content: the payload, with its metadata; `signature` is what signs it, where that stands beside it (OCEN 4.0).
        checks: what the receiver found in the message; empty if its journal is not ours to read.
        ack: the payload of the ack; None if there was none.
        ack_checks: what the sender found in the ack.
        state: the state of the delivery: DELIVERED, REFUSED, DEAD or, if not final in time, WAITING or SENDING.
        sent_at: when the try that counts began (aware, UTC); `milliseconds` later its ack had been verified.
    """

    message: str
    request_id: str
    sender: str
    receiver: str
    content: Record
    signature: str
    checks: tuple[Record, ...]
    status: int | None
    ack: Record | None
    ack_checks: tuple[Record, ...]
    state: str
    result: str
    sent_at: datetime
    milliseconds: float

    @property
    def acked_at(self) -> datetime:
        """When the ack had been verified."""
        return self.sent_at + timedelta(milliseconds=self.milliseconds)

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has accepted it and the sender its ack."""
        failed = any(step["outcome"] != "passed" for step in (*self.checks, *self.ack_checks))
        return self.state == "DELIVERED" and not failed


def finished_delivery(ops: OpsClient, request_id: str, message: str) -> Record | None:
    """Return the record of a sent message once nothing more will happen to it."""
    delivery = known_message(ops, request_id, message, "sent")
    return delivery if delivery is not None and delivery["state"] in _FINAL else None


def known_message(ops: OpsClient, request_id: str, message: str, way: Literal["sent", "received"]) -> Record | None:
    """Return what the node knows of a message that it sent, or that it accepted."""
    records: list[Record] = (ops.message(request_id) or {way: []})[way]
    return next((record for record in records if record["message"] == message), None)


def passage(sent: Record, received: Record | None, request_id: str, sender: str, receiver: str) -> Passage:
    """Join what the sender's journal says of a message, and the receiver's if it can be read.

    The sent message has been tried at least once. `sender` and `receiver` are organisation ids.
    """
    attempt = sent["attempts"][-1]
    answer = attempt["answer"]
    decoded = answer["decoded"] if answer is not None else None
    return Passage(
        message=sent["message"],
        request_id=request_id,
        sender=sender,
        receiver=receiver,
        content=attempt["sent"]["decoded"]["payload"],
        signature=attempt["sent"].get("signature", ""),
        checks=tuple(received["verification"]) if received is not None else (),
        status=attempt["status"],
        ack=_unwrapped(decoded["payload"]) if decoded is not None else None,
        ack_checks=tuple(attempt["verification"]),
        state=sent["state"],
        result=sent["result"],
        sent_at=datetime.fromisoformat(attempt["started_at"]),
        milliseconds=attempt["milliseconds"],
    )


def _unwrapped(payload: Record) -> Record:
    """Return an ack, which stands inside a member in three messages of OCEN 4.0 (docs/positions.md P9)."""
    inner = payload.get("ack")
    return inner if isinstance(inner, Mapping) else payload
