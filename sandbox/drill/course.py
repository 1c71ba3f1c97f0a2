"""The course of a drill: steady traffic, events in between, and a report of both.

What became of the traffic is read from both journals: which key signed what, and whether it was accepted.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from sandbox.drill.report import DrillEvent, DrillRefusal, DrillReport, Signature
from sandbox.drill.traffic import Request, Traffic
from sandbox.following import Record
from sandbox.holders import Nodes
from shared.clock import Clock, SystemClock

SETTLE_SECONDS: Final = 30.0
"""Seconds to wait for what is under way; what has not ended then is lost."""

LOOK_SECONDS: Final = 0.25

Tell = Callable[[DrillReport], None]


class Course:
    """Runs a drill: its script says what happens, and when to go on."""

    def __init__(
        self,
        nodes: Nodes,
        traffic: Traffic,
        tell: Tell,
        clock: Clock | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`tell` is given the report again and again, as it grows; `wait` sleeps for so many seconds."""
        self.clock = clock or SystemClock()
        self.report = DrillReport()
        self._nodes = nodes
        self._traffic = traffic
        self._tell = tell
        self._wait = wait
        self._pending: deque[Request] = deque()

    @property
    def accepted_request(self) -> str:
        """The requestId of a request that has been accepted, and its callback, too."""
        return self._traffic.requests[0].request_id

    def note(self, text: str) -> None:
        """Record an event; what is signed from now on is counted under it."""
        self.report.events.append(DrillEvent(self.clock.now(), text))
        self._tell(self.report)

    def refusal(self, refusal: DrillRefusal, kid: str) -> None:
        """Add a message that had to be refused; the kid is empty where there was not even a connection."""
        self.report.refusals.append(refusal)
        if kid:
            self.report.provoked.append(Signature(kid, self.clock.now(), refusal.answer))
        self._tell(self.report)

    def go_on(self, seconds: float) -> None:
        """Let the traffic go on for a while. Raises SandboxError if it has come to a stop."""
        end = self.clock.elapsed() + seconds
        while (left := end - self.clock.elapsed()) > 0:
            self._traffic.check()
            self._look_and_wait(min(left, LOOK_SECONDS))

    def settle(self) -> None:
        """Wait until everything has ended that is under way now."""
        now, deadline = self.clock.now(), self.clock.elapsed() + SETTLE_SECONDS
        self.look(LOOK_SECONDS)
        while any(request.begun_at < now for request in self._pending) and self.clock.elapsed() < deadline:
            self._look_and_wait(LOOK_SECONDS)

    def end(self) -> DrillReport:
        """Wait for what is under way, the traffic having ended, and return the report; what does not end is lost."""
        self.settle()
        self.report.lost += [request.request_id for request in self._pending]
        self.report.has_ended = True
        self._tell(self.report)
        return self.report

    def look(self, seconds: float) -> None:
        """Ask both journals about open requests, the oldest first, for about so many seconds."""
        sent = len(self._traffic.requests)
        self._pending.extend(self._traffic.requests[self.report.sent : sent])
        self.report.sent = sent
        deadline = self.clock.elapsed() + seconds
        for _ in range(len(self._pending)):
            request = self._pending.popleft()
            if not self._has_ended(request.request_id):
                self._pending.append(request)
            if self.clock.elapsed() >= deadline:
                break

    def _look_and_wait(self, seconds: float) -> None:
        begun = self.clock.elapsed()
        self.look(seconds)
        self._tell(self.report)
        self._wait(max(seconds - (self.clock.elapsed() - begun), 0))

    def _has_ended(self, request_id: str) -> bool:
        """Tell whether an exchange has ended, its callback too, and add what was signed in it to the report."""
        known = (ops.message(request_id) or {"sent": []} for ops in self._nodes.values())
        sent = [message for found in known for message in found["sent"]]
        states = [message["state"] for message in sent]
        is_lost = "REFUSED" in states or "DEAD" in states
        if not is_lost and states != ["DELIVERED"] * len(self._nodes):
            return False
        attempts = [attempt for message in sent for attempt in message["attempts"]]
        self.report.signatures += [signature for attempt in attempts for signature in _signatures(attempt)]
        self.report.repeated += sum(attempt["answer"] is None for attempt in attempts)
        self.report.completed += not is_lost
        self.report.lost += [request_id] if is_lost else []
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
