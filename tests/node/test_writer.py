"""The writer: shared transactions, in order, answered after the commit; and its life."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from shared.storage.reader import read
from shared.storage.writer import GroupCommit, StorageUnavailable
from tests.node.loan_units import Gate, Grant, Loan, loans, metadata, run_all, running_writer, stored

pytestmark = pytest.mark.on_both_databases


@pytest.fixture
def sizes() -> list[int]:
    """The sizes of the batches so far."""
    return []


@pytest.fixture
async def writer(engine: Engine, sizes: list[int]) -> AsyncIterator[GroupCommit]:
    async with running_writer(engine, sizes) as writer:
        yield writer


class TestCommit:
    async def test_nothing_is_answered_before_it_is_committed(self, writer: GroupCommit, engine: Engine) -> None:
        gate = Gate()
        answer = asyncio.create_task(writer.run(Grant(before=gate), Loan("a")))
        await gate.entered()
        assert (answer.done(), await stored(engine)) == (False, [])
        gate.open()
        assert await answer == "granted a"
        assert await stored(engine) == ["a"]

    async def test_200_units_that_wait_together_are_one_transaction(
        self, writer: GroupCommit, engine: Engine, sizes: list[int]
    ) -> None:
        names = [f"{number:03}" for number in range(200)]
        assert await run_all(writer, Grant(), *names) == [f"granted {name}" for name in names]
        assert sizes == [200]
        assert await stored(engine) == names

    async def test_a_batch_has_a_largest_size(self, engine: Engine) -> None:
        metadata.create_all(engine)
        kind, writer = Grant(), GroupCommit(engine, max_batch=2)
        await writer.start()
        await run_all(writer, kind, *"abcde")
        await writer.stop()
        assert kind.batches == [["a", "b"], ["c", "d"], ["e"]]

    async def test_units_of_several_kinds_share_a_transaction(self, writer: GroupCommit, sizes: list[int]) -> None:
        first, second = Grant(), Grant()
        runs = [(first, "a"), (second, "b"), (first, "c")]
        answers = await asyncio.gather(*(writer.run(kind, Loan(name)) for kind, name in runs))
        assert answers == ["granted a", "granted b", "granted c"]
        assert (sizes, first.batches, second.batches) == ([3], [["a", "c"]], [["b"]])


class TestKeys:
    async def test_units_that_share_a_key_run_one_after_another_in_order(self, writer: GroupCommit) -> None:
        kind, gate = Grant(), Gate()
        held = asyncio.create_task(writer.run(Grant(before=gate), Loan("held")))
        await gate.entered()
        same = asyncio.create_task(run_all(writer, kind, "a1", "a2", "a3", key="a"))
        free = asyncio.create_task(run_all(writer, kind, "b", "c"))
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(held, same, free)
        assert kind.batches == [["a1", "b", "c"], ["a2"], ["a3"]]

    async def test_a_unit_behind_a_deferred_one_does_not_overtake_it(self, writer: GroupCommit) -> None:
        kind = Grant()
        units = [("1", "x"), ("2", "xy"), ("3", "y"), ("4", "z")]
        await asyncio.gather(*(writer.run(kind, Loan(name, frozenset(keys))) for name, keys in units))
        assert kind.batches == [["1", "4"], ["2"], ["3"]]

    async def test_a_deferred_unit_comes_first_in_the_next_batch(self, engine: Engine) -> None:
        metadata.create_all(engine)
        kind, writer = Grant(), GroupCommit(engine, max_batch=2)
        await writer.start()
        units = [("a1", "a"), ("a2", "a"), ("b", "b"), ("c", "c")]
        await asyncio.gather(*(writer.run(kind, Loan(name, frozenset(keys))) for name, keys in units))
        await writer.stop()
        assert kind.batches == [["a1", "b"], ["a2", "c"]]


class TestLife:
    async def test_a_cancelled_caller_loses_neither_its_unit_nor_the_writer(
        self, writer: GroupCommit, engine: Engine
    ) -> None:
        gate = Gate()
        running = asyncio.create_task(writer.run(Grant(before=gate), Loan("a")))
        await gate.entered()
        waiting = asyncio.create_task(writer.run(Grant(), Loan("b")))
        await asyncio.sleep(0)
        running.cancel()
        waiting.cancel()
        await asyncio.wait([running, waiting])
        assert (running.cancelled(), waiting.cancelled()) == (True, True)
        gate.open()
        assert await writer.run(Grant(), Loan("c")) == "granted c"
        assert await stored(engine) == ["a", "b", "c"]

    async def test_stop_finishes_what_waits(self, writer: GroupCommit, engine: Engine) -> None:
        gate = Gate()
        answers = [asyncio.create_task(writer.run(Grant(before=gate), Loan("a")))]
        await gate.entered()
        answers += [asyncio.create_task(writer.run(Grant(), Loan(name, frozenset("k")))) for name in "bc"]
        await asyncio.sleep(0)
        stopping = asyncio.create_task(writer.stop())
        await asyncio.sleep(0)
        gate.open()
        await stopping
        assert await asyncio.gather(*answers) == ["granted a", "granted b", "granted c"]
        assert await stored(engine) == ["a", "b", "c"]

    async def test_stop_finishes_what_has_only_just_arrived(self, writer: GroupCommit, engine: Engine) -> None:
        answer = asyncio.create_task(writer.run(Grant(), Loan("a")))
        await asyncio.sleep(0)
        await writer.stop()
        assert await answer == "granted a"
        assert await stored(engine) == ["a"]

    async def test_a_writer_that_is_not_running_refuses(self, writer: GroupCommit, engine: Engine) -> None:
        await writer.stop()
        with pytest.raises(StorageUnavailable, match="the writer is not running"):
            await writer.run(Grant(), Loan("a"))
        assert await stored(engine) == []

    async def test_a_crash_of_the_thread_leaves_nobody_waiting(self, writer: GroupCommit, engine: Engine) -> None:
        def crash(connection: Connection) -> None:
            gate(connection)
            raise SystemExit("crash")

        gate = Gate()
        running = asyncio.create_task(writer.run(Grant(before=crash), Loan("a")))
        await gate.entered()
        waiting = asyncio.create_task(writer.run(Grant(), Loan("b")))
        await asyncio.sleep(0)
        gate.open()
        for answer in running, waiting:
            with pytest.raises(StorageUnavailable, match="the writer has crashed"):
                await answer
        with pytest.raises(StorageUnavailable, match="the writer is not running"):
            await writer.run(Grant(), Loan("c"))
        assert await stored(engine) == []


async def test_a_query_cannot_write(writer: GroupCommit, engine: Engine) -> None:
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        await read(engine, lambda connection: connection.execute(loans.insert(), {"name": "a"}))
    assert await stored(engine) == []
