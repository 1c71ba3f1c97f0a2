"""The courier: what is in the outbox gets delivered, or is given up in plain sight; nothing is lost or done twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from shared.catalogue.table import example_of, find_message
from shared.node.send.outbox import AttemptOutcome, DeliveryAttempt, OutboxState
from shared.node.tables import ATTEMPTS, OUTBOX
from shared.storage.writer import StorageUnavailable
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.counterparty import Reply, ScriptedTransport, acking, failing
from tests.equipment.deadline import DEADLINE
from tests.equipment.node import MemoryNode, memory_node
from tests.equipment.parties import LENDER, identity_of, lender, lsp, lsp_key
from tests.equipment.storage import LEASE, rows, sqlite_engine

MESSAGE = "TriggerLoanAcceptanceRequest"
CONTENT = {"requestId": "request-1", **example_of(find_message(MESSAGE))}

REFUSED_CONNECTION = failing(httpx.ConnectError("connection refused"))

Process = tuple[MemoryNode, ScriptedTransport]
"""A process of the LSP, and the lender as it answers that process."""

Start = Callable[..., AbstractAsyncContextManager[Process]]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with sqlite_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
def start(engine: Engine, clock: FrozenClock) -> Start:
    """Start a process of the LSP, whose counterparty answers by the script; there may be several."""

    @asynccontextmanager
    async def process(*script: Reply, **parts: Any) -> AsyncIterator[Process]:
        lenders = ScriptedTransport(*script)
        async with memory_node(
            engine,
            identity=identity_of(lsp(), lsp_key()),
            counterparties=[lender()],
            clock=clock,
            transport=lenders,
            **parts,
        ) as node:
            yield node, lenders

    return process


async def send(node: MemoryNode, request_id: str = "request-1") -> str:
    """Send a message, wait for its first try, and return its id."""
    entry = await node.sender.send(MESSAGE, LENDER, {**CONTENT, "requestId": request_id})
    await node.courier.settle()
    return entry.id


async def leave_waiting(start: Start, number: int) -> None:
    """Send some messages from a process that delivers none."""
    async with start(acking(), room=0) as (node, _):
        for index in range(number):
            await send(node, f"request-{index}")


async def sweep(node: MemoryNode) -> None:
    await node.courier.sweep()
    await node.courier.settle()


def state(node: MemoryNode) -> tuple[str, int, str]:
    (row,) = rows(node.engine, OUTBOX)
    return row["state"], row["tries"], row["result"]


async def test_a_message_is_delivered_without_waiting_for_a_sweep(start: Start) -> None:
    async with start(acking()) as (node, network):
        await send(node)
        assert state(node) == ("DELIVERED", 1, "acknowledged")
        (tried,) = rows(node.engine, ATTEMPTS)
        assert tried["sent"] == network.requests[0].content
        await sweep(node)
        assert len(network.requests) == 1


async def test_a_delivery_that_fails_is_tried_again_when_its_pause_is_over(start: Start, clock: FrozenClock) -> None:
    async with start(REFUSED_CONNECTION, acking("GEN5004", 503), acking()) as (node, network):
        await send(node)
        assert state(node) == ("WAITING", 1, "no answer: ConnectError: connection refused")
        clock.advance(0.499)
        await sweep(node)
        assert len(network.requests) == 1
        clock.advance(0.001)
        await sweep(node)
        assert state(node) == ("WAITING", 2, "HTTP 503 with error GEN5004")
        clock.advance(1)
        await sweep(node)
        assert state(node) == ("DELIVERED", 3, "acknowledged")


async def test_all_tries_carry_the_same_request_and_each_its_own_nonce(start: Start, clock: FrozenClock) -> None:
    async with start(REFUSED_CONNECTION, REFUSED_CONNECTION, acking()) as (node, network):
        await send(node)
        for _ in range(2):
            clock.advance(10)
            await sweep(node)
        payloads = network.payloads
    metadata = [payload.pop("metadata") for payload in payloads]
    assert payloads == [CONTENT] * 3
    assert len({stamped["traceId"] for stamped in metadata}) == len({stamped["timestamp"] for stamped in metadata}) == 3


async def test_the_receiver_may_ask_for_a_longer_pause(start: Start, clock: FrozenClock) -> None:
    async with start(acking("GEN5004", 503, headers={"retry-after": "60"}), acking()) as (node, _):
        await send(node)
        clock.advance(59)
        await sweep(node)
        assert state(node)[0] == "WAITING"
        clock.advance(1)
        await sweep(node)
        assert state(node)[0] == "DELIVERED"


@pytest.mark.parametrize("retry_after", ["9" * 13, "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_receiver_that_asks_for_ages_is_given_up_in_plain_sight(start: Start, retry_after: str) -> None:
    async with start(acking("GEN5004", 503, headers={"retry-after": retry_after})) as (node, _):
        await send(node)
        assert state(node) == ("DEAD", 1, "HTTP 503 with error GEN5004")
        assert node.telemetry.troubles == []


async def test_a_refusal_is_final(start: Start, clock: FrozenClock) -> None:
    async with start(acking("GEN5009", 409)) as (node, network):
        await send(node)
        assert state(node) == ("REFUSED", 1, "refused with GEN5009")
        clock.advance(3600)
        await sweep(node)
        assert len(network.requests) == 1


async def test_a_delivery_is_given_up_after_eight_tries_and_driven_again_on_request(
    start: Start, clock: FrozenClock
) -> None:
    async with start(REFUSED_CONNECTION) as (node, network):
        outbox_id = await send(node)
        for _ in range(20):
            clock.advance(100)
            await sweep(node)
        assert state(node) == ("DEAD", 8, "no answer: ConnectError: connection refused")
        assert len(rows(node.engine, ATTEMPTS)) == 8

        network.script = [acking()]
        await node.journal.redrive(outbox_id, clock.now())
        await sweep(node)
        assert state(node) == ("DELIVERED", 1, "acknowledged")
        assert len({payload["requestId"] for payload in network.payloads}) == 1


async def test_what_a_process_held_when_it_died_is_delivered_by_another_after_the_lease(
    start: Start, clock: FrozenClock
) -> None:
    started, end = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def hanging(request: httpx.Request) -> httpx.Response:
        started.set()
        response: httpx.Response = await end
        return response

    async with start(hanging) as (dead, _), start(acking()) as (alive, network):
        await dead.sender.send(MESSAGE, LENDER, CONTENT)
        await started.wait()
        await sweep(alive)
        assert network.requests == []
        clock.advance(LEASE.total_seconds())
        await sweep(alive)
        assert state(alive) == ("DELIVERED", 1, "acknowledged")

        end.set_exception(httpx.ReadError("it was only slow"))
        await dead.courier.settle()
        assert state(alive) == ("DELIVERED", 1, "acknowledged")
        assert len(rows(alive.engine, ATTEMPTS)) == 2


async def test_what_is_in_hand_is_not_begun_a_second_time_though_its_lease_has_run_out(
    start: Start, clock: FrozenClock
) -> None:
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def slowly(request: httpx.Request) -> httpx.Response:
        await answered
        response: httpx.Response = acking()(request)
        return response

    async with start(slowly) as (node, network):
        await node.sender.send(MESSAGE, LENDER, CONTENT)
        for _ in range(3):
            clock.advance(LEASE.total_seconds())
            await node.courier.sweep()
        answered.set_result(None)
        await node.courier.settle()
        assert len(network.requests) == 1
        assert state(node) == ("DELIVERED", 1, "acknowledged")


async def test_what_there_is_no_room_for_waits_in_the_table_for_a_sweep(start: Start) -> None:
    async with start(acking(), room=0) as (full, network):
        await send(full)
        await sweep(full)
        assert state(full)[0] == "WAITING"
        assert network.requests == []
    async with start(acking(), room=1) as (node, _):
        await sweep(node)
        assert state(node)[0] == "DELIVERED"


async def test_a_sweep_takes_no_more_than_there_is_room_for(start: Start) -> None:
    await leave_waiting(start, 5)
    async with start(acking(), room=4) as (node, network):
        for done in (2, 4, 5):
            await sweep(node)
            assert len(network.requests) == done


async def test_a_receiver_who_is_not_onboarded_is_waited_for(start: Start, clock: FrozenClock) -> None:
    async with start(acking()) as (node, _):
        node.directory.replace([lender()])
        entry = await node.sender.send(MESSAGE, LENDER, CONTENT)
        node.directory.replace([])
        await node.courier.settle()
        assert state(node) == ("WAITING", 1, "LENDER01 is not in the directory; onboard it")
        node.directory.replace([lender()])
        clock.advance(10)
        await sweep(node)
        assert state(node)[0] == "DELIVERED"
        assert entry.outgoing.request_id == "request-1"


async def test_what_cannot_be_sent_at_all_ends_as_dead_and_not_in_silence(start: Start, clock: FrozenClock) -> None:
    async with start(acking()) as (node, network):
        node.directory.replace([lender(base_url="https://lender.example:port")])
        await send(node)
        assert state(node)[:2] == ("WAITING", 1)
        for _ in range(20):
            clock.advance(100)
            await sweep(node)
        assert state(node) == ("DEAD", 8, "it cannot be sent: InvalidURL: Invalid port: 'port'")
        assert network.requests == []
        assert {event for event, _ in node.telemetry.troubles} == {"message cannot be sent"}


async def test_a_try_that_cannot_be_recorded_is_made_again_after_the_lease(
    start: Start, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(_: object) -> None:
        raise StorageUnavailable("the database does not answer")

    async with start(acking()) as (node, network):
        with monkeypatch.context() as broken:
            broken.setattr(node.journal, "record", unavailable)
            await send(node)
        assert [event for event, _ in node.telemetry.troubles] == ["delivery attempt cannot be recorded"]
        assert state(node)[0] == "SENDING"
        assert node.courier.place_for(LENDER, NOW).is_direct

        clock.advance(LEASE.total_seconds())
        await sweep(node)
        assert state(node)[0] == "DELIVERED"
        assert len({payload["requestId"] for payload in network.payloads}) == 1


@pytest.mark.parametrize("error", [StorageUnavailable("the database does not answer"), ZeroDivisionError()])
async def test_sweeping_goes_on_after_any_trouble(
    start: Start, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave_waiting(start, 1)
    async with start(acking(), tick=0) as (node, _):
        claim, failures = node.journal.claim, [error]

        async def failing_once(*arguments: Any) -> Any:
            if failures:
                raise failures.pop()
            return await claim(*arguments)

        monkeypatch.setattr(node.journal, "claim", failing_once)
        delivered = asyncio.Event()
        node.courier.listeners.append(lambda _: delivered.set())
        running = asyncio.create_task(node.courier.run())
        await delivered.wait()
        await node.courier.stop()
        await running
        assert state(node)[0] == "DELIVERED"
        assert [event for event, _ in node.telemetry.troubles] == ["outbox cannot be read"]


async def test_a_courier_that_stops_finishes_what_it_began_and_takes_nothing_more(start: Start) -> None:
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def slowly(request: httpx.Request) -> httpx.Response:
        await answered
        response: httpx.Response = acking()(request)
        return response

    async with start(slowly) as (node, network):
        await node.sender.send(MESSAGE, LENDER, CONTENT)
        stopping = asyncio.create_task(node.courier.stop())
        await asyncio.sleep(0)  # it begins
        assert not node.courier.place_for(LENDER, NOW).is_direct
        await node.sender.send(MESSAGE, LENDER, {**CONTENT, "requestId": "request-2"})
        await node.courier.sweep()
        answered.set_result(None)
        await stopping
        assert [row["state"] for row in rows(node.engine, OUTBOX)] == ["DELIVERED", "WAITING"]
        assert len(network.requests) == 1


async def test_a_courier_that_stops_leaves_what_waits_for_its_turn_to_the_lease(
    start: Start, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.node.send.courier.LANE_WIDTH", 1)
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slowly(request: httpx.Request) -> httpx.Response:
        asked.set()
        await answered.wait()
        response: httpx.Response = acking()(request)
        return response

    async with start(slowly) as (node, network):
        for number in range(5):
            await node.sender.send(MESSAGE, LENDER, {**CONTENT, "requestId": f"request-{number}"})
        await asked.wait()
        stopping = asyncio.create_task(node.courier.stop())
        await asyncio.sleep(0)  # it begins
        answered.set()
        await stopping
        assert len(network.requests) == len(rows(node.engine, ATTEMPTS)) == 1
        left = [(row["state"], row["tries"]) for row in rows(node.engine, OUTBOX)]
        assert left == [("DELIVERED", 1), *[("SENDING", 0)] * 4]
    clock.advance(LEASE.total_seconds())
    async with start(acking()) as (node, _):
        await sweep(node)
        assert [(row["state"], row["tries"]) for row in rows(node.engine, OUTBOX)] == [("DELIVERED", 1)] * 5


async def test_listeners_are_told_of_every_try(start: Start, clock: FrozenClock) -> None:
    told: list[DeliveryAttempt] = []
    async with start(REFUSED_CONNECTION, acking()) as (node, _):
        node.courier.listeners.append(told.append)
        await send(node)
        clock.advance(10)
        await sweep(node)
    assert [attempt.outcome for attempt in told] == [AttemptOutcome.FAILED, AttemptOutcome.ACCEPTED]
    assert [attempt.entry.tries for attempt in told] == [0, 1]


async def test_a_sweep_lets_every_due_delivery_begin_at_once(start: Start) -> None:
    everybody = asyncio.Barrier(3)

    async def together(request: httpx.Request) -> httpx.Response:
        await everybody.wait()
        response: httpx.Response = acking()(request)
        return response

    await leave_waiting(start, 3)
    async with start(together) as (node, _):
        await asyncio.wait_for(sweep(node), DEADLINE)
        assert {row["state"] for row in rows(node.engine, OUTBOX)} == {OutboxState.DELIVERED}
