"""The demo: one loan acceptance from end to end, told as the journals of both nodes have it."""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.following import Passage, finished_delivery, passage, received_message, sent_message
from sandbox.ops_client import OpsClient
from sandbox.settings import NodeName
from shared.catalogue.table import BY_NAME

PATIENCE_SECONDS: Final = 15.0

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
class Demo:
    """The exchange between the two nodes of a pair that runs; `patience` is how many seconds a step may take."""

    pair: Mapping[NodeName, OpsClient]
    patience: float = PATIENCE_SECONDS

    def scenes(self) -> Generator[Scene, None, None]:
        """Play the exchange and tell each scene once it is over.

        Raises:
            DemoFailedError: a step does not hold.
            SandboxError: a node does not answer, or does not send.
        """
        offered = yield from self._ask("TriggerLoanAcceptanceRequest", {})
        sms = self._sms(offered.request_id)
        yield sms
        session = offered.content["credBlock"]["data"]["otpSessionKey"]
        block = {"type": "OTP", "data": {"otpSessionKey": session, "otp": sms.otp}}
        verdict = yield from self._ask("VerifyLoanAcceptanceRequest", {"credBlock": block})
        status = verdict.content["credBlock"]["data"]["status"]
        if status != "SUCCESS":
            raise DemoFailedError(f"the lender's verdict on its own OTP is {status}, not SUCCESS")

    def _ask(self, name: str, content: Mapping[str, Any]) -> Generator[Scene, None, Passage]:
        """Let the LSP send a request and the lender answer it; return the answer."""
        message = BY_NAME[name]
        lender = self.pair[NodeName.LENDER].identity()["organisation_id"]
        underway = self.pair[NodeName.LSP].send(name, lender, {**message.example(), **content})
        asked = self._passage(NodeName.LSP, underway["request_id"], name)
        yield asked
        _demand(asked)
        answered = self._passage(NodeName.LENDER, underway["request_id"], message.answer_key or "")
        yield answered
        _demand(answered)
        return answered

    def _passage(self, sender: NodeName, request_id: str, name: str) -> Passage:
        ops, other = self.pair[sender], self.pair[sender.other]
        sent = ops.wait_for(lambda ops: finished_delivery(ops, request_id, name), self.patience)
        if sent is None:
            stuck = sent_message(ops, request_id, name)
            found = f"{stuck['state']}: {stuck['result'] or 'not tried yet'}" if stuck else "not in its journal"
            raise DemoFailedError(f"{name} of the {sender.label} has not arrived in {self.patience:.0f} s: {found}")
        received = other.wait_for(lambda ops: received_message(ops, request_id, name), 1.0)
        return passage(sent, received, ops.identity()["organisation_id"])

    def _sms(self, request_id: str) -> Sms:
        notices = self.pair[NodeName.LENDER].notices(request_id)
        otp = _OTP.search(notices[0]["text"]) if notices else None
        if otp is None:
            raise DemoFailedError("the lender's SMS inbox has no OTP for this request")
        return Sms(notices[0]["recipient"], notices[0]["text"], otp.group())


def _demand(step: Passage) -> None:
    if not step.is_accepted:
        raise DemoFailedError(f"{step.message} was not accepted: {step.state}, {step.result}")
