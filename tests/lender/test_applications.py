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
    IdKind,
    RejectionReason,
    judge,
)
from lender_app.lending import LendingFigures
from lender_app.policy import LendingPolicy
from tests.equipment.clock import NOW

POLICY, FIGURES = LendingPolicy(), LendingFigures()
BORROWER = Applicant(IdKind.PAN, "AAGCK4417Q", "Kaveri Handlooms", "9800000417")


def form(**changes: Any) -> ApplicationForm:
    asked = ApplicationForm("APPL-1", NOW - timedelta(days=1), Decimal(250_000), "INR", Decimal(90), None, BORROWER)
    return replace(asked, **changes)


def reasons(asked: ApplicationForm) -> list[RejectionReason]:
    return [rejection.reason for rejection in judge(asked, POLICY, FIGURES, NOW)]


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
    assert judge(asked, POLICY, FIGURES, NOW) == ()


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
        (form(days=Decimal(9_999_999 * 365)), RejectionReason.TENURE, "CLARQ1008"),
    ],
)
def test_an_application_outside_the_policy_is_rejected_for_its_reason(
    asked: ApplicationForm, reason: RejectionReason, code: str
) -> None:
    (rejection,) = judge(asked, POLICY, FIGURES, NOW)
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
    text = " ".join(map(str, judge(form(borrower=wrong), POLICY, FIGURES, NOW)))
    assert "borrower.primaryId is no AADHAAR" in text
    assert not any(value in text for value in ("12345678", "call me"))


@given(st.decimals(min_value=0, max_value=10**13, places=2))
def test_the_amount_alone_decides_within_the_two_limits(amount: Decimal) -> None:
    assert (reasons(form(amount=amount)) == []) is (POLICY.least <= amount <= POLICY.most)


INVOICE = '{"ctin": "01AABCE2207R1Z5", "inv": [{"inum": "S008400", "idt": "24-02-2031", "val": 500000}]}'


@pytest.mark.parametrize(
    ("changes", "objections"),
    [
        ({}, []),
        ({"amount": Decimal(400_001)}, ["CLARQ1009"]),
        ({"days": Decimal(91)}, ["CLARQ1009"]),
        ({"invoice_documents": [INVOICE.replace("2031", "2029"), "no document"]}, ["CLARQ1009"] * 2),
    ],
)
def test_an_application_on_an_invoice_is_judged_by_the_invoice_too(
    changes: dict[str, Any], objections: list[str]
) -> None:
    asked = form(invoice_documents=[INVOICE], **changes) if "invoice_documents" not in changes else form(**changes)
    assert [reason.code for reason in reasons(asked)] == objections
