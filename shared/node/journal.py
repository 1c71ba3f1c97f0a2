"""The journal: the one way in which a node's state changes. Everything passes through its single writer."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Connection, Engine, Table, bindparam, func, insert, select, update

from shared.node.business_clock import BusinessClock
from shared.node.decisions import kinds_of_timers
from shared.node.deliveries import record_deliveries
from shared.node.firing import Firing, fire_timers, leave_first
from shared.node.orders import Given, carry_out_orders
from shared.node.receive.acceptance import Acceptance, Arrival, accept_messages
from shared.node.refusals import Refusal, pushed_out, write_refusals
from shared.node.retention import delete_exchanges, old_refusals
from shared.node.rules import NO_RULES, BoundRules, Order
from shared.node.send.outbox import (
    AttemptRecord,
    Claim,
    OutboxEntry,
    OutboxState,
    claim_due,
    entry_of,
    entry_row,
)
from shared.node.tables import (
    DELETED_MESSAGES,
    INBOX,
    NONCES,
    NOTICES,
    OUTBOX,
    RECORDS,
    REFUSALS,
    SCHEMA,
    UNFINISHED,
)
from shared.storage.reader import read
from shared.storage.slices import SLICE, delete_slice
from shared.storage.space import shrink
from shared.storage.writer import GroupCommit, StorageUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

_NOBODY: Final[Mapping[str, int]] = MappingProxyType({})


class DuplicateRequestError(Exception):
    """A message with this requestId has been sent to this receiver before."""


class NotFinishedError(Exception):
    """The delivery is still on its way, or succeeded; only one that was given up can be driven again."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A message of our own making that is to be sent."""

    entry: OutboxEntry
    state: OutboxState
    due_at: datetime

    @property
    def keys(self) -> frozenset[str]:
        """The requestId: two messages under the same one must see each other."""
        return frozenset({f"request {self.entry.outgoing.request_id}"})


_REQUEST_IDS: Final[BindParameter[Any]] = bindparam("request_ids", expanding=True)
_SENT: Final = (
    select(OUTBOX.c.receiver, OUTBOX.c.request_id)
    .where(OUTBOX.c.request_id.in_(_REQUEST_IDS))
    .union_all(
        select(DELETED_MESSAGES.c.peer, DELETED_MESSAGES.c.request_id).where(
            DELETED_MESSAGES.c.request_id.in_(_REQUEST_IDS), DELETED_MESSAGES.c.content_digest.is_(None)
        )
    )
)


def dispatch_messages(connection: Connection, units: Sequence[Dispatch]) -> Sequence[OutboxEntry | Exception]:
    """Put messages into the outbox; one whose requestId its receiver has had from us gets a `DuplicateRequestError`.

    RequestIds are one space over all messages (docs/positions.md P8): the receiver would refuse a second message,
    whatever its type. An answer lives under the requestId of what it answers, and comes into the outbox with that.
    """
    request_ids = [unit.entry.outgoing.request_id for unit in units]
    known = {tuple(row) for row in connection.execute(_SENT, {"request_ids": request_ids})}
    fresh = [unit for unit in units if _identity(unit.entry) not in known]
    if fresh:
        connection.execute(insert(OUTBOX), [entry_row(unit.entry, unit.state, unit.due_at) for unit in fresh])
    return [
        DuplicateRequestError(f"requestId {unit.entry.outgoing.request_id} has been used; leave it out for a new one")
        if _identity(unit.entry) in known
        else unit.entry
        for unit in units
    ]


@dataclass(frozen=True, slots=True)
class Action(Generic[T]):
    """A rare change that needs no batching: a function of the open transaction."""

    work: Callable[[Connection], T]
    keys: frozenset[str] = frozenset({"action"})


def run_actions(connection: Connection, units: Sequence[Action[Any]]) -> Sequence[Any]:
    """Run actions one after another."""
    return [unit.work(connection) for unit in units]


class Journal:
    """A node's messages, records and pending work. Every method returns after its transaction is committed.

    Raises (all methods): StorageUnavailable if the database cannot be reached for some seconds.
    """

    def __init__(
        self,
        engine: Engine,
        writer: GroupCommit,
        lease: timedelta,
        rules: BoundRules = NO_RULES,
        clock: BusinessClock | None = None,
    ) -> None:
        self.engine = engine
        self.lease = lease
        self.clock = clock or BusinessClock()
        self._rules = rules
        self._writer = writer
        # Each is one object, for the writer puts units of the same kind together.
        accepting = partial(accept_messages, rules, self.clock)
        self.accept: Callable[[Arrival], Awaitable[Acceptance]] = partial(writer.run, accepting)
        """Accept a verified message, or tell why not; a refusal changes nothing."""
        self._firing = partial(fire_timers, rules, self.clock)
        self._ordering = partial(carry_out_orders, rules, self.clock)
        self._recording = partial(record_deliveries, rules)

    async def dispatch(self, dispatch: Dispatch) -> OutboxEntry:
        """Put a message into the outbox.

        Raises:
            DuplicateRequestError: its requestId has been used towards this receiver.
        """
        return await self._writer.run(dispatch_messages, dispatch)

    async def record(self, record: AttemptRecord) -> None:
        """Write down a delivery attempt and what follows."""
        await self._writer.run(self._recording, record)

    async def claim(self, now: datetime, free: int, held: Mapping[str, int] = _NOBODY) -> Sequence[OutboxEntry]:
        """Take entries that are due into `free` places, and hold them for the lease; `held` is who has others."""
        return await self._writer.run(claim_due, Claim(now, now + self.lease, free, held))

    async def fire(self, now: datetime) -> bool:
        """Fire timers that are due, a slice of them; tell whether more are due. `now` is protocol time.

        One that cannot be written is found by being fired alone, and left for a minute.
        """
        try:
            return await self._writer.run(self._firing, Firing(now))
        except StorageUnavailable:
            raise
        except Exception:
            logger.exception("what follows from timers cannot be written")
        try:
            return await self._writer.run(self._firing, Firing(now, 1))
        except StorageUnavailable:
            raise
        except Exception:
            await self.act(partial(leave_first, self.clock, kinds_of_timers(self._rules), now))
            return True

    async def carry_out(self, order: Order, now: datetime) -> bool:
        """Give an order to its rule; return whether it is new: a repeated one is not carried out again.

        Raises:
            OrderRefusedError: its rule refuses it.
            UnknownOrderError: there is no rule for orders of this kind.
        """
        return await self._writer.run(self._ordering, Given(order, now))

    async def set_clock(self, id_: str, seconds: int, now: datetime) -> timedelta:
        """Set business time so many seconds ahead of protocol time, under an id; return by how much it is ahead.

        Raises:
            ClockSetBackError: it is further ahead already.
        """
        offset = timedelta(seconds=await self.act(self.clock.setting(id_, seconds, now)))
        self.clock.offset = max(self.clock.offset, offset)
        return self.clock.offset

    async def note_refusal(self, refusal: Refusal) -> None:
        """Keep what was refused and why, for people to look at; it has no other effect."""
        await self._writer.run(write_refusals, refusal)

    async def act(self, work: Callable[[Connection], T]) -> T:
        """Run one function in a transaction of the writer."""
        result: T = await self._writer.run(run_actions, Action(work))
        return result

    async def release_holds(self, now: datetime) -> None:
        """Make everything that a former process of ours still holds due at once; only for a database of our own."""
        held = update(OUTBOX).where(UNFINISHED, OUTBOX.c.state == OutboxState.SENDING).values(due_at=now)
        await self.act(lambda connection: connection.execute(held).rowcount)

    async def wake(self, now: datetime, budget: timedelta) -> int:
        """Make due at once what lies further ahead than the schedule's budget or a lease: the clock was set back.

        Return how many entries that was. What lies nearer comes due by itself within that time.
        """
        horizon = now + max(budget, self.lease)
        asleep = update(OUTBOX).where(UNFINISHED, OUTBOX.c.due_at > horizon).values(due_at=now)
        return await self.act(lambda connection: connection.execute(asleep).rowcount)

    async def redrive(self, outbox_id: str, now: datetime) -> OutboxEntry | None:
        """Try a delivery that was given up again, with a new budget; None if there is no such entry.

        Raises:
            NotFinishedError: it was not given up.
        """
        return await self.act(lambda connection: _redrive(connection, outbox_id, now))

    async def purge(self, now: datetime, forget_nonces_before: str) -> int:
        """Delete what nobody needs any more: old nonces, expired records and notices, all but the latest refusals.

        It goes in slices, each in a transaction of its own, so that no ack waits for all of them. Return how many rows
        went.
        """
        outdated = (
            (NONCES, NONCES.c.key < forget_nonces_before),
            (RECORDS, RECORDS.c.expires_at < now),
            (NOTICES, NOTICES.c.expires_at < now),
            (REFUSALS, pushed_out()),
        )
        return sum([await self._purge(table, rows) for table, rows in outdated])

    async def _purge(self, table: Table, outdated: ColumnElement[bool]) -> int:
        total = deleted = await self.act(partial(delete_slice, table=table, outdated=outdated))
        while deleted >= SLICE:
            deleted = await self.act(partial(delete_slice, table=table, outdated=outdated))
            total += deleted
        return total

    async def delete_before(self, moment: datetime) -> int:
        """Delete exchanges and refusals from before an aware moment, and give the space back; in slices, as `purge`.

        Return how many messages and refusals went (P32).
        """
        total = await self._purge(REFUSALS, old_refusals(moment))
        for table in (INBOX, OUTBOX):
            deleted, after = await self.act(partial(delete_exchanges, table=table, before=moment, after=""))
            while after:
                total += deleted
                deleted, after = await self.act(partial(delete_exchanges, table=table, before=moment, after=after))
        while await self.act(shrink):
            pass
        return total

    async def write_check(self, now: datetime) -> None:
        """Commit one row, always the same, to show that something can be written."""
        await self.act(lambda connection: SCHEMA.touch(connection, now))

    async def backlog(self) -> dict[str, int]:
        """Count unfinished deliveries by state."""
        counted = select(OUTBOX.c.state, func.count()).where(UNFINISHED).group_by(OUTBOX.c.state)
        return await read(self.engine, lambda connection: dict(tuple(row) for row in connection.execute(counted)))


def _identity(entry: OutboxEntry) -> tuple[str, str]:
    return entry.outgoing.receiver, entry.outgoing.request_id


def _redrive(connection: Connection, outbox_id: str, now: datetime) -> OutboxEntry | None:
    row = connection.execute(select(OUTBOX).where(OUTBOX.c.id == outbox_id).with_for_update()).mappings().first()
    if row is None:
        return None
    if row["state"] not in (OutboxState.DEAD, OutboxState.REFUSED):
        raise NotFinishedError(f"this delivery is {row['state']}; only one that was given up can be driven again")
    values = {"state": OutboxState.WAITING, "due_at": now, "driven_at": now, "tries": 0}
    connection.execute(update(OUTBOX).where(OUTBOX.c.id == outbox_id).values(values))
    return replace(entry_of(row), driven_at=now, tries=0)
