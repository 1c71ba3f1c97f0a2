"""Loan acceptance as a record: what the lender answers to each message, and what it remembers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lender_app.app import LenderSettings, application
from lender_app.journey.loan_acceptance import OTP_SESSION, trigger_acceptance, verify_acceptance
from lender_app.otp_session import SessionState
from lender_app.policy import AcceptancePolicy, Policy
from lender_app.wrong_otps import WRONG_OTPS
from shared.catalogue.table import messages_received_by
from shared.node.rules import Moment, Record, Records, Reply
from shared.node.settings import SettingsError
from shared.protocol.messages import Role
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from tests.equipment.clock import NOW
from tests.equipment.messages import VERIFY, request, verified
from tests.equipment.parties import LSP, lsp, payload_of

SECRET = b"a secret of thirty-two bytes ....."
OTP = "042042"

POLICY = Policy(SECRET, draw_otp=lambda: OTP, draw_id=lambda: "session-1")


def trigger(**content: Any) -> Reply:
    return trigger_acceptance(request(**content), {}, POLICY, Moment(NOW, NOW))


def opened() -> Record:
    (record,) = trigger().records
    return record


def verification(otp: Any = OTP, key: str = "session-1") -> VerifiedMessage:
    payload = payload_of(VERIFY.name, "request-2")
    data = {"otpSessionKey": key, "otp": otp}
    return verified({**payload, "credBlock": {"type": "OTP", "data": data}}, VERIFY.name)


def verify(records: Records, message: VerifiedMessage | None = None) -> tuple[Reply, dict[str, Any]]:
    """The reply, and the block that answers."""
    reply = verify_acceptance(message or verification(), records, POLICY, Moment(NOW, NOW))
    (answer,) = reply.outgoing
    return reply, answer.content["credBlock"]["data"]


def fits(reply: Reply) -> bool:
    """Tell whether what is sent satisfies the catalogue."""
    metadata = {"version": "1.0", "timestamp": "2031-03-04T05:06:07.890Z", "traceId": "t", "orgId": "LENDER01"}
    for outgoing in reply.outgoing:
        outgoing.message.body.model_validate({"metadata": metadata, **outgoing.content})
    return True


def test_a_trigger_opens_a_session_sends_the_sms_and_answers_with_the_key_of_the_session() -> None:
    reply = trigger()
    assert reply.problem is None
    (record,), (notice,), (answer,) = reply.records, reply.notices, reply.outgoing
    assert (record.id, record.kind, record.participant) == ("session-1", OTP_SESSION, LSP)
    assert notice.text.startswith(f"{OTP} is your OTP")
    assert (notice.reference, notice.expires_at) == ("request-1", record.expires_at)
    name = answer.message.name
    assert (answer.receiver, name, answer.request_id) == (LSP, "TriggerLoanAcceptanceResponse", "request-1")
    assert answer.content["requestId"] == "request-1"
    assert answer.content["response"] == {"error": "0"}
    data = answer.content["credBlock"]["data"]
    assert data == {"otpSessionKey": "session-1", "maskedPhoneNumber": notice.recipient}
    assert fits(reply)


def test_the_otp_is_in_the_sms_and_nowhere_else() -> None:
    reply = trigger()
    assert OTP not in json.dumps([dict(record.state) for record in reply.records])
    assert OTP not in json.dumps([dict(outgoing.content) for outgoing in reply.outgoing])


def test_the_state_of_a_session_survives_its_storage() -> None:
    record = opened()
    stored = replace(record, state=json.loads(json.dumps(record.state)))
    reply, data = verify({"session-1": stored}, verification("000000"))
    assert data["status"] == "INCORRECT_OTP"
    assert reply.records[0].state == {**stored.state, "triesLeft": 2}


@pytest.mark.parametrize(
    ("loan_application_id", "problem"),
    [
        ("UNKNOWN-1", Problem.UNKNOWN_REFERENCE),
        ("FOREIGN-1", Problem.UNKNOWN_REFERENCE),
        ("NOTACCEPTED-1", Problem.NOT_ALLOWED_NOW),
    ],
)
def test_applications_that_cannot_be_accepted_are_refused_and_nothing_else_happens(
    loan_application_id: str, problem: Problem
) -> None:
    reply = trigger(loanApplicationIds=["APPL-1", loan_application_id])
    assert reply == Reply(problem, reply.reason)
    assert loan_application_id not in reply.reason


def wrong_otps(count: int, loan_application_id: str = "APPL-1") -> dict[str, Record]:
    """So many wrong OTPs of an application so far."""
    id_ = f"wrong otps\n{LSP}\n{loan_application_id}"
    return {id_: Record(id_, WRONG_OTPS, LSP, {"count": count}, NOW + AcceptancePolicy().wrong_otps_memory)}


def test_a_wrong_otp_counts_for_every_application_of_the_session() -> None:
    (session,) = trigger(loanApplicationIds=["APPL-1", "APPL-2"]).records
    reply, _ = verify({"session-1": session, **wrong_otps(4, "APPL-2")}, verification("000000"))
    counted = {record.id: record for record in reply.records[1:]}
    assert counted == wrong_otps(1) | wrong_otps(5, "APPL-2")


def test_an_application_with_too_many_wrong_otps_is_refused_and_nothing_else_happens() -> None:
    wanted = request(loanApplicationIds=["APPL-2", "APPL-1"])
    assert trigger_acceptance(wanted, wrong_otps(14), POLICY, Moment(NOW, NOW)).problem is None
    reply = trigger_acceptance(wanted, wrong_otps(15), POLICY, Moment(NOW, NOW))
    assert reply == Reply(Problem.NOT_ALLOWED_NOW, "too many wrong OTPs for it; take it up with the lender")


@pytest.mark.parametrize("otp", [OTP, "000000"])
def test_after_too_many_wrong_otps_the_right_one_is_answered_like_any_other(otp: str) -> None:
    (session,) = trigger(loanApplicationIds=["APPL-1"]).records
    reply, data = verify({"session-1": session, **wrong_otps(15)}, verification(otp))
    assert data == {"otpSessionKey": "session-1", "status": "INVALID_SESSION"}
    assert (reply.problem, reply.records, reply.notices) == (None, [], ())


def test_the_right_otp_is_answered_with_success_and_closes_the_session() -> None:
    reply, data = verify({"session-1": opened()})
    assert data == {"otpSessionKey": "session-1", "status": "SUCCESS"}
    (record,) = reply.records
    assert record == replace(opened(), state={**opened().state, "state": SessionState.VERIFIED.value})
    (answer,) = reply.outgoing
    name = answer.message.name
    assert (answer.receiver, name, answer.request_id) == (LSP, "VerifyLoanAcceptanceResponse", "request-2")
    assert fits(reply)
    assert verify({"session-1": record})[1]["status"] == "INVALID_SESSION"


def test_an_otp_that_came_as_a_number_has_its_leading_zeros_again() -> None:
    _, data = verify({"session-1": opened()}, verification(42042))
    assert data["status"] == "SUCCESS"


def test_three_wrong_otps_lock_the_session() -> None:
    record, verdicts = opened(), []
    for otp in ("000000", "000001", "000002", OTP):
        reply, data = verify({"session-1": record}, verification(otp))
        verdicts.append(data["status"])
        record = next(iter(reply.records), record)
        assert fits(reply)
    assert verdicts == ["INCORRECT_OTP"] * 3 + ["INVALID_SESSION"]


INVALID: dict[str, Records] = {
    "missing or expired": {},
    "of another sender": {"session-1": replace(opened(), participant="LSP999")},
    "of another kind": {"session-1": replace(opened(), kind="something-else", state={})},
}


@pytest.mark.parametrize("records", INVALID.values(), ids=INVALID)
def test_sessions_that_are_missing_foreign_or_of_another_kind_look_alike(records: Records) -> None:
    reply, data = verify(records)
    assert data == {"otpSessionKey": "session-1", "status": "INVALID_SESSION"}
    assert (reply.problem, reply.records, reply.notices) == (None, [], ())
    assert fits(reply)


def test_an_answer_goes_to_whoever_has_asked() -> None:
    message = replace(verification(), sender=lsp(id="LSP999"))
    reply, data = verify({"session-1": opened()}, message)
    assert reply.outgoing[0].receiver == "LSP999"
    assert data["status"] == "INVALID_SESSION"


def settings(file: Path) -> LenderSettings:
    return LenderSettings.model_construct(otp_secret_file=file)


def test_the_lender_has_a_rule_for_every_message_that_it_takes(tmp_path: Path) -> None:
    composed = application(settings(tmp_path / "secret"))
    assert composed.role is Role.LENDER
    assert set(composed.rules.messages) == set(messages_received_by(composed.role))


def test_the_secret_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    first, second = (application(settings(file)) and file.read_bytes() for _ in range(2))
    assert first == second
    assert len(file.read_bytes()) == 32
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"short", "holds fewer than 32 bytes; delete it"), (None, "name a file in a writable")]
)
def test_a_secret_that_cannot_be_used_is_told_of_in_one_line(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "secret" if content is not None else tmp_path / "missing" / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=complaint) as refusal:
        application(settings(file))
    assert str(refusal.value).startswith("OCEN_OTP_SECRET_FILE: ")
    assert "\n" not in str(refusal.value)
