"""A try whose record fails is counted all the same: no message is sent after each lease for ever."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from shared.catalogue.table import example_of, find_message
from shared.node.send.outbox import AttemptRecord
from shared.node.tables import ATTEMPTS, OUTBOX, create_tables
from shared.storage.writer import StorageUnavailable
from tests.equipment.clock import FrozenClock
from tests.equipment.counterparty import Reply, ScriptedTransport, acking
from tests.equipment.node import MemoryNode, memory_node
from tests.equipment.parties import LENDER, identity_of, lender, lsp, lsp_key
from tests.equipment.storage import rows, sqlite_engine
from tests.node.exchanged import REQUEST_ID, TRIGGER, acked, evidence, exchange

pytestmark = pytest.mark.on_both_databases

ANSWERED = "the try cannot be recorded with its answer: IntegrityError; see the log"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with sqlite_engine(tmp_path) as engine:
        yield engine


@asynccontextmanager
async def sending(
    engine: Engine, clock: FrozenClock, answer: Reply | None = None
) -> AsyncIterator[tuple[MemoryNode, ScriptedTransport]]:
    """An LSP whose lender answers everything alike, unless told otherwise with an ack."""
    network = ScriptedTransport(answer or acking())
    own = identity_of(lsp(), lsp_key())
    async with memory_node(engine, identity=own, counterparties=[lender()], clock=clock, transport=network) as node:
        yield node, network


def refuse_attempts(engine: Engine, condition: str) -> None:
    with engine.begin() as connection:
        raising = "BEGIN SELECT RAISE(ABORT, 'the value is refused'); END"
        connection.execute(text(f"CREATE TRIGGER refusing BEFORE INSERT ON attempts WHEN {condition} {raising}"))


def accept_attempts(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER refusing"))


async def send(node: MemoryNode) -> None:
    await node.sender.send(TRIGGER, LENDER, {**example_of(find_message(TRIGGER)), "requestId": REQUEST_ID})
    await node.courier.settle()


async def go_on(node: MemoryNode, clock: FrozenClock, times: int = 1, seconds: float = 100) -> None:
    for _ in range(times):
        clock.advance(seconds)
        await node.courier.sweep()
        await node.courier.settle()


def state(engine: Engine) -> tuple[str, int]:
    (row,) = rows(engine, OUTBOX)
    return row["state"], row["tries"]


async def test_a_try_whose_answer_the_database_refuses_is_recorded_without_it_up_to_the_end_of_its_budget(
    engine: Engine, clock: FrozenClock
) -> None:
    async with sending(engine, clock) as (node, network):
        refuse_attempts(engine, "length(NEW.answer) > 0")
        await send(node)
        (tried,) = rows(engine, ATTEMPTS)
        assert state(engine) == ("WAITING", 1)
        assert (tried["outcome"], tried["reason"], tried["status"]) == ("FAILED", ANSWERED, 200)
        assert (tried["sent"], tried["answer"], tried["steps"]) == (network.requests[0].content, b"", "[]")
        await go_on(node, clock, times=20)
        assert state(engine) == ("DEAD", 8)
        assert len(network.requests) == len(rows(engine, ATTEMPTS)) == 8
        assert {event for event, _ in node.telemetry.troubles} == {
            "delivery attempt cannot be recorded with its answer"
        }


async def test_a_try_of_which_the_database_takes_no_row_is_counted(engine: Engine, clock: FrozenClock) -> None:
    async with sending(engine, clock) as (node, network):
        refuse_attempts(engine, "1")
        await send(node)
        assert state(engine) == ("WAITING", 1)
        await go_on(node, clock, times=20)
        assert state(engine) == ("DEAD", 8)
        assert (len(network.requests), rows(engine, ATTEMPTS)) == (8, [])


async def test_an_acked_try_for_whose_row_there_is_no_space_is_counted_and_never_given_up(
    engine: Engine, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sending(engine, clock) as (node, network):
        write = node.journal.record

        async def full(record: AttemptRecord) -> None:
            if not record.is_only_counted:
                raise StorageUnavailable("the database cannot do it now: database or disk is full")
            await write(record)

        with monkeypatch.context() as filled:
            filled.setattr(node.journal, "record", full)
            await send(node)
            (row,) = rows(engine, OUTBOX)
            assert (row["state"], row["tries"], row["result"]) == ("WAITING", 1, "not recorded: acknowledged")
            assert row["due_at"] == clock.now() + timedelta(seconds=0.5)
            await go_on(node, clock, times=8, seconds=300)
        assert state(engine) == ("WAITING", 9)
        assert (len(network.requests), rows(engine, ATTEMPTS)) == (9, [])
        assert {event for event, _ in node.telemetry.troubles} == {"delivery attempt cannot be recorded"}
        await go_on(node, clock, seconds=300)
        assert state(engine) == ("DELIVERED", 10)


class FlickeringStorage:
    """Takes a record, or is away, as the script says: `lost` is committed, but that is not heard of."""

    def __init__(self, node: MemoryNode, *script: str) -> None:
        self._write = node.journal.record
        self._script = list(script)

    async def record(self, record: AttemptRecord) -> None:
        happens = self._script.pop(0) if self._script else "written"
        if happens != "away":
            await self._write(record)
        if happens != "written":
            raise StorageUnavailable("the database does not answer in time")


@pytest.mark.parametrize("script", [["away"], ["lost"], ["lost", "away"], ["lost", "lost"]])
@pytest.mark.parametrize(("answer", "final"), [(acking(), "DELIVERED"), (acking("GEN5009", 409), "REFUSED")])
async def test_an_answer_that_meets_an_outage_of_the_storage_is_recorded_once_and_stays(
    engine: Engine, clock: FrozenClock, script: list[str], answer: Reply, final: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sending(engine, clock, answer) as (node, network):
        monkeypatch.setattr(node.journal, "record", FlickeringStorage(node, *script).record)
        await send(node)
        await go_on(node, clock)
        assert state(engine) == (final, 1)
        (tried,) = rows(engine, ATTEMPTS)
        assert tried["answer"]
        assert len(network.requests) == 1


async def test_a_try_is_recorded_with_its_answer_once_the_database_takes_it(engine: Engine, clock: FrozenClock) -> None:
    async with sending(engine, clock) as (node, network):
        refuse_attempts(engine, "length(NEW.answer) > 0")
        await send(node)
        accept_attempts(engine)
        await go_on(node, clock)
        assert state(engine) == ("DELIVERED", 2)
        assert len({payload["requestId"] for payload in network.payloads}) == 1
        assert [bool(row["answer"]) for row in rows(engine, ATTEMPTS)] == [False, True]


async def test_evidence_with_a_try_that_was_recorded_without_its_answer_holds(engine: Engine, tmp_path: Path) -> None:
    create_tables(engine)
    refuse_attempts(engine, "length(NEW.answer) > 0 AND NOT EXISTS (SELECT 1 FROM attempts)")
    await exchange(engine, acked(), acked())
    made = evidence(engine, tmp_path)
    assert made.manifest["holds"]
    request = ["1-request-try-1", "1-request", "1-request-ack"]
    assert [name for name in made.parts if name.startswith("1-request")] == request
