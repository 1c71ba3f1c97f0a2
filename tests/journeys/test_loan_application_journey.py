"""Loan applications of OCEN 4.0, from the verified message to the journal: created, rejected, accepted, kept apart."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.catalogue.table import example_of, get_message
from shared.node.journal import Dispatch
from shared.node.node import Application
from shared.node.receive.verify import Refused
from shared.node.rules import Outgoing
from shared.node.send.outbox import OutboxState, new_entry
from shared.node.tables import INBOX, NOTICES, OUTBOX, RECORDS
from shared.protocol.messages import MessageType
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.profiles import SignedBody
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.counterparty import ScriptedTransport, acking
from tests.equipment.envelopes import payload_inside
from tests.equipment.lender_node import lender_application
from tests.equipment.node import MemoryNode, memory_node
from tests.equipment.parties import identity_of, lender, lender_key, lsp_key
from tests.equipment.storage import contents, rows, sqlite_engine
from tests.equipment.v4_messages import (
    AGENT,
    CREATE,
    CREATED,
    LENDER_ID,
    TRIGGER_V4,
    VERIFY_V4,
    loan_agent,
    verified_v4,
)

OTHER_AGENT = "7099"


class NotTakenError(Exception):
    """A message was refused."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused


def payload_of_ack(ack: SignedBody) -> dict[str, Any]:
    """The payload of an ack of either version."""
    payload: dict[str, Any] = json.loads(ack.body)
    return payload if ack.headers else payload_inside(ack.body)


class Lender:
    """A lender that takes verified messages; what it has to say stays in its outbox."""

    def __init__(self, node: MemoryNode, application: Application, clock: FrozenClock) -> None:
        self.node = node
        self.clock = clock
        self._rules = application.rules.messages
        self._count = 0

    async def take(self, message: VerifiedMessage) -> dict[str, Any]:
        """Take a message and return the payload of the ack."""
        message_type = message.message_type
        assert isinstance(message_type, MessageType)
        taken = await self.node.reception.take(message, message_type, self._rules[message_type])
        if isinstance(taken, Refused):
            raise NotTakenError(taken)
        return payload_of_ack(taken)

    async def ask(self, message_type: MessageType, sender: str = AGENT, **content: Any) -> dict[str, Any]:
        """Take a new message of that type, and return what is answered."""
        self._count += 1
        ids = f"request-{self._count}", f"trace-{self._count}"
        await self.take(
            verified_v4(message_type.full_name, *ids, self.clock.now(), sender=loan_agent(sender), **content)
        )
        (row,) = [row for row in rows(self.node.engine, OUTBOX) if row["request_id"] == ids[0]]
        assert (row["receiver"], row["message"]) == (sender, message_type.answered_by.full_name)
        answered: dict[str, Any] = json.loads(row["content"])
        return answered

    async def refuse(self, message_type: MessageType, sender: str = AGENT, **content: Any) -> Refused:
        """Take a new message that is refused and changes nothing."""
        before = contents(self.node.engine)
        with pytest.raises(NotTakenError) as refusal:
            await self.ask(message_type, sender, **content)
        assert contents(self.node.engine) == before
        return refusal.value.refused

    async def create(self, *applications: dict[str, Any], sender: str = AGENT) -> list[str]:
        """Have applications created, and return their statuses."""
        answer = await self.ask(CREATE, sender, loanApplications=list(applications))
        return [one["loanApplicationStatus"] for one in answer["loanApplications"]]

    async def trigger(self, loan_application_id: str = "APPL-1", sender: str = AGENT) -> dict[str, Any]:
        """Have the borrower asked for the acceptance of an application."""
        return await self.ask(TRIGGER_V4, sender, loanApplicationId=loan_application_id)

    async def verify(
        self, session_key: str, otp: str, loan_application_id: str = "APPL-1", sender: str = AGENT
    ) -> tuple[str, str]:
        """Hand in an OTP; return the verdict and the status of the application."""
        block = {"data": {"otpSessionKey": session_key, "otp": otp}}
        answer = await self.ask(VERIFY_V4, sender, loanApplicationId=loan_application_id, credBlock=block)
        return answer["credBlock"]["data"]["status"], answer["loanApplicationStatus"]

    def otp(self) -> str:
        """The OTP in the latest SMS."""
        return str(rows(self.node.engine, NOTICES)[-1]["text"])[:6]


def application(loan_application_id: str = "APPL-1", amount: int = 250_000) -> dict[str, Any]:
    example: dict[str, Any] = example_of(CREATE)["loanApplications"][0]
    terms = {**example["terms"], "requestedAmount": amount}
    return {**example, "loanApplicationId": loan_application_id, "terms": terms}


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Lender]:
    clock = FrozenClock()
    with sqlite_engine(tmp_path, "lender") as engine:
        async with memory_node(
            engine,
            identity=identity_of(lender(), lender_key()),
            counterparties=[],
            clock=clock,
            transport=ScriptedTransport(acking(key=lsp_key())),
            room=0,
            rules=(composed := lender_application(tmp_path)).rules,
        ) as node:
            yield Lender(node, composed, clock)
            assert node.telemetry.troubles == []


async def test_every_application_of_a_bulk_message_is_decided_by_itself_and_remembered(bank: Lender) -> None:
    assert await bank.create(application(), application("APPL-2", 5_000_000)) == ["PROCESSING", "REJECTED"]
    loans = [json.loads(row["state"]) for row in rows(bank.node.engine, RECORDS) if row["kind"] == "loan-application"]
    assert [(loan["id"], loan["milestones"]["intake"], loan["masked_phone"]) for loan in loans] == [
        ("APPL-1", "open", "XXXXXXX417"),
        ("APPL-2", "rejected", "XXXXXXX417"),
    ]


async def test_the_reason_of_a_rejection_is_told(bank: Lender) -> None:
    answer = await bank.ask(CREATE, loanApplications=[application("APPL-2", 5_000_000)])
    assert answer["response"]["status"] == "SUCCESS"
    assert "APPL-2 is rejected: CLARQ1003 The amount exceeds the limit." in answer["response"]["responseDetail"]


async def test_the_same_request_creates_its_applications_once(bank: Lender) -> None:
    content = {"loanApplications": [application()]}
    acks = [
        await bank.take(verified_v4(CREATE.full_name, "request-1", f"trace-{number}", **content)) for number in range(3)
    ]
    assert [ack["error"] for ack in acks] == ["0"] * 3
    assert len(rows(bank.node.engine, OUTBOX)) == len(rows(bank.node.engine, INBOX)) == 1
    assert len(rows(bank.node.engine, RECORDS)) == 2  # the application, and that its id is taken


async def test_an_application_that_comes_again_is_told_as_it_stands(bank: Lender) -> None:
    await bank.create(application())
    before = rows(bank.node.engine, RECORDS)
    assert await bank.create(application()) == ["PROCESSING"]
    assert rows(bank.node.engine, RECORDS) == before


async def test_the_id_of_an_application_is_not_taken_for_another_one(bank: Lender) -> None:
    await bank.create(application())
    before = contents(bank.node.engine)
    refusal = await bank.refuse(CREATE, loanApplications=[application(amount=1_000)])
    assert (refusal.problem, refusal.reason) == (
        Problem.OTHER_CONTENT,
        "loanApplicationId APPL-1 has been used for another application; take a new one",
    )
    refusal = await bank.refuse(CREATE, loanApplications=[application("APPL-3"), application("APPL-3")])
    assert refusal.problem is Problem.VALUE
    assert contents(bank.node.engine) == before
    answer = await bank.ask(CREATE, loanApplications=[application("APPL-2"), application(amount=1_000)])
    taken, known = answer["loanApplications"]
    assert [one["loanApplicationStatus"] for one in (taken, known)] == ["PROCESSING", "PROCESSING"]
    assert [detail["code"] for detail in known["extensibleData"]["rejectionDetails"]] == ["GEN5017"]


async def test_an_application_that_is_processed_can_be_accepted_by_its_borrower(bank: Lender) -> None:
    await bank.create(application())
    answer = await bank.trigger()
    assert answer["loanApplicationStatus"] == "LOAN_AGREEMENT_INITIATED"
    session = answer["credBlock"]["data"]
    assert session["maskedPhoneNumber"] == "XXXXXXX417"
    assert await bank.verify(session["otpSessionKey"], "000000" if bank.otp() != "000000" else "000001") == (
        "INCORRECT_OTP",
        "LOAN_AGREEMENT_INITIATED",
    )
    assert await bank.verify(session["otpSessionKey"], bank.otp()) == ("SUCCESS", "LOAN_AGREEMENT_COMPLETED")
    assert await bank.verify(session["otpSessionKey"], bank.otp()) == ("INVALID_SESSION", "LOAN_AGREEMENT_COMPLETED")


async def test_an_application_that_is_rejected_or_agreed_cannot_be_accepted(bank: Lender) -> None:
    await bank.create(application(), application("APPL-2", 5_000_000))
    session = (await bank.trigger())["credBlock"]["data"]
    await bank.verify(session["otpSessionKey"], bank.otp())
    for loan_application_id in ("APPL-1", "APPL-2"):
        refusal = await bank.refuse(TRIGGER_V4, loanApplicationId=loan_application_id)
        assert refusal.problem is Problem.NOT_ALLOWED_NOW


async def test_another_senders_application_looks_like_none(bank: Lender) -> None:
    await bank.create(application())
    foreign = await bank.refuse(TRIGGER_V4, OTHER_AGENT, loanApplicationId="APPL-1")
    unknown = await bank.refuse(TRIGGER_V4, OTHER_AGENT, loanApplicationId="UNKNOWN-1")
    assert foreign.problem is unknown.problem is Problem.UNKNOWN_REFERENCE
    assert foreign.reason == unknown.reason


async def test_two_senders_may_use_the_same_id_each_for_an_application_of_its_own(bank: Lender) -> None:
    assert await bank.create(application()) == ["PROCESSING"]
    assert await bank.create(application(amount=5_000_000), sender=OTHER_AGENT) == ["REJECTED"]
    assert (await bank.trigger())["response"]["status"] == "SUCCESS"
    refusal = await bank.refuse(TRIGGER_V4, OTHER_AGENT, loanApplicationId="APPL-1")
    assert refusal.problem is Problem.NOT_ALLOWED_NOW


async def test_an_id_that_no_message_has_created_is_accepted_as_the_sandbox_does(bank: Lender) -> None:
    session = (await bank.trigger("APPL-9"))["credBlock"]["data"]
    assert await bank.verify(session["otpSessionKey"], bank.otp(), "APPL-9") == ("SUCCESS", "LOAN_AGREEMENT_COMPLETED")
    assert [row["kind"] for row in rows(bank.node.engine, RECORDS)] == ["otp-session"]


async def test_an_otp_counts_for_the_application_of_its_session_alone_and_costs_no_try(bank: Lender) -> None:
    await bank.create(application(), application("APPL-2"))
    session = (await bank.trigger())["credBlock"]["data"]
    before = rows(bank.node.engine, RECORDS)
    assert (await bank.verify(session["otpSessionKey"], bank.otp(), "APPL-2"))[0] == "INVALID_SESSION"
    assert (await bank.verify(session["otpSessionKey"], bank.otp(), sender=OTHER_AGENT))[0] == "INVALID_SESSION"
    assert rows(bank.node.engine, RECORDS) == before
    assert (await bank.verify(session["otpSessionKey"], bank.otp()))[0] == "SUCCESS"


async def test_an_application_of_which_nothing_comes_is_cancelled_after_thirty_days(bank: Lender) -> None:
    await bank.create(application())
    await bank.node.journal.set_clock("clock-1", 30 * 24 * 3600 - 1, NOW)
    await bank.node.courier.fire()
    assert await bank.create(application()) == ["PROCESSING"]
    bank.clock.advance(1)
    assert await bank.create(application()) == ["CANCELLED"]
    refusal = await bank.refuse(TRIGGER_V4, loanApplicationId="APPL-1")
    assert refusal.problem is Problem.NOT_ALLOWED_NOW


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[MemoryNode]:
    with sqlite_engine(tmp_path, "agent") as engine:
        async with memory_node(
            engine,
            identity=identity_of(loan_agent(), lsp_key()),
            counterparties=[],
            clock=FrozenClock(),
            transport=ScriptedTransport(acking(key=lender_key())),
            room=0,
        ) as node:
            yield node


async def test_the_loan_agent_takes_the_callback_to_its_own_request_and_wraps_the_ack(agent: MemoryNode) -> None:
    before = contents(agent.engine)
    refused = await agent.reception.take(verified_v4(CREATED.full_name), CREATED, None)
    assert isinstance(refused, Refused)
    assert refused.problem is Problem.UNKNOWN_REFERENCE
    assert contents(agent.engine) == before
    asked = new_entry(Outgoing(LENDER_ID, CREATE, "request-1", example_of(CREATE)), NOW)
    await agent.journal.dispatch(Dispatch(asked, OutboxState.WAITING, NOW))
    ack = await agent.reception.take(verified_v4(CREATED.full_name, trace_id="trace-2"), CREATED, None)
    assert isinstance(ack, SignedBody)
    assert payload_of_ack(ack) == {"ack": {"error": "0", "traceId": "trace-2", "timestamp": "2031-03-04T05:06:07.890Z"}}
    (row,) = rows(agent.engine, INBOX)
    assert (row["message"], row["request_id"], row["ack_signature"]) == (
        CREATED.full_name,
        "request-1",
        ack.headers["signature"],
    )


async def test_a_callback_to_a_request_of_v3_does_not_answer_one_of_4_0(agent: MemoryNode) -> None:
    request = get_message("v3", "TriggerLoanAcceptanceRequest")
    asked = new_entry(Outgoing(LENDER_ID, request, "request-1", {}), NOW)
    await agent.journal.dispatch(Dispatch(asked, OutboxState.WAITING, NOW))
    callback = verified_v4("v4/TriggerLoanAcceptanceResponse")
    assert isinstance(callback.message_type, MessageType)
    refused = await agent.reception.take(callback, callback.message_type, None)
    assert isinstance(refused, Refused)
    assert f"no v4/{request.name} with this requestId" in refused.reason
