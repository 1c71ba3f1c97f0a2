"""A database that hangs: whoever waits for it is told in time, and nothing waits for it without end."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, func, select, text

from shared.storage.reader import read
from shared.storage.writer import GroupCommit, StorageUnavailable
from tests.equipment.deadline import DEADLINE
from tests.node.loan_units import Gate, Grant, Loan, run_all, running_writer, stored

pytestmark = pytest.mark.on_both_databases

SHORT = 1.0
"""Seconds: what is expected to come takes some milliseconds, also from a database on a busy machine much less."""


@pytest.fixture(autouse=True)
def nobody_left_behind(engine: Engine) -> Iterator[None]:
    """Wait for the threads that were not waited for: they still hold connections of the engine."""
    yield
    for thread in threading.enumerate():
        if thread.name in ("group-commit", "read"):
            thread.join(DEADLINE)


@pytest.fixture
async def writer(engine: Engine) -> AsyncIterator[GroupCommit]:
    """A writer whose callers wait for a short time only."""
    async with running_writer(engine, sizes=[], patience=SHORT) as writer:
        yield writer


async def test_who_waits_too_long_is_told_and_the_unit_may_be_stored_after_all(
    writer: GroupCommit, engine: Engine
) -> None:
    gate = Gate()
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(StorageUnavailable, match="does not answer in time"):
            await writer.run(Grant(before=gate), Loan("a"))
    assert await stored(engine) == []
    gate.open()
    assert await writer.run(Grant(), Loan("b")) == "granted b"
    assert await stored(engine) == ["a", "b"]


async def test_each_waits_for_as_long_as_the_others(writer: GroupCommit) -> None:
    gate = Gate()
    first = asyncio.create_task(writer.run(Grant(before=gate), Loan("a")))
    await gate.entered()
    async with asyncio.timeout(DEADLINE):
        for name in "bc":
            began = asyncio.get_running_loop().time()
            with pytest.raises(StorageUnavailable):
                await writer.run(Grant(), Loan(name))
            assert asyncio.get_running_loop().time() - began > SHORT * 0.9
    gate.open()
    with pytest.raises(StorageUnavailable):
        await first


async def test_what_has_not_begun_when_it_is_given_up_never_runs(writer: GroupCommit, engine: Engine) -> None:
    gate, late = Gate(), Grant()
    async with asyncio.timeout(DEADLINE):
        first = asyncio.create_task(writer.run(Grant(before=gate), Loan("a")))
        await gate.entered()
        answers = await run_all(writer, late, *"bc")
    assert [type(answer) for answer in answers] == [StorageUnavailable] * 2
    gate.open()
    assert await writer.run(late, Loan("d")) == "granted d"
    assert late.batches == [["d"]]
    assert await stored(engine) == ["a", "d"]
    with pytest.raises(StorageUnavailable):
        await first


async def test_a_writer_stops_though_the_database_hangs(writer: GroupCommit) -> None:
    gate = Gate()
    answer = asyncio.create_task(writer.run(Grant(before=gate), Loan("a")))
    await gate.entered()
    async with asyncio.timeout(DEADLINE):
        await writer.stop()
        with pytest.raises(StorageUnavailable):
            await answer
    gate.open()


async def test_a_query_that_hangs_is_not_waited_for_without_end(engine: Engine) -> None:
    gate = Gate()
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(StorageUnavailable, match="does not answer in time"):
            await read(engine, gate, SHORT)
    gate.open()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Let a process of the PostgreSQL server do nothing, not even look at its clock."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def own_process(connection: Connection) -> int:
    pid = connection.scalar(select(func.pg_backend_pid()))
    assert pid
    return pid


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestPostgreSQL:
    async def test_a_server_that_stops_answering_is_an_outage_until_it_goes_on(
        self, writer: GroupCommit, engine: Engine
    ) -> None:
        pids: list[int] = []
        await writer.run(Grant(before=lambda connection: pids.append(own_process(connection))), Loan("a"))
        async with asyncio.timeout(DEADLINE):
            with frozen(pids[0]):
                answers = await run_all(writer, Grant(), *"bc")
        assert [type(answer) for answer in answers] == [StorageUnavailable] * 2
        assert await until_granted(writer, "d") == "granted d"

    async def test_a_writer_stops_though_the_server_has_stopped_answering(
        self, writer: GroupCommit, engine: Engine
    ) -> None:
        pids: list[int] = []
        await writer.run(Grant(before=lambda connection: pids.append(own_process(connection))), Loan("a"))
        async with asyncio.timeout(DEADLINE):
            with frozen(pids[0]):
                answer = asyncio.create_task(writer.run(Grant(), Loan("b")))
                await asyncio.sleep(0)
                await writer.stop()
                with pytest.raises(StorageUnavailable):
                    await answer

    async def test_a_query_is_not_waited_for_when_the_server_has_stopped_answering(self, engine: Engine) -> None:
        pid = await read(engine, own_process)
        async with asyncio.timeout(DEADLINE):
            with frozen(pid), pytest.raises(StorageUnavailable):
                await read(engine, own_process, SHORT)
        assert await read(engine, own_process)

    async def test_a_lock_that_another_session_holds_is_an_outage_until_it_is_let_go(self, engine: Engine) -> None:
        async with running_writer(engine, sizes=[]) as writer, asyncio.timeout(DEADLINE):
            with engine.begin() as other:
                other.execute(text("LOCK TABLE loans"))
                (answer,) = await run_all(writer, Grant(), "a")
                assert isinstance(answer, StorageUnavailable)
            assert await writer.run(Grant(), Loan("b")) == "granted b"
        assert await stored(engine) == ["b"]


async def until_granted(writer: GroupCommit, name: str) -> object:
    """Ask again until the writer is through with what held it up."""
    while True:
        (answer,) = await run_all(writer, Grant(), name)
        if not isinstance(answer, StorageUnavailable):
            return answer
