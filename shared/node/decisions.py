"""Runs the rules of one transaction, gathers what follows from their replies, and writes it.

Timers that are due come before whatever else happens, each at its own time. A rule that
fails affects only its own message or timer: the message is not accepted, the timer is tried again a minute later.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import SQLAlchemyError

from shared.catalogue.table import find_message
from shared.node.business_clock import BusinessClock
from shared.node.ids import new_id
from shared.node.records import BatchRecords, NotRead
from shared.node.rules import (
    NO_RULES,
    Bound,
    BoundRules,
    Moment,
    Notice,
    Order,
    Outgoing,
    Records,
    Reply,
    Timer,
    TimerClock,
    Undelivered,
    UnknownOrderError,
)
from shared.node.send.outbox import OutboxEntry, OutboxState, entry_of, entry_row, new_entry
from shared.node.tables import NOTICES, OUTBOX
from shared.node.timers import SLICE, DueTimers

logger = logging.getLogger(__name__)

SEND: Final = "send"
"""Kind of the timers that hold a message until it is due."""

UNDELIVERED: Final = "undelivered"
"""Kind of the timers that tell a rule that its message was given up."""

RETRY_AFTER: Final = timedelta(minutes=1)
"""Protocol time after which a timer is tried again whose rule has failed."""

ROUNDS: Final = 1_000
"""A rule that has been stopped so often for records that were not read would ask for others for ever."""

Subject = TypeVar("Subject")
Run = Callable[[Records], Reply]


class Decisions:
    """Runs rules in the open transaction of a connection. `write` comes last."""

    def __init__(self, connection: Connection, rules: BoundRules, clock: BusinessClock) -> None:
        self._connection = connection
        self._rules = rules
        self._clock = BusinessClock(clock.offset)  # the same for all of the transaction, whoever sets another meanwhile
        self._records = BatchRecords(connection)
        self._timers = DueTimers(connection)
        self._foreseen: dict[int, tuple[Reply, set[str]]] = {}
        self._outbox: list[dict[str, Any]] = []
        self._notices: list[dict[str, Any]] = []

    @property
    def is_behind(self) -> bool:
        """Whether more timers are due than one transaction fires."""
        return self._timers.reached is not None

    def find_timers(self, until: datetime, most: int = SLICE) -> None:
        """Find the timers that are due by `until` (protocol time)."""
        if kinds := kinds_of_timers(self._rules):
            self._timers.load(self._clock.at(until), kinds, most)

    def at(self, now: datetime) -> Moment:
        """Return the moment of what happens at `now` (protocol time): no later than the first timer left behind."""
        moment, reached = self._clock.at(now), self._timers.reached
        return moment if reached is None else Moment(now, min(moment.business, reached))

    def foresee(self, runs: Iterable[tuple[int, Callable[[Records], Reply], datetime]]) -> None:
        """Run rules for what they will ask for, and read it for all of them at once; what they reply may hold.

        Each comes with a number, under which `decide` finds its reply, and with its protocol time.
        """
        waiting, records = list(runs), self._records
        for _ in range(ROUNDS):
            if not waiting:
                break
            missing: set[str] = set()
            stopped = []
            for number, run, now in waiting:
                view = records.as_of(now)
                try:
                    self._foreseen[number] = run(view), view.seen
                except NotRead as asked:
                    missing |= asked.ids
                    stopped.append((number, run, now))
                except Exception:
                    continue
            records.read(missing)
            waiting = stopped

    def decide(self, run: Run, now: datetime, number: int = -1) -> Reply:
        """Run a rule, or take what it has replied when it was foreseen, unless what it saw has changed since.

        Raises: whatever the rule does; RuntimeError: it asks for other records whenever it runs.
        """
        reply, seen = self._foreseen.pop(number, (None, set()))
        if reply is not None and seen.isdisjoint(self._records.changed):
            return reply
        for _ in range(ROUNDS):
            try:
                return run(self._records.as_of(now))
            except NotRead as asked:
                missing = asked.ids
            self._records.read(missing)
        raise RuntimeError("the rule asks for other records whenever it runs")

    def keep(
        self, reply: Reply, moment: Moment, state: OutboxState, due_at: datetime, receiver: str
    ) -> Sequence[OutboxEntry]:
        """Keep what follows from a reply. Messages to the receiver begin in this state; return their entries.

        Others wait in the outbox until the courier finds them.
        """
        self._records.keep(reply.records)
        self._timers.cancel(reply.cancelled)
        self._timers.set(reply.timers)
        self._notices += [_notice_row(notice, moment.protocol) for notice in reply.notices]
        entries = []
        for outgoing in reply.outgoing:
            if outgoing.due_at is not None and outgoing.due_at > moment.business:
                self._timers.set([_send_later(outgoing, outgoing.due_at)])
                continue
            entry = new_entry(outgoing, moment.protocol)
            if outgoing.receiver == receiver:
                entries.append(entry)
                self._outbox.append(entry_row(entry, state, due_at))
            else:
                self._outbox.append(entry_row(entry, OutboxState.WAITING, moment.protocol))
        return entries

    def fire(self, until: datetime) -> None:
        """Fire the timers that are due by `until` (protocol time), each with its own due time as now."""
        reached = self._timers.reached
        while (timer := self._timers.next_due(self._clock.at(until))) is not None:
            due_at = timer.due_at
            business = due_at if timer.clock is TimerClock.BUSINESS else self.at(due_at).business
            self._fire(timer, Moment(until, business))
        if self._timers.reached != reached:
            self._foreseen.clear()  # for a time that has not been reached

    def reply_to_order(self, order: Order, now: datetime) -> Reply:
        """Run the rule of an order. Raises UnknownOrderError; whatever the rule raises."""
        rule = self._rules.orders.get(order.kind)
        if rule is None:
            known = ", ".join(self._rules.orders) or "none"
            raise UnknownOrderError(f"there are no orders of the kind {order.kind}; choose from {known}")
        return self._run(rule, order, self.at(now))

    def write(self) -> None:
        """Write all that follows, a statement per table."""
        for table, rows in ((OUTBOX, self._outbox), (NOTICES, self._notices)):
            if rows:
                self._connection.execute(insert(table), rows)
        self._timers.write()
        self._records.write()

    def _fire(self, timer: Timer, moment: Moment) -> None:
        try:
            reply = self._reply_to(timer, moment)
            if reply.problem is not None:
                raise ValueError(f"its rule refuses: {reply.reason}")
        except SQLAlchemyError:
            raise
        except Exception:
            logger.exception("timer %r failed; it is tried again in a minute", timer.id)
            self._timers.leave(timer, moment.protocol + RETRY_AFTER)
        else:
            self.keep(reply, moment, OutboxState.WAITING, moment.protocol, "")

    def _reply_to(self, timer: Timer, moment: Moment) -> Reply:
        if timer.kind == SEND:
            return Reply(outgoing=[_outgoing_of(timer)])
        if timer.kind == UNDELIVERED:
            return self._reply_to_undelivered(timer, moment)
        return self._run(self._rules.timers[timer.kind], timer, moment)

    def _reply_to_undelivered(self, timer: Timer, moment: Moment) -> Reply:
        found = select(OUTBOX).where(OUTBOX.c.id == timer.data["outboxId"])
        row = self._connection.execute(found).mappings().first()
        if row is None:
            return Reply()
        outgoing = entry_of(row).outgoing
        rule = self._rules.undelivered.get(outgoing.message)
        undelivered = Undelivered(outgoing, timer.data["state"] == OutboxState.REFUSED, row["result"])
        return Reply() if rule is None else self._run(rule, undelivered, moment)

    def _run(self, rule: Bound[Subject], subject: Subject, moment: Moment) -> Reply:
        return self.decide(lambda records: rule(subject, records, moment), moment.protocol)


def kinds_of_timers(rules: BoundRules) -> Sequence[str]:
    """Return the kinds of timers that a node with these rules fires; without rules it has none."""
    return () if rules == NO_RULES else (SEND, UNDELIVERED, *rules.timers)


def undelivered_timer(outbox_id: str, state: OutboxState, now: datetime) -> Timer:
    """Return the timer that tells a rule at once that its message was given up."""
    data = {"outboxId": outbox_id, "state": state.value}
    return Timer(undelivered_id(outbox_id), UNDELIVERED, now, data, TimerClock.PROTOCOL)


def undelivered_id(outbox_id: str) -> str:
    """Return the id of the timer that tells a rule that its message was given up."""
    return f"undelivered\n{outbox_id}"


def send_id(receiver: str, message: str, request_id: str) -> str:
    """Return the id of the timer that holds a message until it is due."""
    return f"send\n{receiver}\n{message}\n{request_id}"


def _send_later(outgoing: Outgoing, due_at: datetime) -> Timer:
    name, request_id = outgoing.message.full_name, outgoing.request_id
    data = {"receiver": outgoing.receiver, "message": name, "requestId": request_id, "content": dict(outgoing.content)}
    return Timer(send_id(outgoing.receiver, name, request_id), SEND, due_at, data)


def _outgoing_of(timer: Timer) -> Outgoing:
    data = timer.data
    message = find_message(data["message"])
    if message is None:
        raise LookupError(f"{data['message']} is no message of the catalogue")
    return Outgoing(data["receiver"], message, data["requestId"], data["content"])


def _notice_row(notice: Notice, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "created_at": now,
        "expires_at": notice.expires_at,
        "recipient": notice.recipient,
        "reference": notice.reference,
        "text": notice.text,
    }
