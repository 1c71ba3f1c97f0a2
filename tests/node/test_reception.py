"""The reception: from a verified message to the journal, and from the journal to the courier."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from shared.catalogue.table import messages_received_by
from shared.node.onboarding.record import ONBOARDED_ROLES
from shared.node.receive.routes import protocol_app
from shared.node.receive.verify import Refused
from shared.node.rules import Bound, Moment, Outgoing, Records, Reply
from shared.node.tables import INBOX, OUTBOX
from shared.protocol.envelope import seal
from shared.protocol.messages import Role
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.profiles import SignedBody
from shared.protocol.signing import SigningKey
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.counterparty import ScriptedTransport, acking
from tests.equipment.envelopes import payload_inside
from tests.equipment.messages import CALLBACK, TRIGGER, deciding, request
from tests.equipment.node import MemoryNode, memory_node
from tests.equipment.parties import (
    LSP,
    LSP_CERTIFICATE,
    identity_of,
    lender,
    lender_key,
    lsp,
    lsp_key,
)
from tests.equipment.storage import LEASE, contents, rows, sqlite_engine

ANSWERED = Reply(outgoing=[Outgoing(LSP, CALLBACK, "request-1", {"requestId": "request-1"})])


@pytest.fixture
async def node(tmp_path: Path, room: int) -> AsyncIterator[MemoryNode]:
    with sqlite_engine(tmp_path) as engine:
        async with memory_node(
            engine,
            identity=identity_of(lender(), lender_key()),
            counterparties=[lsp()],
            clock=FrozenClock(),
            transport=ScriptedTransport(acking(key=lsp_key(), certificate=LSP_CERTIFICATE)),
            room=room,
        ) as node:
            yield node


@pytest.fixture
def room() -> int:
    """How many deliveries the courier may have in hand."""
    return 8


async def take(
    node: MemoryNode, message: VerifiedMessage | None = None, rule: Bound[VerifiedMessage] | None = None
) -> SignedBody | Refused:
    return await node.reception.take(message or request(), TRIGGER, rule or deciding(ANSWERED))


def payload_of_ack(taken: SignedBody | Refused) -> dict[str, Any]:
    assert isinstance(taken, SignedBody)
    return payload_inside(taken.body)


def row_of(node: MemoryNode) -> dict[str, Any]:
    (row,) = rows(node.engine, OUTBOX)
    return row


async def test_the_ack_is_returned_signed_and_stored_as_it_travels(node: MemoryNode) -> None:
    ack = await take(node)
    expected = b'{"error":"0","traceId":"trace-1","timestamp":"2031-03-04T05:06:07.890Z"}'
    assert ack == SignedBody(seal(expected, lender_key()).to_bytes(), {})
    (row,) = rows(node.engine, INBOX)
    assert row["ack"] == ack.body


async def test_what_the_rule_sends_is_held_and_handed_to_the_courier(node: MemoryNode) -> None:
    await take(node)
    row = row_of(node)
    assert (row["state"], row["due_at"]) == ("SENDING", NOW + LEASE)
    await node.courier.settle()
    assert row_of(node)["state"] == "DELIVERED"


@pytest.mark.parametrize("room", [0])
async def test_what_the_courier_has_no_room_for_waits_for_its_sweep(node: MemoryNode) -> None:
    await take(node)
    row = row_of(node)
    assert (row["state"], row["due_at"]) == ("WAITING", NOW)


async def test_a_repeated_message_sends_nothing_a_second_time(node: MemoryNode) -> None:
    await take(node)
    await node.courier.settle()
    again = request(trace_id="trace-2")
    assert payload_of_ack(await take(node, again))["traceId"] == "trace-2"
    await node.courier.settle()
    assert row_of(node)["tries"] == 1


@pytest.mark.parametrize(
    ("message", "rule", "problem"),
    [
        (request(), deciding(Reply()), Problem.REPLAYED),
        (request(trace_id="trace-2", extra=1), deciding(Reply()), Problem.CONFLICT),
        (
            request("request-2", "trace-2"),
            deciding(replace(ANSWERED, problem=Problem.NOT_ALLOWED_NOW, reason="not yet")),
            Problem.NOT_ALLOWED_NOW,
        ),
    ],
    ids=["replayed", "in conflict", "refused by its rule"],
)
async def test_what_is_not_accepted_is_refused_and_has_no_effect(
    node: MemoryNode, message: VerifiedMessage, rule: Bound[VerifiedMessage], problem: Problem
) -> None:
    await take(node, rule=deciding(Reply()))
    before = contents(node.engine)
    heard: list[VerifiedMessage] = []
    node.reception.listeners.append(heard.append)
    refused = await take(node, message, rule)
    assert isinstance(refused, Refused)
    assert refused.problem is problem
    is_the_rules = problem is Problem.NOT_ALLOWED_NOW
    assert refused.reason == ("not yet" if is_the_rules else "")
    assert (refused.failure is None) is is_the_rules
    assert contents(node.engine) == before
    assert heard == []


async def test_an_ack_that_cannot_be_signed_accepts_nothing(node: MemoryNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(key: SigningKey, signing_input: bytes) -> bytes:
        raise OSError("the key store is gone")

    before, message = contents(node.engine), request()
    monkeypatch.setattr(SigningKey, "sign", fail)
    with pytest.raises(OSError, match="key store"):
        await take(node, message)
    assert contents(node.engine) == before


async def test_a_rule_that_fails_stops_nobody_else(node: MemoryNode) -> None:
    def failing(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
        raise ZeroDivisionError

    before = contents(node.engine)
    with pytest.raises(ZeroDivisionError):
        await take(node, rule=failing)
    assert contents(node.engine) == before
    assert await take(node)


async def test_listeners_hear_of_each_message_once(node: MemoryNode) -> None:
    heard: list[str] = []
    node.reception.listeners.append(lambda message: heard.append(message.nonce.trace_id))
    await take(node)
    await take(node, request(trace_id="trace-2"))
    await take(node, request("request-2", "trace-3"), deciding(Reply()))
    assert heard == ["trace-1", "trace-3"]


@pytest.mark.parametrize("role", ONBOARDED_ROLES)
async def test_there_is_a_route_for_each_message_that_the_role_takes_and_no_other(node: MemoryNode, role: Role) -> None:
    messages = {message.path: message for message in messages_received_by(role)}
    app = protocol_app(node.reception, messages, dict.fromkeys(messages.values(), deciding(Reply())))
    routes = [route for route in app.routes if isinstance(route, Route)]
    assert len(routes) == len(app.routes) == len(messages)
    assert {route.path for route in routes} == set(messages)
    assert all("POST" in (route.methods or ()) for route in routes)


async def test_a_message_without_a_rule_is_noticed_when_the_application_is_made(node: MemoryNode) -> None:
    with pytest.raises(LookupError, match=f"{TRIGGER.name} has no rule"):
        protocol_app(node.reception, {TRIGGER.path: TRIGGER}, {})
