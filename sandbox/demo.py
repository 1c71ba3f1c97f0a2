"""The demo: one loan acceptance from end to end, told as the journals of both nodes have it."""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.following import Passage, finished_delivery, passage, received_message, sent_message
from sandbox.ops_client import OpsClient
from sandbox.settings import NodeName
from shared.catalogue.table import example_of, get_message
from shared.protocol.messages import MessageType

PATIENCE_SECONDS: Final = 15.0

TRIGGER: Final = get_message("v3", "TriggerLoanAcceptanceRequest")
VERIFY: Final = get_message("v3", "VerifyLoanAcceptanceRequest")

_OTP: Final = re.compile(r"\b\d{6}\b")


class DemoFailedError(Exception):
    """A step of the demo did not hold; the text says which, and what came instead."""


@dataclass(frozen=True, slots=True)
class Sms:
    """The text with the OTP, as the lender's SMS inbox has it."""

    recipient: str
    text: str
    otp: str


Scene = Passage | Sms


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the LSP asks of one lender, and the lender's answers.

    Attributes:
        address: how messages name the lender.
        patience: so many seconds a step may take.
    """

    pair: Mapping[NodeName, OpsClient]
    lender: NodeName
    address: str
    patience: float = PATIENCE_SECONDS

    def ask(self, message: MessageType, content: Mapping[str, Any]) -> Generator[Scene, None, Passage]:
        """Let the LSP send a request and the lender answer it; return the answer.

        Raises:
            DemoFailedError: a step does not hold.
            SandboxError: a node does not answer, or does not send.
        """
        return (yield from self.follow(message, self.begin(message, content)))

    def begin(self, message: MessageType, content: Mapping[str, Any]) -> str:
        """Let the LSP send a request; return its requestId. Raises SandboxError as `ask` does."""
        underway = self.pair[NodeName.LSP].send(message.full_name, self.address, content)
        return str(underway["request_id"])

    def follow(self, message: MessageType, request_id: str) -> Generator[Scene, None, Passage]:
        """Tell how a request that the LSP has sent goes on; return the answer. Raises as `ask` does."""
        asked = self._passage(NodeName.LSP, self.lender, request_id, message.full_name)
        yield asked
        _demand(asked)
        assert message.answered_by is not None
        answered = self._passage(self.lender, NodeName.LSP, request_id, message.answered_by.full_name)
        yield answered
        _demand(answered)
        return answered

    def sms(self, request_id: str) -> Sms:
        """Return the text with the OTP of a request. Raises DemoFailedError if there is none."""
        notices = self.pair[self.lender].notices(request_id)
        otp = _OTP.search(notices[0]["text"]) if notices else None
        if otp is None:
            raise DemoFailedError("the lender's SMS inbox has no OTP for this request")
        return Sms(notices[0]["recipient"], notices[0]["text"], otp.group())

    def _passage(self, sender: NodeName, receiver: NodeName, request_id: str, name: str) -> Passage:
        ops, other = self.pair[sender], self.pair[receiver]
        sent = ops.wait_for(lambda ops: finished_delivery(ops, request_id, name), self.patience)
        if sent is None:
            stuck = sent_message(ops, request_id, name)
            found = f"{stuck['state']}: {stuck['result'] or 'not tried yet'}" if stuck else "not in its journal"
            raise DemoFailedError(f"{name} of the {sender.label} has not arrived in {self.patience:.0f} s: {found}")
        received = other.wait_for(lambda ops: received_message(ops, request_id, name), 1.0)
        return passage(sent, received, request_id, *(one.identity()["organisation_id"] for one in (ops, other)))


@dataclass(frozen=True, slots=True)
class Demo:
    """Loan acceptance in OCEN v3 between the two nodes of a pair that runs."""

    pair: Mapping[NodeName, OpsClient]

    def scenes(self) -> Generator[Scene, None, None]:
        """Play the exchange and tell each scene once it is over.

        Raises:
            DemoFailedError: a step does not hold.
            SandboxError: a node does not answer, or does not send.
        """
        lender = self.pair[NodeName.LENDER].identity()["organisation_id"]
        exchange = Exchange(self.pair, NodeName.LENDER, lender)
        offered = yield from exchange.ask(TRIGGER, example_of(TRIGGER))
        sms = exchange.sms(offered.request_id)
        yield sms
        answer = {**example_of(VERIFY), "credBlock": {"type": "OTP", "data": otp_answer(offered, sms)}}
        demand_success((yield from exchange.ask(VERIFY, answer)))


def otp_answer(offered: Passage, sms: Sms) -> dict[str, str]:
    """Return what the borrower's answer holds: the session that the lender has opened, and the OTP that it sent."""
    return {"otpSessionKey": offered.content["credBlock"]["data"]["otpSessionKey"], "otp": sms.otp}


def demand_success(verdict: Passage) -> None:
    """Demand that the lender takes the OTP that it has sent itself. Raises DemoFailedError if it does not."""
    status = verdict.content["credBlock"]["data"]["status"]
    if status != "SUCCESS":
        raise DemoFailedError(f"the lender's verdict on its own OTP is {status}, not SUCCESS")


def _demand(step: Passage) -> None:
    if not step.is_accepted:
        raise DemoFailedError(f"{step.message} was not accepted: {step.state}, {step.result}")
