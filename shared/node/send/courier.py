"""The courier: delivers what is in the outbox. It acts; when to try again is for the schedule to say."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from shared.clock import Clock
from shared.node.counterparties import Counterparties, CounterpartiesUnavailable
from shared.node.journal import Journal
from shared.node.send.client import SignedClient
from shared.node.send.outbox import AttemptOutcome, AttemptRecord, DeliveryAttempt, OutboxEntry, OutboxState
from shared.node.send.schedule import RetrySchedule
from shared.node.telemetry import Telemetry
from shared.protocol.messages import MessageType
from shared.protocol.participants import Participant
from shared.protocol.profiles import PROFILES
from shared.storage.database import StorageUnavailable

LANE_WIDTH = 64
"""Concurrent tries towards one receiver at most (equals its connections in the pool)."""


class Place(NamedTuple):
    """Where a new entry belongs: its state in the table, and when anyone may take it from there."""

    state: OutboxState
    due_at: datetime

    @property
    def is_direct(self) -> bool:
        """Whether the courier is to take it without looking into the table."""
        return self.state is OutboxState.SENDING


class Courier:
    """The one worker of the one queue.

    Entries come to it in two ways: straight from the transaction that made them (`take`), while there is room, and
    by `sweep`, which claims whatever has come due in the table: retries, re-drives, and what a dead process held.
    Either way each receiver has only its share of the room, so that one that hangs holds up nobody else's messages.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        client: SignedClient,
        directories: Mapping[str, Counterparties],
        schedule: RetrySchedule,
        clock: Clock,
        jitter: Callable[[], float],
        telemetry: Telemetry,
        room: int = 512,
        tick: float = 0.5,
    ) -> None:
        self._journal = journal
        self._client = client
        self._directories = directories
        self._schedule = schedule
        self._clock = clock
        self._jitter = jitter
        self._telemetry = telemetry
        self._room = room
        self._tick = tick
        self.listeners: list[Callable[[DeliveryAttempt], None]] = []
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._held: Counter[str] = Counter()
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._stopping = asyncio.Event()

    def place_for(self, receiver: str, now: datetime) -> Place:
        """Say where an entry made at `now` belongs: with us, where there is room, to `take` it after its commit."""
        if self._free > self._held[receiver] and not self._stopping.is_set():  # else its `share_of` them is none
            return Place(OutboxState.SENDING, now + self._journal.lease)
        return Place(OutboxState.WAITING, now)

    def take(self, entries: Iterable[OutboxEntry]) -> None:
        """Deliver these entries, which are held for us already."""
        for entry in entries:
            if entry.id not in self._in_hand:
                self._held[entry.outgoing.receiver] += 1
                self._in_hand[entry.id] = asyncio.create_task(self._deliver(entry))

    async def sweep(self) -> None:
        """Claim what is due, as far as there is room, and begin to deliver it."""
        if self._free > 0 and not self._stopping.is_set():
            self.take(await self._journal.claim(self._clock.now(), self._free, dict(self._held)))

    async def fire(self) -> None:
        """Fire the timers that are due."""
        while not self._stopping.is_set() and await self._journal.fire(self._clock.now()):
            continue

    @property
    def _free(self) -> int:
        return self._room - len(self._in_hand)

    async def run(self) -> None:
        """Fire timers and sweep until stopped."""
        while not self._stopping.is_set():
            try:
                await self.fire()
                await self.sweep()
            except Exception as error:  # whatever it is, what has come due must not wait for a restart
                self._telemetry.trouble("outbox cannot be read", error)
            try:
                await asyncio.wait_for(self._stopping.wait(), self._tick)
            except TimeoutError:
                continue

    async def settle(self) -> None:
        """Wait until nothing is in hand."""
        while self._in_hand:
            await asyncio.gather(*self._in_hand.values(), return_exceptions=True)

    async def stop(self) -> None:
        """Take nothing more, and finish the tries that are under way; what has not begun is left to its lease."""
        self._stopping.set()
        await self.settle()

    async def _deliver(self, entry: OutboxEntry) -> None:
        try:
            attempt = await self._attempt(entry)
            if attempt is None:
                return
            record = await self._record(attempt)
            self._telemetry.delivered(record.attempt, record.state)
            for listener in self.listeners:
                listener(record.attempt)
        except Exception as error:
            # The lease runs out and the entry comes due again; its receiver knows the requestId.
            self._telemetry.trouble("delivery attempt cannot be recorded", error)
        finally:
            del self._in_hand[entry.id]
            self._held[entry.outgoing.receiver] -= 1

    async def _record(self, attempt: DeliveryAttempt) -> AttemptRecord:
        """Write a try down, and return what was written. Raises StorageUnavailable: not even its number is.

        Where the database refuses its values, it is written without its answer and has failed; where it refuses that
        too, it is counted: that update is no larger than the one that claimed the entry. A try that is not counted
        would be made anew after each lease, for ever.
        """
        try:
            return await self._write(self._next(attempt))
        except StorageUnavailable:
            raise
        except Exception as error:
            refused = error
        bare = self._next(_without_answer(attempt, refused))
        try:
            record = await self._write(bare)
        except StorageUnavailable:
            raise
        except Exception:
            record = await self._write(replace(bare, is_only_counted=True))
        self._telemetry.trouble("delivery attempt cannot be recorded with its answer", refused)
        return record

    def _next(self, attempt: DeliveryAttempt) -> AttemptRecord:
        return AttemptRecord(attempt, *self._schedule.next_attempt(attempt, self._clock.now(), self._jitter()))

    async def _write(self, record: AttemptRecord) -> AttemptRecord:
        """Write a record; after an outage once more, and after a second one only count the try.

        An outage says nothing about the record, which may even be committed, and a full disk may have room for the
        count alone. So the message then waits for another try, which its receiver knows, and is not given up.
        """
        for _ in range(2):
            try:
                await self._journal.record(record)
            except StorageUnavailable as error:
                unavailable = error
            else:
                return record
        attempt = replace(record.attempt, reason=f"not recorded: {record.attempt.reason}")
        due_at = self._clock.now() + min(self._schedule.pause(attempt, self._jitter()), self._schedule.longest)
        counted = AttemptRecord(attempt, OutboxState.WAITING, due_at, is_only_counted=True)
        await self._journal.record(counted)
        self._telemetry.trouble("delivery attempt cannot be recorded", unavailable)
        return counted

    async def _attempt(self, entry: OutboxEntry) -> DeliveryAttempt | None:
        """Make a try, or none where the courier stops before it begins."""
        message_type = entry.outgoing.message
        directory = self._directories.get(message_type.version)
        if directory is None:  # it did when the entry was made
            return self._untried(entry, f"this node does not speak {message_type.version}; see OCEN_REGISTRY_URL")
        try:
            receiver = await directory.receiver(entry.outgoing.receiver)
        except CounterpartiesUnavailable as error:
            return self._untried(entry, str(error))
        if receiver is None:
            return self._untried(entry, f"{entry.outgoing.receiver} is not in the directory; onboard it")
        try:
            return await self._send(entry, message_type, receiver, directory)
        except CounterpartiesUnavailable as error:
            return self._untried(entry, str(error))
        except Exception as error:  # counts as a try, so that what fails here for ever ends as DEAD, in plain sight
            self._telemetry.trouble("message cannot be sent", error)
            return self._untried(entry, f"it cannot be sent: {type(error).__name__}: {error}"[:500])

    async def _send(
        self, entry: OutboxEntry, message_type: MessageType, receiver: Participant, directory: Counterparties
    ) -> DeliveryAttempt | None:
        lane = self._lanes.setdefault(receiver.id, asyncio.Semaphore(LANE_WIDTH))
        async with lane:  # waited for before the message is stamped and signed, so that it goes out fresh
            if self._stopping.is_set():
                return None
            profile, ask_anew = PROFILES[message_type.version], directory.receiver_anew
            return await self._client.deliver(entry, message_type, receiver, profile, ask_anew)

    def _untried(self, entry: OutboxEntry, reason: str) -> DeliveryAttempt:
        return DeliveryAttempt(
            entry=entry,
            started_at=self._clock.now(),
            milliseconds=0,
            trace_id="",
            kid="",
            outcome=AttemptOutcome.FAILED,
            reason=reason,
        )


def _without_answer(attempt: DeliveryAttempt, refused: Exception) -> DeliveryAttempt:
    """Make the bare facts of a try: what was sent, and that it has failed, for nothing proves how it was answered."""
    return replace(
        attempt,
        outcome=AttemptOutcome.FAILED,
        reason=f"the try cannot be recorded with its answer: {type(refused).__name__}; see the log",
        certificate="",
        answer=b"",
        answer_signature="",
        verification=None,
    )
