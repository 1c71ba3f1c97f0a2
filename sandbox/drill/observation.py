"""What became of the traffic, read from both journals: which key signed what, and whether it was accepted."""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sandbox.drill.traffic import Request
from sandbox.following import Record
from sandbox.ops_client import OpsClient
from shared.node.clock import Clock

_GIVEN_UP: Final = frozenset({"REFUSED", "DEAD"})


class Signature(NamedTuple):
    """A message or an ack, signed with the key `kid` at an aware moment; `problem` is why it was refused, if it was."""

    kid: str
    at: datetime
    problem: str = ""


class Observation:
    """Follows requests until each has been delivered, and its callback, too.

    Attributes:
        signatures: of all messages and acks of the exchanges that have ended, in no order.
        completed: how many exchanges are complete: request and callback delivered, both acks verified.
        lost: the requestIds of those that will never be.
        repeated: how many tries found nobody or got no answer, and were made again.
    """

    def __init__(self, lsp: OpsClient, lender: OpsClient, clock: Clock) -> None:
        self.signatures: list[Signature] = []
        self.completed = 0
        self.lost: list[str] = []
        self.repeated = 0
        self._nodes = (lsp, lender)
        self._clock = clock
        self._pending: deque[Request] = deque()
        self._known = 0

    def look(self, requests: Sequence[Request], seconds: float) -> None:
        """Ask both journals for what is under way, the oldest first, for about so many seconds."""
        self._pending.extend(requests[self._known :])
        self._known += len(requests) - self._known
        deadline = self._clock.elapsed() + seconds
        for _ in range(len(self._pending)):
            request = self._pending.popleft()
            if not self._has_ended(request.request_id):
                self._pending.append(request)
            if self._clock.elapsed() >= deadline:
                break

    def is_under_way(self, moment: datetime) -> bool:
        """Tell whether an exchange that was begun before that aware moment has not ended, as far as was looked."""
        return any(request.begun_at < moment for request in self._pending)

    def give_up(self) -> None:
        """Count what is still under way as lost."""
        self.lost += [request.request_id for request in self._pending]
        self._pending.clear()

    def _has_ended(self, request_id: str) -> bool:
        sent = [one for node in self._nodes for one in (node.message(request_id) or {"sent": []})["sent"]]
        states = [one["state"] for one in sent]
        is_lost = not _GIVEN_UP.isdisjoint(states)
        if not is_lost and states != ["DELIVERED"] * len(self._nodes):
            return False
        attempts = [attempt for one in sent for attempt in one["attempts"]]
        self.signatures += [signature for attempt in attempts for signature in _signatures(attempt)]
        self.repeated += sum(attempt["answer"] is None for attempt in attempts)
        self.completed += not is_lost
        self.lost += [request_id] if is_lost else []
        return True


def _signatures(attempt: Record) -> Iterator[Signature]:
    """Tell who signed in one try: the sender the message, and, where there was an answer, the receiver its ack."""
    at = datetime.fromisoformat(attempt["started_at"])
    if attempt["kid"] and attempt["answer"] is not None:
        yield Signature(attempt["kid"], at, attempt["reason"] if attempt["outcome"] == "REFUSED" else "")
    answer: dict[str, Any] = (attempt["answer"] or {}).get("decoded") or {}
    if answer:
        failed = [step["check"] for step in attempt["verification"] if step["outcome"] == "failed"]
        problem = f"ack refused: {failed[0]}" if failed else ""
        yield Signature(str(answer["header"].get("kid")), at + timedelta(milliseconds=attempt["milliseconds"]), problem)
