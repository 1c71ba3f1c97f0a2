"""The demo tells the truth: whatever does not hold is named, and nothing after it is shown."""

import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.demo import SCRIPTS, Demo, DemoFailedError, Scene, Sms
from sandbox.errors import SandboxError
from sandbox.following import Passage
from sandbox.insider import lsp_and_lender_of
from sandbox.ops_client import OpsClient
from sandbox.settings import PAIR, Folders, NodeName, OcenVersion
from sandbox.tampered import TamperedOutcome, send_tampered
from shared.clock import SystemClock
from tests.sandbox.nodes import run_of

SCRIPT = SCRIPTS[OcenVersion.V3]
STEP = {"check": "signature_verifies", "outcome": "passed"}
ANSWERS = {
    "TriggerLoanAcceptanceResponse": {"otpSessionKey": "s-1"},
    "VerifyLoanAcceptanceResponse": {"otpSessionKey": "s-1", "status": "SUCCESS"},
}


class Journal:
    """A node's operator plane, played from a list of records; `spoil` changes each before it is shown."""

    def __init__(self, organisation_id: str, spoil: Callable[[dict[str, Any]], None]) -> None:
        self.organisation_id, self.spoil = organisation_id, spoil
        self.sms = ["048213 is your OTP to accept the loan."]
        self.contents: list[dict[str, Any]] = []

    def identity(self) -> dict[str, Any]:
        return {"organisation_id": self.organisation_id}

    def send(self, message: str, to: str, content: dict[str, Any]) -> dict[str, Any]:
        self.contents.append(content)
        return {"id": "d-1", "request_id": "r-1"}

    def notices(self, reference: str) -> list[dict[str, Any]]:
        return [{"recipient": "XXXXXXX317", "text": text} for text in self.sms]

    def wait_for(self, look: Callable[["Journal"], Any], seconds: float) -> Any:
        return look(self)

    def message(self, request_id: str) -> dict[str, Any]:
        return {"sent": list(self._sent()), "received": list(self._received())}

    def _sent(self) -> Iterable[dict[str, Any]]:
        for name in ("TriggerLoanAcceptance", "VerifyLoanAcceptance"):
            for kind in ("Request", "Response"):
                record = sent(name + kind)
                self.spoil(record)
                yield record

    def _received(self) -> Iterable[dict[str, Any]]:
        for record in self._sent():
            yield {"message": record["message"], "verification": record["checks"]}


def sent(name: str) -> dict[str, Any]:
    payload = {"requestId": "r-1", "credBlock": {"type": "OTP", "data": ANSWERS.get(name, {})}}
    attempt = {
        "started_at": "2031-05-06T07:08:09.123Z",
        "milliseconds": 5.0,
        "status": 200,
        "sent": {"decoded": {"payload": payload}},
        "answer": {"decoded": {"payload": {"error": "0"}}},
        "verification": [STEP],
    }
    result = {"message": name, "peer": "X", "state": "DELIVERED", "result": "acknowledged", "attempts": [attempt]}
    return {**result, "checks": [STEP]}


def played(spoil: Callable[[dict[str, Any]], None], sms: list[str] | None = None) -> tuple[list[Scene], str]:
    """Play the demo; return its scenes, and what it says does not hold."""
    lender, lsp = Journal("LENDER01", spoil), Journal("LSP123", spoil)
    lender.sms = lender.sms if sms is None else sms
    scenes: list[Scene] = []
    try:
        pair = {NodeName.LENDER: lender, NodeName.LSP: lsp}
        Demo(pair, SCRIPT, scenes.append).accepted()  # type: ignore[arg-type]
    except DemoFailedError as failure:
        return scenes, str(failure)
    assert lsp.contents[1]["credBlock"]["data"] == {"otpSessionKey": "s-1", "otp": "048213"}
    return scenes, ""


def only(name: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(record: dict[str, Any]) -> None:
        if record["message"] == name:
            record.update(changes)

    return spoil


def test_all_goes_well_in_five_scenes() -> None:
    scenes, failure = played(only(""))
    assert failure == ""
    assert [scene.message for scene in scenes if isinstance(scene, Passage)] == [
        "TriggerLoanAcceptanceRequest",
        "TriggerLoanAcceptanceResponse",
        "VerifyLoanAcceptanceRequest",
        "VerifyLoanAcceptanceResponse",
    ]
    assert [scene.otp for scene in scenes if isinstance(scene, Sms)] == ["048213"]


def test_a_refused_message_is_shown_and_named() -> None:
    scenes, failure = played(only("VerifyLoanAcceptanceRequest", state="REFUSED", result="refused with GEN5010"))
    assert failure == "VerifyLoanAcceptanceRequest was not accepted: REFUSED, refused with GEN5010"
    assert len(scenes) == 4


def test_a_delivery_that_does_not_end_is_named_with_its_state() -> None:
    scenes, failure = played(only("TriggerLoanAcceptanceRequest", state="WAITING", result="no answer"))
    assert failure == "TriggerLoanAcceptanceRequest of the LSP has not arrived in 15 s: WAITING: no answer"
    assert scenes == []


def test_a_callback_that_is_not_sent_is_named() -> None:
    scenes, failure = played(only("TriggerLoanAcceptanceResponse", message="Another"))
    assert failure == "TriggerLoanAcceptanceResponse of the lender has not arrived in 15 s: not in its journal"
    assert len(scenes) == 1


def test_a_check_that_fails_is_a_failure_though_the_message_was_delivered() -> None:
    failed = [{"check": "signature_verifies", "outcome": "failed"}]
    assert "was not accepted" in played(only("TriggerLoanAcceptanceResponse", checks=failed))[1]


@pytest.mark.parametrize("inbox", [[], ["no digits"], ["1234567 is too long"]])
def test_an_sms_without_an_otp_is_named(inbox: list[str]) -> None:
    assert played(only(""), inbox)[1] == "the lender's SMS inbox has no OTP for this request"


def test_another_verdict_than_success_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "VerifyLoanAcceptanceResponse", {"otpSessionKey": "s-1", "status": "INCORRECT_OTP"})
    assert played(only(""))[1] == "the lender's verdict on its own OTP is INCORRECT_OTP, not SUCCESS"


REFUSED = TamperedOutcome(
    message="TriggerLoanAcceptanceRequest",
    change=SCRIPT.change,
    request_id="r-1",
    sender="LSP123",
    receiver="LENDER01",
    status=401,
    ack={"error": "AUTH1001"},
    ack_checks=(STEP,),
    checks=({"check": "signature_verifies", "outcome": "failed"},),
    accepted=False,
)


def test_a_refusal_counts_only_for_the_right_reason_signed_and_without_effect() -> None:
    other = ({"check": "timestamp_is_fresh", "outcome": "failed"},)
    unsigned = ({"check": "signature_verifies", "outcome": "failed"},)
    assert REFUSED.is_right
    assert not replace(REFUSED, checks=other).is_right
    assert not replace(REFUSED, checks=()).is_right
    assert not replace(REFUSED, ack_checks=unsigned).is_right
    assert not replace(REFUSED, accepted=True).is_right


def test_the_changed_message_goes_to_the_lender_of_the_run_whatever_the_file_of_the_keys_says(
    made_pki: Path, tmp_path: Path
) -> None:
    """Another pair of the same keys may have written its own addresses into that file."""
    run = run_of(Folders(tmp_path / "data", made_pki), dict.fromkeys(PAIR, "http://127.0.0.1:1"), os.getpid())
    with socket.socket() as silent, OpsClient("lender", "http://127.0.0.1:1", "token") as lender:
        silent.bind(("127.0.0.1", 0))
        run.nodes[NodeName.LENDER].url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(
            SandboxError, match=f"{run.nodes[NodeName.LENDER].url}/v3/loan/triggerLoanAcceptanceRequest"
        ):
            send_tampered(SCRIPT, *lsp_and_lender_of(run), {}, lender=lender, clock=SystemClock())
