"""OCEN_KEEP_DAYS: old exchanges go as a whole and in slices, their requestIds stay known, and the file shrinks."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, event, insert, update

from shared.node.decisions import send_id, undelivered_id
from shared.node.journal import DuplicateRequestError, Journal
from shared.node.retention import EXCHANGES
from shared.node.rules import Outgoing, Reply
from shared.node.send.outbox import AttemptOutcome, AttemptRecord, DeliveryAttempt, OutboxState
from shared.node.tables import ATTEMPTS, DELETED_MESSAGES, INBOX, OUTBOX, RECORDS, REFUSALS, TIMERS, create_tables
from shared.protocol.verification import History
from shared.storage import space
from shared.storage.slices import SLICE
from shared.storage.space import prepare_to_shrink
from tests.equipment.clock import NOW
from tests.equipment.messages import CALLBACK, TRIGGER, arrival, callback, deciding, request
from tests.equipment.storage import contents, journal_on, rows, sqlite_engine
from tests.node.test_journal import OUTGOING, dispatch, refusal

TICK = timedelta(microseconds=1)
MONTHS_LATER = NOW + timedelta(days=90)

both = pytest.mark.on_both_databases


@pytest.fixture
async def journal(engine: Engine) -> AsyncIterator[Journal]:
    async with journal_on(engine) as journal:
        yield journal


async def answered(journal: Journal, request_id: str = "request-1", state: OutboxState = OutboxState.DELIVERED) -> None:
    """Accept a request, and let its callback come into that state at its first try."""
    outgoing = Outgoing("LSP123", CALLBACK, request_id, {"requestId": request_id})
    rule = deciding(Reply(outgoing=[outgoing]))
    accepted = await journal.accept(arrival(request(request_id, f"trace of {request_id}"), rule))
    (entry,) = accepted.outbox
    attempt = DeliveryAttempt(entry, NOW, 1.0, "trace", "kid", AttemptOutcome.FAILED, "reason", sent=b"sent")
    await journal.record(AttemptRecord(attempt, state, NOW))


def left(engine: Engine) -> dict[str, int]:
    return {table.name: len(rows(engine, table)) for table in (INBOX, OUTBOX, ATTEMPTS, DELETED_MESSAGES)}


@both
@pytest.mark.parametrize("state", [OutboxState.DELIVERED, OutboxState.REFUSED, OutboxState.DEAD])
async def test_an_exchange_goes_when_its_last_message_is_finished_and_older(
    journal: Journal, engine: Engine, state: OutboxState
) -> None:
    await answered(journal, state=state)
    before = contents(engine)
    assert await journal.delete_before(NOW) == 0
    assert contents(engine) == before
    assert await journal.delete_before(NOW + TICK) == 2
    assert left(engine) == {"inbox": 0, "outbox": 0, "attempts": 0, "deleted_messages": 2}


@both
@pytest.mark.parametrize("state", [OutboxState.WAITING, OutboxState.SENDING])
async def test_while_its_callback_is_unfinished_nothing_of_an_exchange_goes(
    journal: Journal, engine: Engine, state: OutboxState
) -> None:
    await answered(journal, state=state)
    before = contents(engine)
    assert await journal.delete_before(MONTHS_LATER) == 0
    assert contents(engine) == before


@both
@pytest.mark.parametrize("which", ["answer", "undelivered"])
async def test_while_a_timer_refers_to_an_exchange_it_stays_whole(journal: Journal, engine: Engine, which: str) -> None:
    await answered(journal, state=OutboxState.DEAD)
    ids = {
        "answer": send_id("LSP123", CALLBACK.full_name, "request-1"),
        "undelivered": undelivered_id(rows(engine, OUTBOX)[0]["id"]),
    }
    timer = {"id": ids[which], "kind": "any", "clock": "BUSINESS", "due_at": NOW, "data": "{}", "not_before": NOW}
    with engine.begin() as connection:
        connection.execute(insert(TIMERS), [timer])
    before = contents(engine)
    assert await journal.delete_before(MONTHS_LATER) == 0
    assert contents(engine) == before
    with engine.begin() as connection:
        connection.execute(delete(TIMERS))
    assert await journal.delete_before(MONTHS_LATER) == 2


@both
async def test_a_message_that_was_driven_again_counts_from_its_last_end(journal: Journal, engine: Engine) -> None:
    await answered(journal, state=OutboxState.DEAD)
    with engine.begin() as connection:
        connection.execute(update(OUTBOX).values(state="DELIVERED", due_at=NOW + timedelta(days=10)))
    assert await journal.delete_before(NOW + timedelta(days=10)) == 0
    assert await journal.delete_before(NOW + timedelta(days=10) + TICK) == 2


@both
async def test_an_exchange_whose_other_message_came_later_stays_whole(journal: Journal, engine: Engine) -> None:
    await journal.dispatch(replace(dispatch(), state=OutboxState.DELIVERED))
    await journal.accept(arrival(callback(now=NOW + timedelta(minutes=1))))
    assert await journal.delete_before(NOW + timedelta(seconds=30)) == 0
    assert left(engine) == {"inbox": 1, "outbox": 1, "attempts": 0, "deleted_messages": 0}


@both
async def test_a_deleted_message_that_comes_again_is_accepted_without_a_second_effect(
    journal: Journal, engine: Engine
) -> None:
    await answered(journal)
    await journal.delete_before(MONTHS_LATER)
    rule = deciding(Reply(outgoing=[Outgoing("LSP123", CALLBACK, "request-1", {})]))
    again = await journal.accept(arrival(request(trace_id="trace-2"), rule))
    assert (again.history, again.outbox) == (History.REPEATED, ())
    assert left(engine) == {"inbox": 0, "outbox": 0, "attempts": 0, "deleted_messages": 2}


@both
async def test_the_request_id_of_a_deleted_message_with_other_content_is_a_conflict(
    journal: Journal, engine: Engine
) -> None:
    await answered(journal)
    await journal.delete_before(MONTHS_LATER)
    before = contents(engine)
    other = await journal.accept(arrival(request(trace_id="trace-2", extra="another")))
    assert other.history is History.CONFLICT
    assert contents(engine) == before


@both
async def test_the_callback_to_a_deleted_request_is_still_taken_and_one_to_no_request_is_not(journal: Journal) -> None:
    await journal.dispatch(replace(dispatch(), state=OutboxState.DELIVERED))
    assert await journal.delete_before(MONTHS_LATER) == 1
    assert (await journal.accept(arrival(callback()))).problem is None
    assert (await journal.accept(arrival(callback("request-2", "trace-2")))).problem is not None


@both
async def test_a_request_id_of_ours_is_not_used_again_after_its_message_was_deleted(
    journal: Journal, engine: Engine
) -> None:
    await journal.dispatch(replace(dispatch(), state=OutboxState.DELIVERED))
    await journal.delete_before(MONTHS_LATER)
    before = contents(engine)
    with pytest.raises(DuplicateRequestError):
        await journal.dispatch(dispatch())
    assert contents(engine) == before


@both
async def test_a_message_of_ours_that_was_deleted_cannot_be_driven_again(journal: Journal, engine: Engine) -> None:
    entry = await journal.dispatch(replace(dispatch(), state=OutboxState.DEAD))
    await journal.delete_before(MONTHS_LATER)
    assert await journal.redrive(entry.id, NOW) is None


@both
async def test_what_the_rules_remember_is_not_deleted_by_age(journal: Journal, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(RECORDS), [{"id": "loan", "kind": "loan", "participant": "LSP123", "state": "{}"}])
    before = rows(engine, RECORDS)
    await journal.delete_before(MONTHS_LATER)
    assert rows(engine, RECORDS) == before


@both
async def test_two_processes_that_delete_at_once_delete_everything_once(journal: Journal, engine: Engine) -> None:
    number = 3 * EXCHANGES
    await journal.act(lambda connection: fill(connection, number))
    async with journal_on(engine) as another:
        deleted = await asyncio.gather(journal.delete_before(NOW), another.delete_before(NOW))
    assert sum(deleted) == 3 * number
    assert left(engine) == {"inbox": 0, "outbox": 0, "attempts": 0, "deleted_messages": 2 * number}


@both
async def test_refusals_go_when_they_are_older(journal: Journal, engine: Engine) -> None:
    for minutes in range(2):
        await journal.note_refusal(refusal(received_at=NOW + timedelta(minutes=minutes)))
    assert await journal.delete_before(NOW) == 0
    assert await journal.delete_before(NOW + TICK) == 1
    assert [row["received_at"] for row in rows(engine, REFUSALS)] == [NOW + timedelta(minutes=1)]


@both
async def test_it_goes_in_slices_past_what_has_to_stay_and_others_are_served_between_them(
    journal: Journal, engine: Engine
) -> None:
    number = 2 * EXCHANGES + 5
    await journal.act(lambda connection: fill(connection, number))
    with engine.begin() as connection:  # more than a slice of the oldest are unfinished
        oldest = [f"old-{each:06}" for each in range(EXCHANGES + 1)]
        connection.execute(update(OUTBOX).where(OUTBOX.c.id.in_(oldest)).values(state="WAITING"))
    transactions: list[dict[str, int]] = [{}]

    def note(_: Connection, cursor: Any, statement: str, *__: Any) -> None:
        if "DELETE FROM" in statement:
            table = statement.partition("DELETE FROM ")[2].split()[0]
            transactions[-1][table] = transactions[-1].get(table, 0) + cursor.rowcount

    event.listen(engine, "after_cursor_execute", note)
    event.listen(engine, "commit", lambda _: transactions.append({}))
    task = asyncio.create_task(journal.delete_before(NOW))
    served = 0
    while not task.done():
        await journal.dispatch(dispatch(replace(OUTGOING, request_id=f"request-{served}")))
        served += 1
    exchanges = number - EXCHANGES - 1
    assert await task == 2 * exchanges + number  # and the refusals
    slices = [deleted for deleted in transactions if deleted]
    assert max(deleted.get("outbox", 0) for deleted in slices) <= EXCHANGES
    assert max(deleted.get("refusals", 0) for deleted in slices) <= SLICE
    assert sum(deleted.get("outbox", 0) for deleted in slices) == exchanges
    assert served >= len(slices)


def fill(connection: Connection, number: int) -> None:
    """Put so many old exchanges and refusals there, with one try each."""
    empty = dict.fromkeys(
        ("trace_id", "kid", "certificate", "address", "steps", "reason", "result", "path", "error"), ""
    )
    times = dict.fromkeys(("received_at", "created_at", "driven_at", "due_at", "started_at"), NOW - timedelta(days=1))
    blobs = {
        "content_digest": b"digest",
        "raw": b"x" * 4_000,
        "ack": b"x" * 900,
        "sent": b"x" * 4_000,
        "answer": b"ack",
    }
    rest = {"sender": "LSP123", "receiver": "LSP123", "peer": "LSP123", "content": "{}", "state": "DELIVERED"}
    row = {**empty, **times, **blobs, **rest, "tries": 1, "outcome": "ACCEPTED", "milliseconds": 1.0}
    for table, message in ((INBOX, TRIGGER), (OUTBOX, CALLBACK), (ATTEMPTS, None), (REFUSALS, None)):
        common = {name: value for name, value in row.items() if name in table.c}
        common |= {"message": message.full_name} if message else {}
        named = [name for name in ("id", "outbox_id", "request_id") if name in table.c]
        names = [f"old-{each:06}" for each in range(number)]
        connection.execute(insert(table), [{**common, **dict.fromkeys(named, name)} for name in names])


def size(engine: Engine) -> int:
    """The size of a SQLite file once its log is written into it, in bytes."""
    with closing(sqlite3.connect(str(engine.url.database))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return Path(str(engine.url.database)).stat().st_size


async def test_a_sqlite_file_of_a_former_release_shrinks_in_slices_once_it_was_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "PAGES", 50)
    with sqlite_engine(tmp_path) as engine:
        create_tables(engine)
        with engine.begin() as connection:
            fill(connection, 400)
        before, content = size(engine), contents(engine)
        prepare_to_shrink(engine)
        assert contents(engine) == content
        pages: list[int] = []
        event.listen(engine, "commit", lambda connection: pages.append(pages_of(connection)))
        async with journal_on(engine) as journal:
            await journal.delete_before(NOW)
        assert 50 <= max(earlier - later for earlier, later in pairwise(pages)) <= 51  # one of the map goes with them
        assert size(engine) < before / 5
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def pages_of(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


async def test_a_tenth_of_the_file_stays_free_for_what_is_to_come(tmp_path: Path) -> None:
    with sqlite_engine(tmp_path) as engine:
        prepare_to_shrink(engine)
        create_tables(engine)
        with engine.begin() as connection:
            fill(connection, 400)
            connection.exec_driver_sql("DELETE FROM refusals WHERE id < 'old-000050'")
            free, pages = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one(), pages_of(connection)
            assert 0 < free < pages / 10
            assert not space.shrink(connection)
            assert pages_of(connection) == pages


def test_a_file_that_cannot_be_rewritten_is_used_as_it_is_and_that_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite_engine(tmp_path) as engine:
        create_tables(engine)
        with closing(sqlite3.connect(str(engine.url.database), isolation_level=None)) as another:
            another.execute("BEGIN IMMEDIATE")
            prepare_to_shrink(engine)
        assert "cannot be made to shrink, and is used as it is: database is locked" in caplog.text
        with engine.begin() as connection:
            fill(connection, 200)
            connection.exec_driver_sql("DELETE FROM refusals")
            assert not space.shrink(connection)
