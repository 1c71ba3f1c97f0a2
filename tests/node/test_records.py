"""What rules know of records: those that they ask for, as the messages before have left them. On both databases."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from shared.node.ids import new_id
from shared.node.journal import Journal
from shared.node.records import BatchRecords
from shared.node.rules import Bound, Moment, Record, Records, Reply, find_records
from shared.node.tables import INBOX, RECORDS, create_tables
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from tests.equipment.clock import NOW
from tests.equipment.messages import TRIGGER, arrival, deciding, request, verified
from tests.equipment.parties import LENDER, LSP, payload_of
from tests.equipment.storage import journal_on, rows

pytestmark = pytest.mark.on_both_databases

LATER = NOW + timedelta(minutes=5)

RECORD = Record("session-1", "otp-session", LSP, {"triesLeft": 3}, LATER)


@pytest.fixture
async def journal(engine: Engine) -> AsyncIterator[Journal]:
    async with journal_on(engine) as journal:
        yield journal


def counted(engine: Engine) -> str:
    """What is stored of the record in which is counted."""
    (row,) = [row for row in rows(engine, RECORDS) if row["id"] == "session-1"]
    return str(row["state"])


async def test_a_rule_sees_the_records_that_it_needs_and_that_are_alive(journal: Journal) -> None:
    seen: list[tuple[Record | None, ...]] = []

    def look(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
        seen.append((records.get("session-1"), records.get("session-3")))
        return Reply()

    other = replace(RECORD, id="session-2")
    await journal.accept(arrival(request(), deciding(Reply(records=[RECORD, other]))))
    for number, moment in enumerate((NOW, LATER - timedelta(microseconds=1), LATER)):
        stamp = {"traceId": f"trace-{number + 2}", "timestamp": moment.isoformat()}
        message = verified(payload_of(TRIGGER.name, f"request-{number + 2}", **stamp), TRIGGER.name, moment)
        await journal.accept(arrival(message, look))

    assert seen == [(RECORD, None), (RECORD, None), (None, None)]


async def test_a_record_without_an_end_stays_and_is_found_by_each_of_its_ids(journal: Journal, engine: Engine) -> None:
    lasting = replace(RECORD, expires_at=None, other_ids=["handle-1", "handle-2"])
    await journal.accept(arrival(request(), deciding(Reply(records=[lasting]))))
    changed = replace(RECORD, expires_at=None, state={"triesLeft": 2}, other_ids=["handle-3"])
    await journal.accept(arrival(request("request-2", "trace-2"), deciding(Reply(records=[changed]))))
    await journal.purge(NOW + timedelta(days=40_000), "")
    found: list[Record | None] = []

    def look(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
        found[:] = find_records(records, ["session-1", "handle-1", "handle-2", "handle-3", "handle-4"])
        return Reply()

    await journal.accept(arrival(request("request-3", "trace-3"), look))
    assert found == [changed] * 4 + [None]


def counting(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
    """Count in a record how often it was decided, and refuse the fourth."""
    record = records.get("session-1")
    count = 1 if record is None else record.state["count"] + 1
    if count > 3:
        return Reply(Problem.NOT_ALLOWED_NOW)
    return Reply(records=[replace(RECORD, state={"count": count})])


async def test_messages_that_arrive_together_decide_one_after_another_about_the_same_record(
    journal: Journal, engine: Engine
) -> None:
    rule = counting
    messages = [request(f"request-{number}", f"trace-{number}") for number in range(5)]
    results = await asyncio.gather(*(journal.accept(arrival(message, rule)) for message in messages))
    assert [result.problem for result in results] == [None] * 3 + [Problem.NOT_ALLOWED_NOW] * 2
    assert counted(engine) == '{"count":3}'
    assert len(rows(engine, INBOX)) == 3


async def test_two_processes_decide_one_after_another_about_the_same_record(journal: Journal, engine: Engine) -> None:
    rule = counting
    await journal.accept(arrival(request("request-first", "trace-first"), rule))
    messages = [request(f"request-{number}", f"trace-{number}") for number in range(6)]
    async with journal_on(engine) as second:
        journals = [journal, second] * 3
        results = await asyncio.gather(
            *(writer.accept(arrival(message, rule)) for writer, message in zip(journals, messages, strict=True))
        )
    assert sum(result.problem is None for result in results) == 2
    assert counted(engine) == '{"count":3}'


async def test_two_processes_do_not_both_begin_the_same_record(journal: Journal, engine: Engine) -> None:
    rule = counting
    messages = [request(f"request-{number}", f"trace-{number}") for number in range(6)]
    async with journal_on(engine) as second:
        journals = [journal, second] * 3
        results = await asyncio.gather(
            *(writer.accept(arrival(message, rule)) for writer, message in zip(journals, messages, strict=True))
        )
    assert sum(result.problem is None for result in results) == 3
    assert counted(engine) == '{"count":3}'


def test_a_record_that_another_has_begun_since_it_was_found_missing_is_not_overwritten(engine: Engine) -> None:
    create_tables(engine)
    with engine.connect() as connection:
        late, early = BatchRecords(connection), BatchRecords(connection)
        for batch in (late, early):
            batch.read(["session-1"])
            assert "session-1" not in batch.as_of(NOW)
        early.keep([RECORD])
        early.write()
        late.keep([replace(RECORD, state={})])
        with pytest.raises(IntegrityError):
            late.write()


def following(pointer: str) -> Bound[VerifiedMessage]:
    """A rule that counts in the record that another one tells, and refuses the fourth."""

    def rule(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
        return counting(
            message, {"session-1": found} if (found := records.get(records[pointer].state["next"])) else {}, now
        )

    return rule


@pytest.fixture
async def pointers(journal: Journal) -> Sequence[Bound[VerifiedMessage]]:
    """Rules that begin at eight records, all of which tell the same one."""
    records = [replace(RECORD, id=f"pointer-{number}", state={"next": "session-1"}) for number in range(8)]
    await journal.accept(arrival(request("request-first", "trace-first"), deciding(Reply(records=records))))
    return [following(record.id) for record in records]


async def test_messages_that_arrive_together_decide_one_after_another_about_a_record_that_others_tell(
    journal: Journal, engine: Engine, pointers: Sequence[Bound[VerifiedMessage]]
) -> None:
    arrivals = [arrival(request(f"request-{n}", f"trace-{n}"), rule) for n, rule in enumerate(pointers)]
    results = await asyncio.gather(*(journal.accept(message) for message in arrivals))
    assert [result.problem for result in results] == [None] * 3 + [Problem.NOT_ALLOWED_NOW] * 5
    assert counted(engine) == '{"count":3}'


async def test_two_processes_decide_one_after_another_about_a_record_that_others_tell(
    journal: Journal, engine: Engine, pointers: Sequence[Bound[VerifiedMessage]]
) -> None:
    arrivals = [arrival(request(f"request-{n}", f"trace-{n}"), rule) for n, rule in enumerate(pointers)]
    await journal.accept(arrivals[0])
    async with journal_on(engine) as second:
        results = await asyncio.gather(
            *((second if n % 2 else journal).accept(one) for n, one in enumerate(arrivals[1:]))
        )
    assert sum(result.problem is None for result in results) == 2
    assert counted(engine) == '{"count":3}'


async def test_what_a_message_before_it_tells_is_read_for_a_message_that_arrives_with_it(
    journal: Journal, engine: Engine
) -> None:
    await journal.accept(arrival(request("request-0", "trace-0"), counting))
    pointer = replace(RECORD, id="pointer", state={"next": "session-1"})
    first = arrival(request("request-1", "trace-1"), deciding(Reply(records=[pointer]), "pointer"))
    second = arrival(request("request-2", "trace-2"), following("pointer"))
    await asyncio.gather(journal.accept(first), journal.accept(second))
    assert counted(engine) == '{"count":2}'


async def test_a_rule_that_asks_for_other_records_whenever_it_runs_fails_alone(
    journal: Journal, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wandering(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
        return Reply() if new_id() in records else counting(message, records, now)

    monkeypatch.setattr("shared.node.decisions.ROUNDS", 20)
    rules = {"request-1": counting, "request-2": wandering, "request-3": counting}
    accepted = [journal.accept(arrival(request(id_, f"trace of {id_}"), rule)) for id_, rule in rules.items()]
    results = await asyncio.gather(*accepted, return_exceptions=True)
    assert [isinstance(result, RuntimeError) for result in results] == [False, True, False]
    assert counted(engine) == '{"count":2}'


async def test_a_record_that_becomes_one_of_another_kind_or_participant_is_so_from_then_on(
    journal: Journal, engine: Engine
) -> None:
    led = replace(RECORD, expires_at=None, other_ids=["handle-1", "handle-2"])
    await journal.accept(arrival(request(), deciding(Reply(records=[led]))))
    became = [
        Record("handle-1", "consent", LENDER, {}),
        Record("session-2", "otp-session", LSP, {}, None, ["handle-2"]),
    ]
    await journal.accept(arrival(request("request-2", "trace-2"), deciding(Reply(records=became))))
    found: list[Record | None] = []

    def look(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
        found[:] = find_records(records, ["session-1", "handle-1", "handle-2"])
        return Reply()

    await journal.accept(arrival(request("request-3", "trace-3"), look))
    assert found == [led, *became]
