"""The lender's rules of loan applications, as pure functions."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lender_app.applications import (
    Applicant,
    ApplicationForm,
    ApplicationRecord,
    ApplicationStatus,
    IdKind,
    RejectionReason,
    agreed,
    decide_on,
    judge,
    standing_of,
)
from lender_app.policy import ApplicationStanding, LendingPolicy
from tests.equipment.clock import NOW

POLICY = LendingPolicy()
BORROWER = Applicant(IdKind.PAN, "AAGCK4417Q", "Kaveri Handlooms", "9800000417")


def form(**changes: Any) -> ApplicationForm:
    asked = ApplicationForm("APPL-1", NOW - timedelta(days=1), Decimal(250_000), "INR", Decimal(90), None, BORROWER)
    return replace(asked, **changes)


def reasons(asked: ApplicationForm) -> list[RejectionReason]:
    return [rejection.reason for rejection in judge(asked, POLICY, NOW)]


def borrower(**changes: Any) -> ApplicationForm:
    return form(borrower=replace(BORROWER, **changes))


@pytest.mark.parametrize(
    "asked",
    [
        form(),
        form(amount=POLICY.least),
        form(amount=POLICY.most),
        form(created_at=NOW + timedelta(seconds=60)),
        form(days=None),
        form(days=Decimal(7)),
        form(days=Decimal(1095)),
        form(loan_type="CASHFLOW"),
        borrower(kind=IdKind.MOBILE, number="+919800000417"),
        borrower(kind=IdKind.AADHAAR, number="498000041700"),
    ],
)
def test_an_application_within_the_policy_is_processed(asked: ApplicationForm) -> None:
    application, rejections = decide_on(asked, "LSP123", POLICY, NOW)
    assert rejections == ()
    assert application.status is ApplicationStatus.PROCESSING
    assert (application.id, application.sender) == ("APPL-1", "LSP123")
    assert application.expires_at == NOW + POLICY.memory


@pytest.mark.parametrize(
    ("asked", "reason", "code"),
    [
        (form(loan_type="HOME"), RejectionReason.LOAN_TYPE, "CLARQ1001"),
        (form(created_at=NOW + timedelta(seconds=60.001)), RejectionReason.CREATED_LATER, "CLARQ1002"),
        (form(amount=POLICY.most + Decimal("0.01")), RejectionReason.AMOUNT_EXCEEDS, "CLARQ1003"),
        (borrower(name=" "), RejectionReason.BORROWER_DATA, "CLARQ1005"),
        (borrower(number="AAGCK4417"), RejectionReason.BORROWER_DATA, "CLARQ1005"),
        (borrower(number="aagck4417q"), RejectionReason.BORROWER_DATA, "CLARQ1005"),
        (borrower(number="AAGCK4417Q\n"), RejectionReason.BORROWER_DATA, "CLARQ1005"),
        (borrower(kind=IdKind.MOBILE, number="1234567890"), RejectionReason.BORROWER_DATA, "CLARQ1005"),
        (borrower(kind=IdKind.AADHAAR, number="098000041700"), RejectionReason.BORROWER_DATA, "CLARQ1005"),
        (borrower(phone=""), RejectionReason.BORROWER_DATA, "CLARQ1005"),
        (form(amount=POLICY.least - Decimal("0.01")), RejectionReason.AMOUNT_TOO_SMALL, "CLARQ1006"),
        (form(currency="USD"), RejectionReason.CURRENCY, "CLARQ1007"),
        (form(days=Decimal("6.99")), RejectionReason.TENURE, "CLARQ1008"),
        (form(days=Decimal(1096)), RejectionReason.TENURE, "CLARQ1008"),
    ],
)
def test_an_application_outside_the_policy_is_rejected_for_its_reason(
    asked: ApplicationForm, reason: RejectionReason, code: str
) -> None:
    application, (rejection,) = decide_on(asked, "LSP123", POLICY, NOW)
    assert application.status is ApplicationStatus.REJECTED
    assert rejection.reason is reason
    assert str(rejection).startswith(f"{code} {reason.meaning} ")


def test_every_reason_is_told_at_once() -> None:
    asked = form(amount=Decimal(5_000_000), days=Decimal(1), loan_type="HOME", borrower=replace(BORROWER, name=""))
    assert reasons(asked) == [
        RejectionReason.BORROWER_DATA,
        RejectionReason.LOAN_TYPE,
        RejectionReason.AMOUNT_EXCEEDS,
        RejectionReason.TENURE,
    ]


def test_amounts_in_a_foreign_currency_are_not_compared() -> None:
    assert reasons(form(currency="USD", amount=Decimal(5_000_000))) == [RejectionReason.CURRENCY]


def test_a_rejection_quotes_no_personal_data() -> None:
    wrong = Applicant(IdKind.AADHAAR, "12345678", "", "call me")
    text = " ".join(map(str, judge(form(borrower=wrong), POLICY, NOW)))
    assert "borrower.primaryId is no AADHAAR" in text
    assert not any(value in text for value in ("12345678", "call me"))


def test_of_the_borrower_only_the_masked_phone_number_is_remembered() -> None:
    application, _ = decide_on(form(), "LSP123", POLICY, NOW)
    assert application.masked_phone == "XXXXXXX417"
    assert not any(value in repr(application) for value in (BORROWER.number, BORROWER.name, BORROWER.phone))


@given(st.decimals(min_value=0, max_value=10**13, places=2))
def test_the_amount_alone_decides_within_the_two_limits(amount: Decimal) -> None:
    assert (reasons(form(amount=amount)) == []) is (POLICY.least <= amount <= POLICY.most)


def application(status: ApplicationStatus) -> ApplicationRecord:
    return ApplicationRecord("APPL-1", "LSP123", status, "XXXXXXX417", NOW + POLICY.memory)


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (ApplicationStatus.PROCESSING, ApplicationStanding.ACCEPTED),
        (ApplicationStatus.AGREEMENT_INITIATED, ApplicationStanding.ACCEPTED),
        (ApplicationStatus.AGREEMENT_COMPLETED, ApplicationStanding.CLOSED),
        (ApplicationStatus.REJECTED, ApplicationStanding.CLOSED),
    ],
)
def test_what_is_being_processed_can_be_accepted_and_what_is_decided_cannot(
    status: ApplicationStatus, standing: ApplicationStanding
) -> None:
    assert standing_of(application(status)) is standing


@pytest.mark.parametrize(
    ("before", "is_complete", "after"),
    [
        (ApplicationStatus.PROCESSING, False, ApplicationStatus.AGREEMENT_INITIATED),
        (ApplicationStatus.AGREEMENT_INITIATED, True, ApplicationStatus.AGREEMENT_COMPLETED),
        (ApplicationStatus.AGREEMENT_COMPLETED, False, ApplicationStatus.AGREEMENT_COMPLETED),
    ],
)
def test_a_loan_agreement_is_begun_then_complete_and_never_taken_back(
    before: ApplicationStatus, is_complete: bool, after: ApplicationStatus
) -> None:
    assert agreed(application(before), is_complete=is_complete) == application(after)
