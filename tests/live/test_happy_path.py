"""Loan acceptance through both operator planes; every text that travelled is verified once more by joserfc."""

import json
from typing import Any

import pytest

from shared.catalogue.table import example_of, find_message
from shared.protocol.problems import SUCCESS
from tests.live.letters import TRIGGER, TRIGGERED, VERIFIED, VERIFY
from tests.live.pair import LENDER, Pair, Side
from tests.live.waiting import eventually
from tests.protocol.second_library import verified_payload


def exchange(pair: Pair, message: str, callback: str, content: dict[str, Any]) -> dict[str, Any]:
    """Have the LSP send a message; the payload of the callback that it accepted."""
    request_id = pair.lsp.ops.send(message, LENDER, content)["request_id"]
    answer = eventually(lambda: pair.lsp.received(request_id, callback))
    eventually(lambda: pair.lender.delivered(request_id, callback))
    eventually(lambda: pair.lsp.delivered(request_id, message))
    payload: dict[str, Any] = answer["decoded"]["payload"]
    return payload


def accept_loan(pair: Pair, wrong_by: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both callbacks of a loan acceptance in which the borrower enters the OTP, or a wrong one."""
    triggered = exchange(pair, TRIGGER, TRIGGERED, example_of(find_message(TRIGGER)))
    (notice,) = pair.lender.ops.notices(triggered["requestId"])
    otp = (int(notice["text"][:6]) + wrong_by) % 1_000_000
    session = triggered["credBlock"]["data"]["otpSessionKey"]
    answer = {"type": "OTP", "data": {"otpSessionKey": session, "otp": f"{otp:06d}"}}
    return triggered, exchange(pair, VERIFY, VERIFIED, {"credBlock": answer})


@pytest.mark.parametrize(("wrong_by", "verdict"), [(0, "SUCCESS"), (1, "INCORRECT_OTP")])
def test_the_lender_tells_by_callback_whether_the_borrower_entered_the_otp_of_the_sms(
    pair: Pair, wrong_by: int, verdict: str
) -> None:
    triggered, verified = accept_loan(pair, wrong_by)

    assert triggered["response"] == {"error": SUCCESS}
    assert verified["credBlock"]["data"]["status"] == verdict


def test_another_library_verifies_every_message_and_every_ack_of_an_exchange(pair: Pair) -> None:
    for callback in accept_loan(pair):
        request_id = callback["requestId"]
        name = next(message for message in (TRIGGER, VERIFY) if pair.lsp.sent(request_id, message))
        verify_passage(request_id, name, pair.lsp, pair.lender)
        verify_passage(request_id, find_message(name).answered_by.full_name, pair.lender, pair.lsp)


def verify_passage(request_id: str, message: str, sender: Side, receiver: Side) -> None:
    """Verify a message and its ack, by what both journals have of them."""
    sent, received = sender.sent(request_id, message), receiver.received(request_id, message)
    assert sent is not None
    assert received is not None
    (attempt,) = sent["attempts"]
    assert received["envelope"] == attempt["sent"]["envelope"]
    assert received["ack"]["envelope"] == attempt["answer"]["envelope"]

    payload = opened(attempt["sent"]["envelope"], sender)
    ack = opened(attempt["answer"]["envelope"], receiver)

    assert payload["metadata"]["orgId"] == sender.identity.organisation_id
    assert ack["error"] == SUCCESS
    assert ack["traceId"] == payload["metadata"]["traceId"]


def opened(envelope: str, signer: Side) -> dict[str, Any]:
    """The payload of an envelope that `signer` has signed."""
    payload: dict[str, Any] = json.loads(verified_payload(json.loads(envelope), signer.public_key, "RS512"))
    return payload


def test_a_message_that_the_lender_refuses_is_not_sent_again(pair: Pair) -> None:
    content = {**example_of(find_message(TRIGGER)), "loanApplicationIds": ["NOTACCEPTED-1"]}

    request_id = pair.lsp.ops.send(TRIGGER, LENDER, content)["request_id"]

    eventually(pair.lsp.has_nothing_to_send)
    sent = pair.lsp.sent(request_id, TRIGGER)
    assert sent is not None
    assert (sent["state"], sent["tries"]) == ("REFUSED", 1)
    assert sent["result"].startswith("refused with GEN5010")
    assert pair.lender.received(request_id, TRIGGER) is None
