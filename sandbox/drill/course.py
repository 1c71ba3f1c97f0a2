"""The course of a drill: traffic goes on, events come between, and the report of both grows."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sandbox.drill.observation import Observation, Signature
from sandbox.drill.report import Event, Refusal, Report
from sandbox.drill.traffic import Traffic
from sandbox.holders import Nodes
from sandbox.settings import NodeName
from shared.node.clock import Clock, SystemClock

SETTLE_SECONDS: Final = 30.0
"""Seconds to wait for what is under way; what has not ended then is lost."""

LOOK_SECONDS: Final = 0.25

Tell = Callable[[Report], None]


class Course:
    """Carries a drill through: the script says what happens, and when to go on."""

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
        self._traffic = traffic
        self._observation = Observation(nodes[NodeName.LSP], nodes[NodeName.LENDER], self.clock)
        self._tell = tell
        self._wait = wait
        self.report = Report(signatures=self._observation.signatures, lost=self._observation.lost)

    @property
    def accepted_request(self) -> str:
        """The requestId of a request that has been accepted, and its callback, too."""
        return self._traffic.requests[0].request_id

    def note(self, text: str) -> None:
        """Say what happens now; what is signed from now on counts for it."""
        self.report.events.append(Event(self.clock.now(), text))
        self._show()

    def refusal(self, refusal: Refusal, kid: str) -> None:
        """Add a message that had to be refused; the kid is empty where there was not even a connection."""
        self.report.refusals.append(refusal)
        if kid:
            self.report.provoked.append(Signature(kid, self.clock.now(), refusal.answer))
        self._show()

    def go_on(self, seconds: float) -> None:
        """Let the traffic go on for a while.

        Raises:
            SandboxError: it has come to a stop.
        """
        end = self.clock.elapsed() + seconds
        while (left := end - self.clock.elapsed()) > 0:
            self._traffic.check()
            self._look(min(left, LOOK_SECONDS))

    def settle(self) -> None:
        """Wait until everything has ended that is under way now."""
        now, deadline = self.clock.now(), self.clock.elapsed() + SETTLE_SECONDS
        while self._is_under_way(now) and self.clock.elapsed() < deadline:
            self._look(LOOK_SECONDS)

    def end(self) -> Report:
        """Wait for what is under way, and return the report; the traffic has ended."""
        self.settle()
        self._observation.give_up()
        self.report.has_ended = True
        self._show()
        return self.report

    def _is_under_way(self, moment: datetime) -> bool:
        self._observation.look(self._traffic.requests, LOOK_SECONDS)
        return self._observation.is_under_way(moment)

    def _look(self, seconds: float) -> None:
        begun = self.clock.elapsed()
        self._observation.look(self._traffic.requests, seconds)
        self._show()
        self._wait(max(seconds - (self.clock.elapsed() - begun), 0))

    def _show(self) -> None:
        self.report.sent = len(self._traffic.requests)
        self.report.completed, self.report.repeated = self._observation.completed, self._observation.repeated
        self._tell(self.report)
