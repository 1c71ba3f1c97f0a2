"""What the rules hear and say is the same, whichever version of OCEN carries it."""

import ast
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import lender_app
from lender_app import wire
from lender_app.applications import Applicant, IdKind, Rejection, RejectionReason
from lender_app.journey.loan_application import Judged
from lender_app.loan import IntakeState, Milestones
from lender_app.loans import Loan
from lender_app.otp_session import OtpOutcome
from lender_app.wire import EnteredOtp
from shared.catalogue.table import example_of
from shared.node.rules import Outgoing
from shared.protocol.phases import VerifiedMessage
from shared.protocol.profiles import PROFILES, Originator
from tests.equipment.clock import NOW
from tests.equipment.messages import VERIFY, request, verified
from tests.equipment.parties import payload_of
from tests.equipment.v4_messages import AGENT, CREATE, TRIGGER_V4, VERIFY_V4, verified_v4

REJECTION = Rejection(RejectionReason.AMOUNT_EXCEEDS, "requestedAmount 5 is more than INR 4.")


def verify_v3(**data: Any) -> VerifiedMessage:
    payload = payload_of(VERIFY.name, "request-2")
    return verified({**payload, "credBlock": {"type": "OTP", "data": data}}, VERIFY.name)


def verify_v4(**data: Any) -> VerifiedMessage:
    return verified_v4(VERIFY_V4.full_name, "request-2", loanApplicationId="APPL-1", credBlock={"data": data})


def fits(outgoing: Outgoing) -> bool:
    """Tell whether what is sent satisfies the catalogue once it is stamped."""
    message_type = outgoing.message
    profile = PROFILES[message_type.version]
    stamped = profile.stamp(outgoing.content, Originator("7021", "LENDER01"), outgoing.request_id, "trace", NOW)
    message_type.body.model_validate_json(stamped)
    return True


def test_a_request_for_acceptance_names_one_application_in_4_0_and_several_in_v3() -> None:
    assert wire.applications_to_accept(request(loanApplicationIds=["APPL-1", "APPL-2"])) == ["APPL-1", "APPL-2"]
    assert wire.applications_to_accept(verified_v4(TRIGGER_V4.full_name, loanApplicationId="APPL-1")) == ("APPL-1",)


@pytest.mark.parametrize("otp", ["042042", 42042])
def test_an_answer_is_understood_alike(otp: str | int) -> None:
    answer = EnteredOtp("session-1", "042042")
    assert wire.entered_otp(verify_v3(otpSessionKey="session-1", otp=otp)) == answer
    assert wire.entered_otp(verify_v4(otpSessionKey="session-1", otp=otp)) == EnteredOtp(
        "session-1", "042042", ("APPL-1",)
    )


@pytest.mark.parametrize("message", [request(), verified_v4(TRIGGER_V4.full_name)], ids=["v3", "v4"])
def test_an_open_session_is_told_in_the_words_of_the_version(message: VerifiedMessage) -> None:
    outgoing = wire.trigger_response(message, "session-1", "XXXXXXX417", "LOAN_AGREEMENT_INITIATED")
    assert outgoing.content["credBlock"]["data"] == {"otpSessionKey": "session-1", "maskedPhoneNumber": "XXXXXXX417"}
    assert (outgoing.receiver, outgoing.request_id) == (message.sender.id, message.request_id)
    assert outgoing.message is message.message_type.answered_by
    assert fits(outgoing)


@pytest.mark.parametrize("verdict", list(OtpOutcome))
def test_a_verdict_is_told_in_the_words_of_the_version(verdict: OtpOutcome) -> None:
    outcome = "session-1", verdict, "LOAN_AGREEMENT_INITIATED"
    v3 = wire.verify_response(verify_v3(otpSessionKey="session-1", otp="042042"), *outcome)
    v4 = wire.verify_response(verify_v4(otpSessionKey="session-1", otp="042042"), *outcome)
    assert v3.content["credBlock"]["data"] == v4.content["credBlock"]["data"]
    assert v3.content["response"] == {"error": "0"}
    assert v4.content["response"] == {"status": "SUCCESS", "responseDetail": f"The OTP was judged: {verdict.value}."}
    assert (v4.content["loanApplicationId"], v4.content["loanApplicationStatus"]) == (
        "APPL-1",
        "LOAN_AGREEMENT_INITIATED",
    )
    assert fits(v3)
    assert fits(v4)


@pytest.mark.parametrize("spelling", ["productNetworkId", "networkId"])
def test_the_product_is_repeated_with_its_network_under_both_names(spelling: str) -> None:
    message = verified_v4(TRIGGER_V4.full_name, productData={"productId": "p", spelling: "n", "rate": Decimal("0.125")})
    outgoing = wire.trigger_response(message, "session-1", "XXXXXXX417", "LOAN_AGREEMENT_INITIATED")
    assert outgoing.content["productData"] == {"productId": "p", "productNetworkId": "n", "networkId": "n"}


def judged(id_: str, *rejections: Rejection) -> Judged:
    intake = IntakeState.REJECTED if rejections else IntakeState.OPEN
    return Judged(Loan(id_, AGENT, "v4", Milestones(intake=intake), "XXXXXXX417"), rejections)


def application(**changes: Any) -> dict[str, Any]:
    return {**example_of(CREATE)["loanApplications"][0], **changes}


def test_an_application_is_understood_with_exact_amount_moment_and_days() -> None:
    terms = {"requestedAmount": "250000.50", "currency": "INR", "tenure": {"duration": 3, "unit": "MONTH"}}
    (form,) = wire.application_forms(
        verified_v4(CREATE.full_name, loanApplications=[application(terms=terms, createdDate="2031-03-04")])
    )
    assert (form.amount, form.days) == (Decimal("250000.50"), 90)
    assert form.created_at.isoformat() == "2031-03-03T18:30:00+00:00"  # the day begins in India
    assert form.borrower == Applicant(IdKind.PAN, "AAGCK4417Q", "Kaveri Handlooms", "9800000417")


@pytest.mark.parametrize(("unit", "days"), [("DAY", 2), ("MONTH", 60), ("YEAR", 730)])
def test_a_tenure_is_counted_in_days(unit: str, days: int) -> None:
    terms = {"requestedAmount": 5, "currency": "INR", "tenure": {"duration": 2, "unit": unit}}
    (form,) = wire.application_forms(verified_v4(CREATE.full_name, loanApplications=[application(terms=terms)]))
    assert form.days == days


def test_what_an_application_does_not_say_is_left_open() -> None:
    borrower = {**application()["borrower"], "contactDetails": [{"type": "OTHER", "phone": "9800000417"}]}
    del borrower["name"]
    terms = {"requestedAmount": 5, "currency": "INR"}
    (form,) = wire.application_forms(
        verified_v4(CREATE.full_name, loanApplications=[application(borrower=borrower, terms=terms)])
    )
    assert (form.days, form.loan_type, form.borrower.name, form.borrower.phone) == (None, None, "", "")


def test_the_callback_repeats_each_application_with_its_status_and_the_reasons_against_it() -> None:
    asked = [application(note={"a": Decimal("0.5")}), application(loanApplicationId="APPL-2", extensibleData={"b": 1})]
    outcomes = [
        judged("APPL-1"),
        judged("APPL-2", REJECTION),
    ]
    outgoing = wire.applications_response(verified_v4(CREATE.full_name, loanApplications=asked), outcomes)
    taken, rejected = outgoing.content["loanApplications"]
    assert taken == {**asked[0], "loanApplicationStatus": "PROCESSING"}
    assert rejected["extensibleData"] == {
        "b": 1,
        "rejectionDetails": [{"reason": "OTHERS", "code": "CLARQ1003", "description": str(REJECTION)}],
    }
    assert outgoing.content["response"] == {
        "status": "SUCCESS",
        "responseDetail": f"1 of 2 applications are being processed. APPL-2 is rejected: {REJECTION}",
    }
    assert outgoing.message.full_name == "v4/CreateLoanApplicationsResponse"


def test_a_summary_that_would_be_too_long_points_to_the_applications() -> None:
    asked = [application(loanApplicationId=f"APPL-{number}") for number in range(100)]
    outcomes = [judged("APPL-1", REJECTION)] * 100
    outgoing = wire.applications_response(verified_v4(CREATE.full_name, loanApplications=asked), outcomes)
    assert outgoing.content["response"]["responseDetail"] == (
        "0 of 100 applications are being processed. Each of the others says why in its extensibleData."
    )


def test_no_rule_knows_a_version_of_ocen() -> None:
    folder = Path(lender_app.__file__).parent
    for file in {*folder.rglob("*.py")} - {folder / "wire.py", folder / "loan_status.py"}:
        assert 'version == "v' not in file.read_text("utf-8"), file
        imported = {
            node.module for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)
        }
        assert not {module for module in imported if module and module.rpartition(".")[2] in ("v3", "v4")}, file
