"""Whether messages can be taken now: one write for all who ask, and since when there is an obstacle."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from shared.node import readiness
from shared.node.readiness import Obstacle, ReadinessCheck
from shared.node.tables import SCHEMA
from shared.storage.schema import VERSIONS
from shared.storage.writer import StorageUnavailable
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.storage import journal_on

pytestmark = pytest.mark.on_both_databases


class Database:
    """Takes a change, or does not."""

    def __init__(self) -> None:
        self.writes: list[datetime] = []
        self.trouble = ""
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def write(self, now: datetime) -> None:
        self.writes.append(now)
        await self.goes_on.wait()
        if self.trouble:
            raise StorageUnavailable(self.trouble)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def check(database: Database, clock: FrozenClock) -> ReadinessCheck:
    return ReadinessCheck(lambda: True, database.write, clock)


async def test_all_who_ask_at_once_share_one_write(check: ReadinessCheck, database: Database) -> None:
    assert await asyncio.gather(*(check.obstacle() for _ in range(100))) == [None] * 100
    assert database.writes == [NOW]


async def test_all_who_ask_within_a_second_have_the_outcome_of_one_write(
    check: ReadinessCheck, database: Database, clock: FrozenClock
) -> None:
    for _ in range(10):
        await check.obstacle()
        clock.advance(0.099)
    assert len(database.writes) == 1
    clock.advance(0.01)
    await check.obstacle()
    assert len(database.writes) == 2


async def test_an_obstacle_keeps_the_moment_at_which_it_was_first_met(
    check: ReadinessCheck, database: Database, clock: FrozenClock
) -> None:
    database.trouble = "the disk is full"
    assert await check.obstacle() == Obstacle("the disk is full", NOW)
    clock.advance(30)
    database.trouble = "the server is gone"
    assert await check.obstacle() == Obstacle("the server is gone", NOW)
    clock.advance(30)
    database.trouble = ""
    assert await check.obstacle() is None
    clock.advance(30)
    database.trouble = "the disk is full"
    assert await check.obstacle() == Obstacle("the disk is full", NOW + timedelta(seconds=90))


async def test_a_database_that_hangs_is_not_waited_for_without_end(
    check: ReadinessCheck, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert readiness.WAIT_SECONDS == 2
    monkeypatch.setattr(readiness, "WAIT_SECONDS", 0.01)
    database.goes_on.clear()
    obstacle = await check.obstacle()
    assert obstacle is not None
    assert "has not taken a change within" in obstacle.reason


async def test_who_gives_up_asking_does_not_end_the_write_for_others(check: ReadinessCheck, database: Database) -> None:
    database.goes_on.clear()
    impatient, patient = (asyncio.create_task(check.obstacle()) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    database.goes_on.set()
    assert await patient is None
    assert len(database.writes) == 1


async def test_a_plane_that_does_not_listen_is_an_obstacle_and_nothing_is_written(
    database: Database, clock: FrozenClock
) -> None:
    check = ReadinessCheck(lambda: False, database.write, clock)
    assert await check.obstacle() == Obstacle("the protocol plane does not listen", NOW)
    assert database.writes == []


async def test_writes_change_one_row_and_leave_the_database_as_large_as_it_was(engine: Engine) -> None:
    async with journal_on(engine) as journal:
        for number in range(20):
            await journal.write_check(NOW + timedelta(seconds=number))
    with engine.connect() as connection:
        assert connection.execute(select(VERSIONS.c.schema, VERSIONS.c.written_at)).all() == [
            ("node", NOW + timedelta(seconds=19))
        ]
        assert connection.scalar(select(func.count()).select_from(VERSIONS)) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_process_that_is_held_up_while_it_writes_does_not_hold_up_another(engine: Engine) -> None:
    async with journal_on(engine) as journal:
        with engine.begin() as held_up:
            SCHEMA.touch(held_up, NOW)
            await asyncio.gather(journal.write_check(NOW + timedelta(seconds=1)), journal.claim(NOW, 1))
        await journal.write_check(NOW + timedelta(seconds=2))
    with engine.connect() as connection:
        assert connection.scalar(select(VERSIONS.c.written_at)) == NOW + timedelta(seconds=2)
