"""Sending on request: what is put on its way, and one clear sentence for all that cannot be sent."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.catalogue.table import example_of, find_message
from shared.node.journal import DuplicateRequestError
from shared.node.send.sender import SendError, UnknownReceiverError
from shared.node.tables import OUTBOX
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.counterparty import ScriptedTransport, acking
from tests.equipment.node import MemoryNode, memory_node
from tests.equipment.parties import LENDER, LSP, identity_of, lender, lsp, lsp_key
from tests.equipment.storage import LEASE, contents, rows, sqlite_engine

MESSAGE = "TriggerLoanAcceptanceRequest"
CONTENT = example_of(find_message(MESSAGE))


@pytest.fixture
def network() -> ScriptedTransport:
    return ScriptedTransport(acking())


@pytest.fixture
def room() -> int:
    """How many deliveries the courier may have in hand."""
    return 8


@pytest.fixture
async def node(tmp_path: Path, network: ScriptedTransport, room: int) -> AsyncIterator[MemoryNode]:
    with sqlite_engine(tmp_path) as engine:
        async with memory_node(
            engine,
            identity=identity_of(lsp(), lsp_key()),
            counterparties=[lender(), replace(lsp(), id="LSP999")],
            clock=FrozenClock(),
            transport=network,
            room=room,
        ) as node:
            yield node


async def refuse(node: MemoryNode, kind: type[Exception], *send: Any) -> str:
    """Try to send; return the sentence of the refusal, which has changed nothing."""
    before = contents(node.engine)
    with pytest.raises(kind) as refusal:
        await node.sender.send(*send)
    await node.courier.settle()
    assert contents(node.engine) == before
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


async def test_a_message_is_durable_when_it_is_sent_and_then_delivered(
    node: MemoryNode, network: ScriptedTransport
) -> None:
    entry = await node.sender.send(MESSAGE, LENDER, {**CONTENT, "requestId": "request-1"})
    (row,) = rows(node.engine, OUTBOX)
    assert (row["id"], row["request_id"], row["receiver"]) == (entry.id, "request-1", LENDER)
    assert (row["state"], row["due_at"]) == ("SENDING", NOW + LEASE)
    await node.courier.settle()
    assert rows(node.engine, OUTBOX)[0]["state"] == "DELIVERED"
    assert network.payloads[0]["requestId"] == "request-1"


@pytest.mark.parametrize("room", [0])
async def test_where_the_courier_has_no_room_a_message_waits(node: MemoryNode) -> None:
    await node.sender.send(MESSAGE, LENDER, CONTENT)
    (row,) = rows(node.engine, OUTBOX)
    assert (row["state"], row["due_at"]) == ("WAITING", NOW)


async def test_a_message_without_a_request_id_gets_one_of_its_own(node: MemoryNode) -> None:
    entries = [await node.sender.send(MESSAGE, LENDER, CONTENT) for _ in range(2)]
    assert len({entry.outgoing.request_id for entry in entries}) == 2
    assert all(entry.outgoing.content["requestId"] == entry.outgoing.request_id for entry in entries)


async def test_metadata_is_not_taken_over_but_stamped_on_delivery(node: MemoryNode, network: ScriptedTransport) -> None:
    forged = {"metadata": {"orgId": "LENDER01", "traceId": "forged"}}
    await node.sender.send(MESSAGE, LENDER, {**CONTENT, **forged})
    await node.courier.settle()
    assert network.payloads[0]["metadata"]["orgId"] == LSP
    assert network.payloads[0]["metadata"]["traceId"] != "forged"
    assert "metadata" not in json.loads(rows(node.engine, OUTBOX)[0]["content"])


async def test_a_request_id_is_used_once_towards_a_receiver(node: MemoryNode) -> None:
    content = {**CONTENT, "requestId": "request-1"}
    await node.sender.send(MESSAGE, LENDER, content)
    await node.courier.settle()
    assert "request-1 has been used" in await refuse(node, DuplicateRequestError, MESSAGE, LENDER, content)


@pytest.mark.parametrize("message", ["TriggerLoanAcceptanceResponse", "LoanRequest", ""])
async def test_a_message_that_the_role_does_not_send_is_refused_and_the_choice_named(
    node: MemoryNode, message: str
) -> None:
    sentence = await refuse(node, SendError, message, LENDER, CONTENT)
    assert sentence == (
        f"{message} is not a message that a LOAN_AGENT sends; choose from "
        "CreateLoanApplicationsRequest, ConsentHandleRequest, ConsentStatusRequest, GenerateOffersRequest, "
        "TriggerLoanAcceptanceRequest, VerifyLoanAcceptanceRequest"
    )


async def test_a_receiver_who_is_not_known_is_refused_and_the_choice_named(node: MemoryNode) -> None:
    sentence = await refuse(node, UnknownReceiverError, MESSAGE, "LENDER02", CONTENT)
    assert sentence == "LENDER02 is not in the directory; choose from LENDER01, LSP999, or onboard it"
    node.directory.replace([])
    assert "choose from nobody yet" in await refuse(node, UnknownReceiverError, MESSAGE, LENDER, CONTENT)


async def test_a_receiver_of_another_role_is_refused(node: MemoryNode) -> None:
    sentence = await refuse(node, UnknownReceiverError, MESSAGE, "LSP999", CONTENT)
    assert sentence == f"LSP999 is a LOAN_AGENT, who does not take {MESSAGE}"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({}, "loanApplicationIds: Field required"),
        ({"loanApplicationIds": []}, "loanApplicationIds: "),
        ({"loanApplicationIds": ["a", 5]}, "loanApplicationIds.1: "),
        ({"credBlock": {"type": "PIN", "data": {}}}, "credBlock.type: "),
        ({"requestId": ""}, "requestId: "),
        ({"requestId": None}, "requestId: "),
        ({"requestId": 7}, "requestId: "),
        ({"requestId": "a" * 65}, "requestId: "),
        ({"requestId": "a\x00b"}, "requestId: "),
        ({"extra": float("nan")}, " "),
        ({"extra": float("inf")}, " "),
        ({"extra": "\ud800"}, " "),
        ({"extra": Decimal("0.12345678901234567890123456789")}, " "),
    ],
)
async def test_content_that_does_not_fit_is_refused_with_its_place(
    node: MemoryNode, content: dict[str, Any], place: str
) -> None:
    complete = {**CONTENT, **content} if content else {}
    sentence = await refuse(node, SendError, MESSAGE, LENDER, complete)
    assert sentence.startswith(("content.", "content: "))
    assert place in sentence
    assert "metadata" not in sentence


async def test_an_exact_amount_goes_over_the_wire_with_its_value(node: MemoryNode, network: ScriptedTransport) -> None:
    await node.sender.send(MESSAGE, LENDER, {**CONTENT, "amount": Decimal("150000.75"), "rate": Decimal("12.50")})
    await node.courier.settle()
    assert (network.payloads[0]["amount"], network.payloads[0]["rate"]) == (150000.75, 12.5)
