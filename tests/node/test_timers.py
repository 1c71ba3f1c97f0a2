"""Timers: what rules have set for a time is done at that time, in order, once, and in one transaction with the rest."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from time import sleep

import pytest
from sqlalchemy import Engine

from shared.node.business_clock import ClockSetBackError
from shared.node.decisions import RETRY_AFTER
from shared.node.journal import Journal
from shared.node.orders import OrderRefusedError
from shared.node.rules import (
    BoundRules,
    Moment,
    Order,
    Outgoing,
    Record,
    Records,
    Reply,
    Timer,
    TimerClock,
    Undelivered,
)
from shared.node.send.outbox import AttemptOutcome, AttemptRecord, DeliveryAttempt, OutboxState
from shared.node.tables import ORDERS, OUTBOX, RECORDS, TIMERS, create_tables
from shared.node.timers import SLICE, DueTimers, set_timers
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from tests.equipment.clock import NOW
from tests.equipment.messages import CALLBACK, TRIGGER, arrival, deciding, request, verified
from tests.equipment.parties import LSP, payload_of
from tests.equipment.storage import contents, journal_on, rows

pytestmark = pytest.mark.on_both_databases

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def timer(id_: str, due_at: datetime, clock: TimerClock = TimerClock.BUSINESS, **data: object) -> Timer:
    return Timer(id_, "note", due_at, data, clock)


def noted(engine: Engine) -> list[str]:
    """What the rule `note` has written down, in its order."""
    (row,) = [row for row in rows(engine, RECORDS) if row["id"] == "notes"] or [{"state": '{"notes":[]}'}]
    return list(json.loads(row["state"])["notes"])


def noting(text: str, records: Records, **more: object) -> Reply:
    """Add a line to the notes."""
    before = records["notes"].state["notes"] if "notes" in records else []
    return Reply(records=[Record("notes", "notes", LSP, {"notes": [*before, text]})], **more)  # type: ignore[arg-type]


def note(due: Timer, records: Records, now: Moment) -> Reply:
    """Write down which timer came due and when; one that is told to fails, one that is told to sets another."""
    if due.data.get("fails"):
        raise ZeroDivisionError
    following = [timer("following", NOW + MINUTE * due.data["sets"])] if "sets" in due.data else []
    return noting(f"{due.id} at {(now.business - NOW) // MINUTE}", records, timers=following)


def note_message(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
    return noting(f"{message.request_id} at {(now.business - NOW) // MINUTE}", records)


def a_day_later(request_id: str) -> VerifiedMessage:
    stamp = {"traceId": f"trace of {request_id}", "timestamp": (NOW + DAY).isoformat()}
    return verified(payload_of(TRIGGER.name, request_id, **stamp), TRIGGER.name, NOW + DAY)


RULES = BoundRules(messages={TRIGGER: note_message}, timers={"note": note})


@asynccontextmanager
async def started(
    engine: Engine, *timers: Timer, rules: BoundRules = RULES, now: datetime = NOW
) -> AsyncIterator[Journal]:
    """A journal in which a message has set timers."""
    async with journal_on(engine, rules) as journal:
        await journal.accept(arrival(request("request-0", "trace-0", now), deciding(Reply(timers=timers))))
        yield journal


async def test_what_is_due_is_done_in_order_of_time_with_its_own_time_as_now(engine: Engine) -> None:
    timers = [timer("late", NOW + 3 * MINUTE), timer("early", NOW + MINUTE, sets=2), timer("not yet", NOW + 5 * MINUTE)]
    async with started(engine, *timers) as journal:
        assert await journal.fire(NOW + 4 * MINUTE) is False
        assert noted(engine) == ["early at 1", "following at 2", "late at 3"]
        await journal.fire(NOW + 4 * MINUTE)
    assert len(noted(engine)) == 3
    assert [row["id"] for row in rows(engine, TIMERS)] == ["not yet"]


async def test_what_is_due_by_the_time_of_a_message_is_done_before_it(engine: Engine) -> None:
    async with started(engine, timer("one", NOW + MINUTE), timer("two", NOW + 3 * MINUTE)) as journal:
        messages = [request(f"request-{n}", f"trace-{n}", NOW + n * MINUTE) for n in (2, 4)]
        await asyncio.gather(*(journal.accept(arrival(message, note_message)) for message in messages))
    assert noted(engine) == ["one at 1", "request-2 at 2", "two at 3", "request-4 at 4"]


async def test_a_timer_that_is_set_again_replaces_the_one_before_and_a_cancelled_one_is_gone(engine: Engine) -> None:
    async with started(engine, timer("again", NOW + MINUTE), timer("cancelled", NOW + MINUTE)) as journal:
        reply = Reply(timers=[timer("again", NOW + 2 * MINUTE)], cancelled=["cancelled", "never set"])
        await journal.accept(arrival(request(), deciding(reply)))
        await journal.fire(NOW + 3 * MINUTE)
    assert noted(engine) == ["again at 2"]
    assert rows(engine, TIMERS) == []


async def test_a_timer_whose_rule_fails_stays_and_its_neighbours_are_done(engine: Engine) -> None:
    timers = [timer("one", NOW), timer("failing", NOW + MINUTE, fails=True), timer("two", NOW + 2 * MINUTE)]
    async with started(engine, *timers) as journal:
        at = NOW + 3 * MINUTE
        await journal.fire(at)
        assert noted(engine) == ["one at 0", "two at 2"]
        (left,) = rows(engine, TIMERS)
        assert (left["id"], left["due_at"], left["not_before"]) == ("failing", NOW + MINUTE, at + RETRY_AFTER)
        corrected = BoundRules(timers={"note": lambda due, records, now: noting(due.id, records)})
    async with journal_on(engine, corrected) as journal:
        await journal.fire(at + RETRY_AFTER - timedelta(microseconds=1))
        assert len(rows(engine, TIMERS)) == 1
        await journal.fire(at + RETRY_AFTER)
    assert noted(engine) == ["one at 0", "two at 2", "failing"]


async def test_a_timer_whose_consequences_cannot_be_stored_is_left_and_its_neighbours_are_done(engine: Engine) -> None:
    answer = Outgoing(LSP, CALLBACK, "request-1", {"requestId": "request-1"})

    def sending(due: Timer, records: Records, now: Moment) -> Reply:
        return Reply(outgoing=[answer]) if due.data.get("fails") else note(due, records, now)

    timers = [timer("failing", NOW + MINUTE, fails=True), timer("one", NOW + 2 * MINUTE)]
    async with started(engine, *timers, rules=BoundRules(timers={"note": sending})) as journal:
        await journal.accept(arrival(request(), deciding(Reply(outgoing=[answer]))))
        at = NOW + 3 * MINUTE
        while await journal.fire(at):
            pass
    assert noted(engine) == ["one at 2"]
    assert [row["id"] for row in rows(engine, TIMERS)] == ["failing"]
    assert len(rows(engine, OUTBOX)) == 1


async def test_two_processes_do_each_thing_once_and_in_order(engine: Engine) -> None:
    timers = [timer(f"{n:03d}", NOW + n * MINUTE) for n in range(60)]
    async with started(engine, *timers) as journal, journal_on(engine, RULES) as second:
        await asyncio.gather(*(writer.fire(NOW + DAY) for writer in (journal, second) * 4))
    assert noted(engine) == [f"{n:03d} at {n}" for n in range(60)]


async def test_where_more_is_due_than_one_transaction_does_time_stands_still_for_messages(engine: Engine) -> None:
    timers = [timer(f"{n:03d}", NOW + n * MINUTE) for n in range(SLICE + 20)]
    async with started(engine, *timers) as journal:
        await journal.accept(arrival(a_day_later("request-1"), note_message))
        assert noted(engine)[-2:] == [f"{SLICE - 1:03d} at {SLICE - 1}", f"request-1 at {SLICE}"]
        assert await journal.fire(NOW + DAY) is False
        await journal.accept(arrival(a_day_later("request-2"), note_message))
    assert noted(engine)[-2:] == [f"{SLICE + 19:03d} at {SLICE + 19}", f"request-2 at {24 * 60}"]


async def test_business_time_moves_offers_and_due_dates_but_no_timer_of_protocol_time(engine: Engine) -> None:
    timers = [timer("offer", NOW + DAY), timer("otp", NOW + 5 * MINUTE, TimerClock.PROTOCOL)]
    async with started(engine, *timers) as journal:
        assert await journal.set_clock("clock-1", 2 * 24 * 3600, NOW) == 2 * DAY
        await journal.fire(NOW)
        assert noted(engine) == ["offer at 1440"]
        await journal.accept(arrival(request(), note_message))
        await journal.fire(NOW + 5 * MINUTE)
    assert noted(engine)[1:] == ["request-1 at 2880", "otp at 2885"]


async def test_the_clock_is_set_once_under_an_id_and_never_back(engine: Engine) -> None:
    async with journal_on(engine) as journal, journal_on(engine) as second:
        for _ in range(2):
            assert await journal.set_clock("clock-1", 3600, NOW) == timedelta(hours=1)
        assert await journal.set_clock("clock-2", 7200, NOW) == timedelta(hours=2)
        assert await journal.set_clock("clock-1", 3600, NOW) == timedelta(hours=2)
        before = contents(engine)
        with pytest.raises(ClockSetBackError, match="2:00:00 ahead already"):
            await journal.set_clock("clock-3", 7199, NOW)
        assert contents(engine) == before
        with engine.connect() as connection:
            second.clock.follow(connection)
        assert second.clock.at(NOW).business == NOW + timedelta(hours=2)


async def test_a_message_leaves_when_business_time_has_come(engine: Engine) -> None:
    later = Outgoing(LSP, CALLBACK, "request-1", {"requestId": "request-1"}, due_at=NOW + DAY)
    async with journal_on(engine, RULES) as journal:
        await journal.accept(arrival(request(), deciding(Reply(outgoing=[later]))))
        await journal.fire(NOW + DAY - MINUTE)
        assert rows(engine, OUTBOX) == []
        await journal.set_clock("clock-1", 24 * 3600, NOW)
        await journal.fire(NOW)
        assert [entry.outgoing for entry in await journal.claim(NOW, 1)] == [
            Outgoing(LSP, CALLBACK, "request-1", later.content)
        ]
    assert rows(engine, TIMERS) == []


def tried(entry: object, state: OutboxState) -> AttemptRecord:
    outcome = AttemptOutcome.REFUSED if state is OutboxState.REFUSED else AttemptOutcome.FAILED
    attempt = DeliveryAttempt(entry, NOW, 1, "trace", "kid", outcome, "nobody answers")  # type: ignore[arg-type]
    return AttemptRecord(attempt, state, NOW)


@pytest.mark.parametrize("state", [OutboxState.REFUSED, OutboxState.DEAD])
async def test_a_rule_hears_once_of_its_message_that_was_given_up(engine: Engine, state: OutboxState) -> None:
    def hears(undelivered: Undelivered, records: Records, now: Moment) -> Reply:
        is_refused, request_id = undelivered.is_refused, undelivered.outgoing.request_id
        return noting(f"{request_id} {'refused' if is_refused else 'dead'}: {undelivered.reason}", records)

    answer = Outgoing(LSP, CALLBACK, "request-1", {"requestId": "request-1"})
    rules = BoundRules(messages={TRIGGER: deciding(Reply(outgoing=[answer]))}, undelivered={CALLBACK: hears})
    async with journal_on(engine, rules) as journal:
        accepted = await journal.accept(arrival(request(), rules.messages[TRIGGER]))
        (entry,) = accepted.outbox
        await journal.record(tried(entry, OutboxState.WAITING))
        await journal.fire(NOW)
        assert noted(engine) == []
        for _ in range(2):
            await journal.record(tried(entry, state))
            await journal.fire(NOW)
    word = "refused" if state is OutboxState.REFUSED else "dead"
    assert noted(engine) == [f"request-1 {word}: nobody answers"]


async def test_a_message_is_given_up_again_though_its_rule_has_failed_the_first_time(engine: Engine) -> None:
    def failing(undelivered: Undelivered, records: Records, now: Moment) -> Reply:
        raise ZeroDivisionError

    answer = Outgoing(LSP, CALLBACK, "request-1", {"requestId": "request-1"})
    rules = BoundRules(messages={TRIGGER: deciding(Reply(outgoing=[answer]))}, undelivered={CALLBACK: failing})
    async with journal_on(engine, rules) as journal:
        (entry,) = (await journal.accept(arrival(request(), rules.messages[TRIGGER]))).outbox
        for _ in range(2):
            await journal.record(tried(entry, OutboxState.DEAD))
            await journal.fire(NOW)
            (given_up,) = rows(engine, OUTBOX)
            assert given_up["state"] == "DEAD"
            await journal.redrive(entry.id, NOW)
    assert [row["kind"] for row in rows(engine, TIMERS)] == ["undelivered"]


def start(order: Order, records: Records, now: Moment) -> Reply:
    if "who" not in order.data:
        return Reply(Problem.VALUE, "say for whom")
    return noting(f"{order.kind} {order.data['who']}", records)


async def test_an_order_is_carried_out_once_under_its_id(engine: Engine) -> None:
    async with started(
        engine, timer("before", NOW), rules=BoundRules(timers={"note": note}, orders={"start": start})
    ) as journal:
        order = Order("order-1", "start", {"who": "Asha"})
        assert [await journal.carry_out(order, NOW) for _ in range(2)] == [True, False]
        before = contents(engine)
        with pytest.raises(OrderRefusedError, match="say for whom"):
            await journal.carry_out(Order("order-2", "start", {}), NOW)
        with pytest.raises(LookupError, match="no orders of the kind stop; choose from start"):
            await journal.carry_out(Order("order-2", "stop", {}), NOW)
        assert contents(engine) == before
    assert noted(engine) == ["before at 0", "start Asha"]
    assert [row["id"] for row in rows(engine, ORDERS)] == ["order-1"]


async def test_both_clocks_have_one_order(engine: Engine) -> None:
    timers = [timer("otp", NOW + MINUTE, TimerClock.PROTOCOL), timer("offer", NOW + DAY)]
    async with started(engine, *timers) as journal:
        await journal.set_clock("clock-1", 2 * 24 * 3600, NOW)
        await journal.fire(NOW + 5 * MINUTE)
    assert noted(engine) == ["offer at 1440", "otp at 2881"]


async def test_a_timer_of_one_clock_that_is_not_due_yet_hides_none_of_the_other(engine: Engine) -> None:
    timers = [timer("otp", NOW + 2 * MINUTE, TimerClock.PROTOCOL), timer("offer", NOW + 3 * MINUTE)]
    async with started(engine, *timers) as journal:
        await journal.set_clock("clock-1", 3600, NOW)
        messages = [request(f"request-{n}", f"trace-{n}", NOW + n * MINUTE) for n in (1, 3)]
        await asyncio.gather(*(journal.accept(arrival(message, note_message)) for message in messages))
    assert noted(engine) == ["offer at 3", "request-1 at 61", "otp at 62", "request-3 at 63"]


async def test_business_time_does_not_go_back_where_many_timers_of_protocol_time_are_due(engine: Engine) -> None:
    timers = [timer(f"{n:03d}", NOW + MINUTE, TimerClock.PROTOCOL) for n in range(SLICE + 20)]
    async with started(engine, *timers) as journal:
        await journal.set_clock("clock-1", 24 * 3600, NOW)
        await journal.accept(arrival(request("request-1", "trace-1", NOW + 2 * MINUTE), note_message))
    assert noted(engine)[-2:] == [f"{SLICE - 1:03d} at 1441", "request-1 at 1441"]


def daily(due: Timer, records: Records, now: Moment) -> Reply:
    """What comes again every minute for a year of them."""
    return noting(
        f"{due.id} at {(now.business - NOW) // MINUTE}", records, timers=[timer("daily", due.due_at + MINUTE)]
    )


async def test_timers_that_set_others_take_no_more_than_a_slice_of_a_transaction(engine: Engine) -> None:
    rules = BoundRules(messages={TRIGGER: note_message}, timers={"note": daily})
    async with started(engine, timer("daily", NOW), rules=rules) as journal:
        await journal.accept(arrival(a_day_later("request-1"), note_message))
        assert noted(engine)[-2:] == [f"daily at {SLICE - 1}", f"request-1 at {SLICE}"]
        assert await journal.fire(NOW + DAY) is True
        assert noted(engine)[-1] == f"daily at {2 * SLICE - 1}"


async def test_a_timer_is_done_though_what_follows_from_the_one_that_it_sets_cannot_be_stored(engine: Engine) -> None:
    answer = Outgoing(LSP, CALLBACK, "request-1", {"requestId": "request-1"})

    def sending(due: Timer, records: Records, now: Moment) -> Reply:
        return Reply(outgoing=[answer]) if due.id == "following" else note(due, records, now)

    first, rules = timer("first", NOW + MINUTE, sets=2), BoundRules(timers={"note": sending})
    async with started(engine, first, rules=rules) as journal:
        await journal.accept(arrival(request(), deciding(Reply(outgoing=[answer]))))
        while await journal.fire(NOW + DAY):
            pass
    assert noted(engine) == ["first at 1"]
    assert [row["id"] for row in rows(engine, TIMERS)] == ["following"]


async def test_a_clock_that_is_set_during_a_transaction_counts_from_the_next(engine: Engine) -> None:
    async with started(engine, timer("offer", NOW + MINUTE)) as journal:

        def while_it_is_set(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
            journal.clock.offset = DAY
            return note_message(message, records, now)

        messages = [request(f"request-{n}", f"trace-{n}") for n in (1, 2)]
        await asyncio.gather(*(journal.accept(arrival(message, while_it_is_set)) for message in messages))
        await journal.accept(arrival(request("request-3", "trace-3"), note_message))
    assert noted(engine) == ["request-1 at 0", "request-2 at 0", "offer at 1", "request-3 at 1440"]


def test_what_another_process_has_just_done_of_the_timers_is_seen_before_time_goes_on(engine: Engine) -> None:
    create_tables(engine)
    until = Moment(NOW + DAY, NOW + DAY)
    with engine.begin() as connection:
        set_timers(connection, [timer(f"{n:03d}", NOW + n * MINUTE) for n in range(SLICE + 20)])
        set_timers(connection, [timer("set anew", NOW + 2 * DAY)])

    def look() -> tuple[datetime | None, list[str]]:
        with engine.begin() as connection:
            late = DueTimers(connection)
            late.load(until, ["note"], 10)
            return late.reached, [due.id for due in iter(lambda: late.next_due(until), None)]

    with engine.begin() as connection, ThreadPoolExecutor() as others:
        first = DueTimers(connection)
        first.load(until, ["note"])
        while first.next_due(until) is not None:
            pass
        first.set([timer("set anew", NOW)])
        first.write()
        seen = others.submit(look)
        sleep(0.3)
        connection.commit()
        reached, found = seen.result()
    assert found == ["set anew", *(f"{SLICE + n:03d}" for n in range(9))]
    assert reached == NOW + (SLICE + 9) * MINUTE
