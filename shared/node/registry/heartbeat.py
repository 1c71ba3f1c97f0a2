"""Reporting each message to the network's heartbeat (OCEN hb): beside the messages, never in their way.

Reports wait in a bounded queue: when it is full the oldest is dropped and counted. Workers send them at a steady
rate, and while the service does not answer they try again with growing pauses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from shared.catalogue.bodies.v4.heartbeat import EVENT_PATH
from shared.node.counterparties import Access, CounterpartiesUnavailable
from shared.node.registry.events import Occasion, PendingEvent, events_of, judged_members
from shared.node.registry.service import RegistryClient
from shared.node.send.outbox import AttemptOutcome, DeliveryAttempt
from shared.node.telemetry import Telemetry
from shared.protocol.phases import VerifiedMessage

ROOM: Final = 10_000
WORKERS: Final = 4

REST: Final = 0.2
"""Seconds for which a worker rests after each event, so that at most 20 go out a second: to carry one costs node and
registry together as much as its message, and the messages come first."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0

PATIENCE_AT_THE_END: Final = 2.0
"""Seconds for which a node that stops waits for its last events."""

SUCCESS: Final = "Success"
FAILURE: Final = "Failure"

OK: Final = 200
UNAUTHORIZED: Final = 401
_TO_COME_AGAIN: Final = frozenset({UNAUTHORIZED, 408, 429})


class HeartbeatReporter:
    """Reports to the heartbeat what we sent and received. It never raises, and nobody waits for it."""

    def __init__(
        self,
        service: RegistryClient,
        access: Access,
        telemetry: Telemetry,
        *,
        room: int = ROOM,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`room` is how many events may wait; `wait` sleeps for so many seconds."""
        self._service = service
        self._access = access
        self._telemetry = telemetry
        self._wait = wait
        self._queue: asyncio.Queue[PendingEvent] = asyncio.Queue(room)
        self._workers: list[asyncio.Task[None]] = []
        self._is_answering = True

    def sent(self, attempt: DeliveryAttempt) -> None:
        """Report a message of ours that was answered, with the HTTP status that it got; the courier calls this."""
        if attempt.status is None:
            return
        outgoing = attempt.entry.outgoing
        word = SUCCESS if attempt.outcome is AttemptOutcome.ACCEPTED else FAILURE
        at = attempt.started_at + timedelta(milliseconds=attempt.milliseconds)
        event_type = outgoing.message.event
        if event_type is not None:
            content = judged_members(outgoing.content, outgoing.message.body)
            self._put(Occasion(event_type, outgoing.receiver, attempt.status, word, at), content)

    def received(self, message: VerifiedMessage) -> None:
        """Report a message that we have accepted; the reception calls this."""
        event_type = message.message_type.event_of_receiver
        if event_type is not None:
            peer, content = message.sender.id, judged_members(message.document, message.message_type.body)
            self._put(Occasion(event_type, peer, OK, SUCCESS, message.received_at), content)

    def start(self) -> None:
        """Begin to send events."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]

    async def stop(self) -> None:
        """Send what waits if that is soon done, and drop the rest."""
        if self._workers and self._is_answering:
            await asyncio.wait({asyncio.create_task(self._queue.join())}, timeout=PATIENCE_AT_THE_END)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []
        while not self._queue.empty():
            self._drop()

    def _put(self, occasion: Occasion, document: Mapping[str, Any]) -> None:
        try:
            for event in events_of(occasion, document):
                if self._queue.full():
                    self._drop()
                self._queue.put_nowait(event)
        except Exception as error:  # the message is accepted or delivered, whatever becomes of the report
            self._telemetry.trouble("message not reported", error)

    def _drop(self) -> None:
        self._queue.get_nowait()
        self._queue.task_done()
        self._telemetry.reported("dropped")

    async def _work(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                await self._carry(event)
            except asyncio.CancelledError:
                self._telemetry.reported("dropped")
                raise
            finally:
                self._queue.task_done()
            await self._wait(REST)

    async def _carry(self, event: PendingEvent) -> None:
        pause, body = FIRST_PAUSE, event.body()
        while (outcome := await self._attempt(body)) is None:
            await self._wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        self._telemetry.reported(outcome)

    async def _attempt(self, body: Mapping[str, Any]) -> str | None:
        """Try once; None where it has to be tried again."""
        try:
            status = await self._post(body)
        except CounterpartiesUnavailable as error:
            self._heard(False, str(error))
            return None
        except Exception as error:  # it would fail for ever, and hold up all that come after it
            self._telemetry.trouble("event not reported", error)
            return "refused"
        if status in _TO_COME_AGAIN or status >= 500:
            self._heard(False, f"HTTP {status}")
            return None
        self._heard(True)
        return "taken" if status == OK else "refused"

    async def _post(self, body: Mapping[str, Any]) -> int:
        token = await self._access.token()
        status = await self._service.post(EVENT_PATH, token, body)
        if status == UNAUTHORIZED and (renewed := await self._access.renew(token)) != token:
            status = await self._service.post(EVENT_PATH, renewed, body)
        return status

    def _heard(self, is_answering: bool, reason: str = "") -> None:
        if is_answering != self._is_answering:
            self._is_answering = is_answering
            self._telemetry.say("heartbeat answers again" if is_answering else "heartbeat does not answer", why=reason)
