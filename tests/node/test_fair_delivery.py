"""A receiver that hangs has its share of the courier's room, and leaves the rest to the others. On both databases."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event

from shared.catalogue.table import example_of, find_message
from shared.node.journal import Dispatch, Journal
from shared.node.rules import Outgoing
from shared.node.send.outbox import Claim, OutboxState, claim_due, new_entry, share_of
from shared.node.tables import OUTBOX
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.counterparty import ScriptedTransport, acking
from tests.equipment.deadline import DEADLINE
from tests.equipment.messages import TRIGGER
from tests.equipment.node import MemoryNode, memory_node
from tests.equipment.parties import LENDER, identity_of, lender, lsp, lsp_key
from tests.equipment.storage import journal_on, rows

pytestmark = pytest.mark.on_both_databases

MESSAGE = "TriggerLoanAcceptanceRequest"
OTHER = "LENDER02"
SECOND = timedelta(seconds=1)


@pytest.fixture
async def journal(engine: Engine) -> AsyncIterator[Journal]:
    async with journal_on(engine) as journal:
        yield journal


async def put(journal: Journal, receiver: str, number: int, due_in: float = 0) -> None:
    """Put some messages to a receiver into the outbox, each due a millisecond after the one before."""
    for one in range(number):
        outgoing = Outgoing(receiver, TRIGGER, f"{receiver} {due_in} {one}", {})
        due_at = NOW + timedelta(seconds=due_in, milliseconds=one)
        await journal.dispatch(Dispatch(new_entry(outgoing, NOW), OutboxState.WAITING, due_at))


async def claimed(journal: Journal, *claim: Any) -> Counter[str]:
    return Counter(entry.outgoing.receiver for entry in await journal.claim(NOW, *claim))


@given(st.integers(1, 600), st.lists(st.integers(0, 9), max_size=40))
def test_whoever_takes_its_share_leaves_as_many_places_as_it_holds(room: int, takers: list[int]) -> None:
    held: Counter[int] = Counter()
    for taker in takers:
        free = room - held.total()
        share = share_of(free, held[taker])
        held[taker] += share
        assert share <= free
        if share:
            assert room - held.total() >= held[taker] - 1
        elif free:
            assert held[taker] >= free


async def test_the_rows_of_one_receiver_do_not_hide_those_of_another(journal: Journal) -> None:
    await put(journal, "HANGS", 20, due_in=-100)
    await put(journal, "B", 2, due_in=-2)
    await put(journal, "A", 1, due_in=-1)
    assert await claimed(journal, 8) == {"HANGS": 4, "B": 2, "A": 1}
    assert await claimed(journal, 4, {"HANGS": 4}) == {}


async def test_a_receiver_that_has_its_share_in_hand_gets_nothing_more(journal: Journal) -> None:
    await put(journal, "HANGS", 20, due_in=-100)
    await put(journal, "A", 5, due_in=-1)
    assert await claimed(journal, 8, {"HANGS": 8}) == {"A": 4}
    assert await claimed(journal, 8, {"HANGS": 5, "A": 8}) == {"HANGS": 2}


async def test_what_is_not_due_is_not_claimed_whoever_it_is_for(journal: Journal) -> None:
    await put(journal, "A", 1, due_in=1)
    await put(journal, "B", 1)
    await put(journal, "C", 1, due_in=0.001)
    assert await claimed(journal, 100) == {"B": 1}
    assert await claimed(journal, 100) == {}


async def test_what_is_due_is_found_by_an_index_for_each_receiver(journal: Journal, engine: Engine) -> None:
    await put(journal, "A", 3, due_in=-1)
    await put(journal, "B", 3, due_in=-1)
    with engine.connect() as connection:
        plans = plans_of_a_claim(connection)
    assert len(plans) == 3
    for plan in plans:
        assert "outbox_due" in plan
        assert "SCAN outbox" not in plan
        assert "Seq Scan" not in plan
    for plan in plans[1:]:
        assert "Sort" not in plan
        assert "ORDER BY" not in plan


def plans_of_a_claim(connection: Connection) -> list[str]:
    """How the database finds what is due: for the receivers, and for the entries of each."""
    asked: list[tuple[str, Any]] = []

    def note(_: Connection, __: Any, statement: str, given: Any, *___: Any) -> None:
        if "SELECT" in statement:
            asked.append((statement, given))

    event.listen(connection, "before_cursor_execute", note)
    claim_due(connection, [Claim(NOW, NOW + SECOND, 100, {})])
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN"
    if connection.dialect.name == "postgresql":
        explain = "EXPLAIN"
        for kind in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):  # as it chooses of itself in large tables
            connection.exec_driver_sql(f"SET LOCAL {kind} = off")
    return [
        "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", given))
        for statement, given in asked
    ]


class HalfHungNetwork(ScriptedTransport):
    """One lender takes requests and never answers, until it is let go; the other answers at once."""

    def __init__(self) -> None:
        super().__init__(acking())
        self.let_go = asyncio.Event()
        self.hanging = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "hung.example":
            self.hanging += 1
            await self.let_go.wait()
        return await super().handle_async_request(request)


@asynccontextmanager
async def process(engine: Engine, network: HalfHungNetwork, room: int) -> AsyncIterator[MemoryNode]:
    """A process of the LSP that knows both lenders."""
    async with memory_node(
        engine,
        identity=identity_of(lsp(), lsp_key()),
        counterparties=[lender(base_url="https://hung.example"), lender(id=OTHER)],
        clock=FrozenClock(),
        transport=network,
        room=room,
    ) as node:
        yield node
        network.let_go.set()


async def send(node: MemoryNode, receiver: str, number: int) -> None:
    for _ in range(number):
        await node.sender.send(MESSAGE, receiver, example_of(find_message(MESSAGE)))


def states(engine: Engine, receiver: str) -> Counter[str]:
    return Counter(row["state"] for row in rows(engine, OUTBOX) if row["receiver"] == receiver)


async def delivered(node: MemoryNode) -> None:
    """Wait until something has been delivered."""
    done = asyncio.Event()
    node.courier.listeners.append(lambda _: done.set())
    async with asyncio.timeout(DEADLINE):
        await done.wait()


async def test_a_receiver_that_hangs_does_not_keep_others_from_being_handed_over(engine: Engine) -> None:
    network = HalfHungNetwork()
    async with process(engine, network, room=8) as node:
        await send(node, LENDER, 12)
        assert states(engine, LENDER) == {"SENDING": 4, "WAITING": 8}
        assert not node.courier.place_for(LENDER, NOW).is_direct
        assert node.courier.place_for(OTHER, NOW).is_direct
        await send(node, OTHER, 1)
        await delivered(node)
        assert states(engine, OTHER) == {"DELIVERED": 1}
        assert network.hanging == 4


async def test_a_receiver_that_hangs_does_not_keep_others_from_being_claimed(engine: Engine) -> None:
    async with process(engine, HalfHungNetwork(), room=0) as node:
        await send(node, LENDER, 12)
        await send(node, OTHER, 1)
    async with process(engine, HalfHungNetwork(), room=8) as node:
        await node.courier.sweep()
        await delivered(node)
        await node.courier.sweep()
        assert states(engine, OTHER) == {"DELIVERED": 1}
        assert states(engine, LENDER) == {"SENDING": 4, "WAITING": 8}


async def test_a_receiver_that_answers_again_gets_the_rest(engine: Engine) -> None:
    network = HalfHungNetwork()
    async with process(engine, network, room=8) as node:
        await send(node, LENDER, 12)
        network.let_go.set()
        for _ in range(2):
            await node.courier.settle()
            await node.courier.sweep()
        await node.courier.settle()
        assert states(engine, LENDER) == {"DELIVERED": 12}
        assert node.courier.place_for(LENDER, NOW).is_direct
