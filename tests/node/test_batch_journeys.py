"""What rules know of journeys: those that they ask for, as the messages before have left them. On both databases."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from shared.node.batch_journeys import BatchJourneys
from shared.node.journal import Journal
from shared.node.journeys import Decision, Journey
from shared.node.tables import INBOX, JOURNEYS, create_tables
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from tests.equipment.clock import NOW
from tests.equipment.messages import TRIGGER, RuleOfTest, arrival, deciding, request, verified
from tests.equipment.parties import LSP, payload_of
from tests.equipment.storage import journal_on, rows

pytestmark = pytest.mark.on_both_databases

LATER = NOW + timedelta(minutes=5)

JOURNEY = Journey("session-1", "otp-session", LSP, {"triesLeft": 3}, LATER)


@pytest.fixture
async def journal(engine: Engine) -> AsyncIterator[Journal]:
    async with journal_on(engine) as journal:
        yield journal


def counted(engine: Engine) -> str:
    """What is stored of the journey in which is counted."""
    (row,) = [row for row in rows(engine, JOURNEYS) if row["key"] == "session-1"]
    return str(row["state"])


async def test_a_rule_sees_the_journeys_that_it_needs_and_that_are_alive(journal: Journal) -> None:
    seen: list[tuple[Mapping[str, Journey], datetime]] = []

    def look(message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
        seen.append((journeys, now))
        return Decision()

    other = replace(JOURNEY, key="session-2")
    await journal.accept(arrival(request(), deciding(Decision(journeys=[JOURNEY, other]))))
    for number, moment in enumerate((NOW, LATER - timedelta(microseconds=1), LATER)):
        stamp = {"traceId": f"trace-{number + 2}", "timestamp": moment.isoformat()}
        message = verified(payload_of(TRIGGER.name, f"request-{number + 2}", **stamp), TRIGGER.name, moment)
        await journal.accept(arrival(message, RuleOfTest(look, ["session-1", "session-3"])))

    alive = {"session-1": JOURNEY}
    assert seen == [(alive, NOW), (alive, LATER - timedelta(microseconds=1)), ({}, LATER)]


def counting(message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
    """Count in a journey how often it was decided, and refuse the fourth."""
    count = journeys["session-1"].state["count"] + 1 if journeys else 1
    if count > 3:
        return Decision(Problem.NOT_ALLOWED_NOW)
    return Decision(journeys=[replace(JOURNEY, state={"count": count})])


async def test_messages_that_arrive_together_decide_one_after_another_about_the_same_journey(
    journal: Journal, engine: Engine
) -> None:
    rule = RuleOfTest(counting, ["session-1"])
    messages = [request(f"request-{number}", f"trace-{number}") for number in range(5)]
    results = await asyncio.gather(*(journal.accept(arrival(message, rule)) for message in messages))
    assert [result.problem for result in results] == [None] * 3 + [Problem.NOT_ALLOWED_NOW] * 2
    assert counted(engine) == '{"count":3}'
    assert len(rows(engine, INBOX)) == 3


async def test_two_processes_decide_one_after_another_about_the_same_journey(journal: Journal, engine: Engine) -> None:
    rule = RuleOfTest(counting, ["session-1"])
    await journal.accept(arrival(request("request-first", "trace-first"), rule))
    messages = [request(f"request-{number}", f"trace-{number}") for number in range(6)]
    async with journal_on(engine) as second:
        journals = [journal, second] * 3
        results = await asyncio.gather(
            *(one.accept(arrival(message, rule)) for one, message in zip(journals, messages, strict=True))
        )
    assert sum(result.problem is None for result in results) == 2
    assert counted(engine) == '{"count":3}'


async def test_two_processes_do_not_both_begin_the_same_journey(journal: Journal, engine: Engine) -> None:
    rule = RuleOfTest(counting, ["session-1"])
    messages = [request(f"request-{number}", f"trace-{number}") for number in range(6)]
    async with journal_on(engine) as second:
        journals = [journal, second] * 3
        results = await asyncio.gather(
            *(one.accept(arrival(message, rule)) for one, message in zip(journals, messages, strict=True))
        )
    assert sum(result.problem is None for result in results) == 3
    assert counted(engine) == '{"count":3}'


def test_a_journey_that_another_has_begun_since_it_was_found_missing_is_not_overwritten(engine: Engine) -> None:
    create_tables(engine)
    with engine.connect() as connection:
        late, early = BatchJourneys(connection), BatchJourneys(connection)
        for batch in (late, early):
            assert batch.alive(["session-1"], NOW) == {}
        early.keep([JOURNEY])
        early.write()
        late.keep([replace(JOURNEY, state={})])
        with pytest.raises(IntegrityError):
            late.write()


@dataclass(frozen=True)
class Following(RuleOfTest):
    """A rule that asks for what the journeys that it asks for at first tell it to."""

    def further_keys(self, message: VerifiedMessage, journeys: Mapping[str, Journey]) -> Sequence[str]:
        return [journey.state["next"] for journey in journeys.values()]


def counting_in_the_next(message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
    """Count in the journey that the first one tells, and refuse the fourth."""
    return counting(message, {key: journey for key, journey in journeys.items() if key == "session-1"}, now)


@pytest.fixture
async def pointers(journal: Journal) -> Sequence[RuleOfTest]:
    """Rules that begin at eight journeys, all of which tell the same one."""
    journeys = [replace(JOURNEY, key=f"pointer-{number}", state={"next": "session-1"}) for number in range(8)]
    await journal.accept(arrival(request("request-first", "trace-first"), deciding(Decision(journeys=journeys))))
    return [Following(counting_in_the_next, [journey.key]) for journey in journeys]


async def test_messages_that_arrive_together_decide_one_after_another_about_a_journey_that_others_tell(
    journal: Journal, engine: Engine, pointers: Sequence[RuleOfTest]
) -> None:
    arrivals = [arrival(request(f"request-{n}", f"trace-{n}"), rule) for n, rule in enumerate(pointers)]
    results = await asyncio.gather(*(journal.accept(one) for one in arrivals))
    assert [result.problem for result in results] == [None] * 3 + [Problem.NOT_ALLOWED_NOW] * 5
    assert counted(engine) == '{"count":3}'


async def test_two_processes_decide_one_after_another_about_a_journey_that_others_tell(
    journal: Journal, engine: Engine, pointers: Sequence[RuleOfTest]
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
    await journal.accept(arrival(request("request-0", "trace-0"), RuleOfTest(counting, ["session-1"])))
    pointer = replace(JOURNEY, key="pointer", state={"next": "session-1"})
    first = arrival(request("request-1", "trace-1"), deciding(Decision(journeys=[pointer]), "pointer"))
    second = arrival(request("request-2", "trace-2"), Following(counting_in_the_next, ["pointer"]))
    await asyncio.gather(journal.accept(first), journal.accept(second))
    assert counted(engine) == '{"count":2}'
