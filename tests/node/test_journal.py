"""The journal: sending, driving again, cleaning up; and what is done when the database does not answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert

from shared.node import refusals
from shared.node.journal import Dispatch, DuplicateRequestError, Journal, NotFinishedError
from shared.node.refusals import MAX_RAW_BYTES, Refusal, write_refusals
from shared.node.rules import Notice, Outgoing, Record, Reply
from shared.node.send.outbox import AttemptOutcome, AttemptRecord, DeliveryAttempt, OutboxState, new_entry
from shared.node.tables import ATTEMPTS, NONCES, NOTICES, OUTBOX, RECORDS, REFUSALS
from shared.protocol.nonces import DEFAULT_WINDOW, Nonce
from shared.protocol.problems import Problem
from shared.storage.slices import SLICE
from shared.storage.writer import StorageUnavailable
from tests.equipment.clock import NOW
from tests.equipment.messages import CALLBACK, TRIGGER, VERIFY, arrival, deciding, request
from tests.equipment.storage import contents, journal_on, rows, writing

pytestmark = pytest.mark.on_both_databases

OUTGOING = Outgoing("LENDER01", TRIGGER, "request-1", {"requestId": "request-1"})
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
async def journal(engine: Engine) -> AsyncIterator[Journal]:
    async with journal_on(engine) as journal:
        yield journal


def dispatch(outgoing: Outgoing = OUTGOING, now: datetime = NOW) -> Dispatch:
    return Dispatch(new_entry(outgoing, now), OutboxState.WAITING, now)


def refusal(**parts: Any) -> Refusal:
    given: dict[str, Any] = {
        "received_at": NOW,
        "peer": "LSP123",
        "address": "192.0.2.7",
        "path": "/v3/loan",
        "request_id": "request-1",
        "trace_id": "trace-1",
        "problem": Problem.SIGNATURE,
        "failure": None,
        "raw": b"raw",
    }
    return Refusal(**(given | parts))


async def test_a_message_is_dispatched_once_under_its_request_id(journal: Journal, engine: Engine) -> None:
    entry = await journal.dispatch(dispatch())
    before = contents(engine)
    with pytest.raises(DuplicateRequestError, match="requestId request-1 has been used; leave it out for a new one"):
        await journal.dispatch(dispatch(replace(OUTGOING, content={"other": 1})))
    assert contents(engine) == before
    assert rows(engine, OUTBOX)[0]["id"] == entry.id


async def test_receivers_do_not_share_request_ids(journal: Journal, engine: Engine) -> None:
    for outgoing in (OUTGOING, replace(OUTGOING, receiver="LENDER02")):
        await journal.dispatch(dispatch(outgoing))
    assert len(rows(engine, OUTBOX)) == 2


async def test_messages_to_one_receiver_share_request_ids(journal: Journal, engine: Engine) -> None:
    await journal.dispatch(dispatch())
    before = contents(engine)
    with pytest.raises(DuplicateRequestError, match="requestId request-1 has been used"):
        await journal.dispatch(dispatch(replace(OUTGOING, message=VERIFY)))
    assert contents(engine) == before


async def test_a_request_id_under_which_we_have_answered_is_used(journal: Journal, engine: Engine) -> None:
    answer = replace(OUTGOING, receiver="LSP123", message=CALLBACK)
    await journal.accept(arrival(request("request-1"), deciding(Reply(outgoing=[answer]))))
    before = contents(engine)
    with pytest.raises(DuplicateRequestError):
        await journal.dispatch(dispatch(replace(answer, message=VERIFY)))
    assert contents(engine) == before


async def test_of_messages_dispatched_together_only_the_duplicates_are_refused(journal: Journal) -> None:
    others = [replace(OUTGOING, request_id=f"request-{number}") for number in (1, 2, 1, 3)]
    results = await asyncio.gather(*(journal.dispatch(dispatch(one)) for one in others), return_exceptions=True)
    assert [isinstance(result, DuplicateRequestError) for result in results] == [False, False, True, False]


async def test_of_two_messages_dispatched_together_under_one_request_id_one_is_refused(journal: Journal) -> None:
    two = [OUTGOING, replace(OUTGOING, message=VERIFY)]
    results = await asyncio.gather(*(journal.dispatch(dispatch(one)) for one in two), return_exceptions=True)
    assert [isinstance(result, DuplicateRequestError) for result in results] == [False, True]


async def test_two_processes_do_not_dispatch_the_same_request_id(journal: Journal, engine: Engine) -> None:
    async with journal_on(engine) as second:
        results = await asyncio.gather(
            *(one.dispatch(dispatch()) for one in [journal, second] * 3), return_exceptions=True
        )
    assert [type(result) for result in results].count(DuplicateRequestError) == 5
    assert len(rows(engine, OUTBOX)) == 1


async def give_up(journal: Journal, state: OutboxState) -> str:
    """Dispatch a message and let its first try lead to that state."""
    entry = await journal.dispatch(dispatch())
    failed = DeliveryAttempt(entry, NOW, 1.0, "trace-1", "kid-1", AttemptOutcome.FAILED, "why")
    await journal.record(AttemptRecord(failed, state, NOW))
    return entry.id


@pytest.mark.parametrize("state", [OutboxState.DEAD, OutboxState.REFUSED])
async def test_a_delivery_that_was_given_up_is_driven_again_with_a_new_budget(
    journal: Journal, engine: Engine, state: OutboxState
) -> None:
    outbox_id = await give_up(journal, state)
    later = NOW + timedelta(days=1)
    driven = await journal.redrive(outbox_id, later)
    assert driven is not None
    assert (driven.outgoing, driven.driven_at, driven.tries) == (OUTGOING, later, 0)
    assert await journal.claim(later, 10) == [driven]
    assert len(rows(engine, ATTEMPTS)) == 1


@pytest.mark.parametrize("state", [OutboxState.WAITING, OutboxState.SENDING, OutboxState.DELIVERED])
async def test_a_delivery_that_was_not_given_up_is_not_driven_again(
    journal: Journal, engine: Engine, state: OutboxState
) -> None:
    outbox_id = await give_up(journal, state)
    before = contents(engine)
    with pytest.raises(NotFinishedError, match=f"this delivery is {state.value}"):
        await journal.redrive(outbox_id, NOW)
    assert contents(engine) == before


async def test_a_delivery_that_does_not_exist_is_not_driven(journal: Journal) -> None:
    assert await journal.redrive("no-such-id", NOW) is None


async def test_what_a_former_process_held_is_due_at_once_after_its_end(journal: Journal, engine: Engine) -> None:
    for number, state in enumerate((OutboxState.SENDING, OutboxState.WAITING, OutboxState.SENDING)):
        entry = new_entry(replace(OUTGOING, request_id=f"request-{number}"), NOW)
        await journal.dispatch(Dispatch(entry, state, NOW + MINUTE))
    await journal.release_holds(NOW + TICK)
    claimed = await journal.claim(NOW + TICK, 10)
    assert sorted(entry.outgoing.request_id for entry in claimed) == ["request-0", "request-2"]


async def test_a_release_does_not_raise_the_dead(journal: Journal) -> None:
    await give_up(journal, OutboxState.DEAD)
    await journal.release_holds(NOW)
    assert await journal.claim(NOW + MINUTE, 10) == []


async def test_what_sleeps_longer_than_any_pause_is_woken_because_the_clock_was_set_back(
    journal: Journal, engine: Engine
) -> None:
    budget = 15 * MINUTE
    put = [
        ("waits", OutboxState.WAITING, NOW + budget),
        ("sleeps", OutboxState.WAITING, NOW + budget + TICK),
        ("is held", OutboxState.SENDING, NOW + journal.lease),
        ("was held", OutboxState.SENDING, NOW + 60 * MINUTE),
        ("is dead", OutboxState.DEAD, NOW + 60 * MINUTE),
    ]
    for request_id, state, due_at in put:
        await journal.dispatch(Dispatch(new_entry(replace(OUTGOING, request_id=request_id), NOW), state, due_at))
    assert await journal.wake(NOW, budget) == 2
    assert await journal.wake(NOW, budget) == 0
    assert [row["due_at"] for row in rows(engine, OUTBOX)] == [NOW + budget, NOW, NOW + journal.lease, NOW, put[-1][2]]
    assert {entry.outgoing.request_id for entry in await journal.claim(NOW, 100)} == {"sleeps", "was held"}


async def test_with_a_budget_below_the_lease_nothing_that_is_held_is_woken(journal: Journal) -> None:
    await journal.dispatch(Dispatch(new_entry(OUTGOING, NOW), OutboxState.SENDING, NOW + journal.lease))
    assert await journal.wake(NOW, TICK) == 0


def nonce_key(instant: datetime, trace_id: str = "trace-1") -> str:
    return Nonce("LSP123", trace_id, instant.isoformat(), instant).key


async def test_only_nonces_of_stale_timestamps_are_forgotten(journal: Journal, engine: Engine) -> None:
    limit = NOW - DEFAULT_WINDOW.past
    kept = [nonce_key(limit), nonce_key(limit, "trace-2"), nonce_key(NOW), nonce_key(NOW + DEFAULT_WINDOW.future)]
    gone = [nonce_key(limit - TICK), nonce_key(limit - timedelta(days=1))]

    def store(connection: Connection) -> None:
        connection.execute(insert(NONCES), [{"key": key} for key in kept + gone])

    await journal.act(store)
    assert await journal.purge(NOW, DEFAULT_WINDOW.forgettable_before(NOW)) == len(gone)
    assert [row["key"] for row in rows(engine, NONCES)] == sorted(kept)


async def test_records_and_notices_go_when_they_have_expired_and_not_before(journal: Journal, engine: Engine) -> None:
    decision = Reply(
        records=[Record(f"record-{n}", "kind", "LSP123", {}, NOW + n * MINUTE) for n in range(2)],
        notices=[Notice("XXXXXXX123", f"notice-{n}", "text", NOW + n * MINUTE) for n in range(2)],
    )
    await journal.accept(arrival(request(), deciding(decision)))
    assert await journal.purge(NOW, nonce_key(NOW)) == 0
    assert await journal.purge(NOW + TICK, nonce_key(NOW)) == 2
    assert [row["id"] for row in rows(engine, RECORDS)] == ["record-1"]
    assert [row["reference"] for row in rows(engine, NOTICES)] == ["notice-1"]


async def test_of_refusals_the_latest_are_kept(
    journal: Journal, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "KEPT", 3)
    for number in range(5):
        await journal.note_refusal(refusal(request_id=f"request-{number}"))
        assert await journal.purge(NOW, nonce_key(NOW)) == (1 if number >= 3 else 0)
    assert [row["request_id"] for row in rows(engine, REFUSALS)] == ["request-2", "request-3", "request-4"]


async def test_what_is_purged_goes_in_slices_and_others_are_served_between_them(
    journal: Journal, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "KEPT", 3)
    number = 2 * SLICE + 5
    await journal.act(lambda connection: fill(connection, number))
    transactions: list[dict[str, int]] = [{}]

    def note(_: Connection, cursor: Any, statement: str, *__: Any) -> None:
        if "DELETE" in statement:
            table = statement.partition("DELETE FROM ")[2].split()[0]
            transactions[-1][table] = transactions[-1].get(table, 0) + cursor.rowcount

    event.listen(engine, "after_cursor_execute", note)
    event.listen(engine, "commit", lambda _: transactions.append({}))
    purge = asyncio.create_task(journal.purge(NOW, nonce_key(NOW)))
    served = 0
    while not purge.done():
        await journal.dispatch(dispatch(replace(OUTGOING, request_id=f"request-{served}")))
        served += 1
    assert await purge == 4 * number - 3
    slices = [deleted for deleted in transactions if deleted]
    assert all(sum(deleted.values()) <= SLICE for deleted in slices)
    for table in (NONCES, RECORDS, NOTICES, REFUSALS):
        assert sum(deleted.get(table.name, 0) for deleted in slices) == number - (3 if table is REFUSALS else 0)
    assert served >= len(slices)


def fill(connection: Connection, number: int) -> None:
    """Put so many rows into each table, which nobody needs any more but for the latest refusals."""
    old = NOW - timedelta(days=1)
    for first in range(0, number, 500):
        names = [f"old-{each:06}" for each in range(first, min(first + 500, number))]
        connection.execute(insert(NONCES), [{"key": nonce_key(old, name)} for name in names])
        connection.execute(
            insert(RECORDS),
            [{"id": name, "participant": "", "kind": "", "state": "", "expires_at": old} for name in names],
        )
        notice = {"created_at": old, "expires_at": old, "recipient": "", "reference": "", "text": ""}
        connection.execute(insert(NOTICES), [{"id": name, **notice} for name in names])
    write_refusals(connection, [refusal() for _ in range(number)])


async def test_a_refusal_is_kept_as_it_came_but_not_without_bounds(journal: Journal, engine: Engine) -> None:
    await journal.note_refusal(refusal(path="/v3/\x00" + "x" * 1000, raw=b"\x00" * (MAX_RAW_BYTES + 1)))
    (row,) = rows(engine, REFUSALS)
    assert row["path"] == "/v3/?" + "x" * 195
    assert row["raw"] == b"\x00" * MAX_RAW_BYTES
    assert (row["received_at"], row["peer"], row["error"]) == (NOW, "LSP123", "AUTH1001")


async def test_the_backlog_counts_what_is_unfinished(journal: Journal) -> None:
    for number, state in enumerate(["WAITING", "WAITING", "SENDING", "DELIVERED", "DEAD"]):
        entry = new_entry(replace(OUTGOING, request_id=f"request-{number}"), NOW)
        await journal.dispatch(Dispatch(entry, OutboxState(state), NOW))
    assert await journal.backlog() == {"WAITING": 2, "SENDING": 1}


async def test_an_action_that_fails_leaves_nothing_behind(journal: Journal, engine: Engine) -> None:
    before = contents(engine)

    def fail(connection: Connection) -> None:
        connection.execute(insert(NONCES), [{"key": "a"}])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await journal.act(fail)
    assert contents(engine) == before


async def test_a_journal_whose_writer_has_stopped_says_so_and_stores_nothing(engine: Engine) -> None:
    async with writing(engine) as writer:
        journal = Journal(engine, writer, MINUTE)
    before = contents(engine)
    for call in (journal.accept(arrival(request())), journal.dispatch(dispatch()), journal.claim(NOW, 1)):
        with pytest.raises(StorageUnavailable):
            await call
    assert contents(engine) == before
