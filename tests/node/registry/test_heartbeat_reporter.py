"""The reporter: every message is told, nobody waits for it, and what cannot be told is counted."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.node.registry.events import Occasion
from shared.node.registry.heartbeat import REST, HeartbeatReporter
from shared.node.registry.member import Member
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.node import RecordingTelemetry
from tests.equipment.scripted_registry import EVENTS, ScriptedRegistry


class Pauses:
    """Sleeps until the test lets it go on; rests between events are over at once, and counted."""

    def __init__(self) -> None:
        self.rests = 0
        self.asked: list[float] = []
        self.go_on = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        if seconds == REST:
            self.rests += 1
            return
        self.asked.append(seconds)
        await self.go_on.wait()


@pytest.fixture
def telemetry() -> RecordingTelemetry:
    return RecordingTelemetry("LSP123")


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def reporter(member: Member, telemetry: RecordingTelemetry, pauses: Pauses) -> AsyncIterator[HeartbeatReporter]:
    reporter = HeartbeatReporter(member.service, member.access, telemetry, room=10, wait=pauses)
    yield reporter
    await reporter.stop()


def put(reporter: HeartbeatReporter, *names: str) -> None:
    for name in names:
        reporter._put(Occasion(name, "3051", 200, "Success", NOW), {})


def counted(telemetry: RecordingTelemetry, outcome: str) -> float:
    return telemetry.registry.get_sample_value("ocen_heartbeat_events_total", {"outcome": outcome}) or 0.0


def told(registry: ScriptedRegistry) -> list[str]:
    return [json.loads(request.content)["event"]["eventType"] for request in posts(registry)]


def posts(registry: ScriptedRegistry) -> list[httpx.Request]:
    return [request for request in registry.requests if request.url.path == EVENTS]


async def until(condition: Any) -> None:
    """Let the workers go on until something is so."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not come to that")


async def test_each_event_is_posted_with_our_token(
    reporter: HeartbeatReporter, registry: ScriptedRegistry, telemetry: RecordingTelemetry
) -> None:
    reporter.start()
    put(reporter, "A", "B", "C")
    await until(lambda: counted(telemetry, "taken") == 3)
    assert sorted(told(registry)) == ["A", "B", "C"]
    assert registry.requests[-1].headers["authorization"] == f"Bearer {registry.issued[0]}"
    assert registry.requests[-1].headers["content-type"] == "application/json"


async def test_when_the_queue_is_full_the_oldest_are_dropped_and_counted(
    reporter: HeartbeatReporter, registry: ScriptedRegistry, telemetry: RecordingTelemetry, pauses: Pauses
) -> None:
    put(reporter, *(f"E{number}" for number in range(15)))
    assert counted(telemetry, "dropped") == 5
    reporter.start()
    await until(lambda: counted(telemetry, "taken") == 10)
    assert sorted(told(registry)) == sorted(f"E{number}" for number in range(5, 15))


@pytest.mark.parametrize("status", [None, 401, 408, 429, 500, 503])
async def test_while_the_service_does_not_answer_it_tries_again_with_pauses_that_grow(
    reporter: HeartbeatReporter,
    registry: ScriptedRegistry,
    telemetry: RecordingTelemetry,
    pauses: Pauses,
    status: int | None,
) -> None:
    if status is None:
        registry.is_down = True
    else:
        registry.replies[EVENTS] = lambda _: httpx.Response(status)
    reporter.start()
    put(reporter, "A")
    for _ in range(8):
        await until(lambda: pauses.asked and not pauses.go_on.is_set())
        before = len(pauses.asked)
        pauses.go_on.set()
        pauses.go_on = asyncio.Event()
        await until(lambda before=before: len(pauses.asked) > before)
    assert pauses.asked == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    registry.is_down, registry.replies = False, {}
    registry.clock.advance(11)
    pauses.go_on.set()
    await until(lambda: counted(telemetry, "taken") == 1)
    assert counted(telemetry, "dropped") == 0
    assert len({json.loads(request.content)["event"]["requestId"] for request in posts(registry)}) == 1


async def test_an_event_that_is_refused_holds_up_no_other(
    reporter: HeartbeatReporter, registry: ScriptedRegistry, telemetry: RecordingTelemetry
) -> None:
    registry.replies[EVENTS] = lambda request: httpx.Response(400 if b'"BAD"' in request.content else 200)
    reporter.start()
    put(reporter, "BAD", "GOOD")
    await until(lambda: counted(telemetry, "taken") == counted(telemetry, "refused") == 1)


async def test_a_worker_rests_after_each_event_so_that_messages_come_first(
    reporter: HeartbeatReporter, telemetry: RecordingTelemetry, pauses: Pauses
) -> None:
    reporter.start()
    put(reporter, *(f"E{number}" for number in range(10)))
    await until(lambda: pauses.rests == 10)
    assert counted(telemetry, "taken") == 10


async def test_a_token_that_is_refused_is_renewed_once(
    reporter: HeartbeatReporter,
    member: Member,
    registry: ScriptedRegistry,
    telemetry: RecordingTelemetry,
    clock: FrozenClock,
) -> None:
    registry.refused.add(await member.access.token())
    clock.advance(11)
    reporter.start()
    put(reporter, "A")
    await until(lambda: counted(telemetry, "taken") == 1)
    assert len(registry.issued) == 2


async def test_what_cannot_be_reported_is_told_and_raises_nothing(
    reporter: HeartbeatReporter, telemetry: RecordingTelemetry
) -> None:
    reporter._put(Occasion("A", "3051", 200, "Success", NOW), None)  # type: ignore[arg-type]
    ((event, _),) = telemetry.troubles
    assert event == "message not reported"


async def test_at_the_end_what_is_there_is_still_carried(
    reporter: HeartbeatReporter, registry: ScriptedRegistry, telemetry: RecordingTelemetry
) -> None:
    reporter.start()
    put(reporter, "A", "B")
    await reporter.stop()
    assert sorted(told(registry)) == ["A", "B"]


async def test_the_end_does_not_wait_for_a_service_that_does_not_answer_and_counts_what_is_lost(
    reporter: HeartbeatReporter, registry: ScriptedRegistry, telemetry: RecordingTelemetry, pauses: Pauses
) -> None:
    registry.is_down = True
    reporter.start()
    put(reporter, *(f"E{number}" for number in range(10)))
    await until(lambda: len(pauses.asked) == 4)
    await reporter.stop()
    assert counted(telemetry, "dropped") == 10
