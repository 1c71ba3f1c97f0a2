"""The status that a message shows: what it is for each standing of the milestones, in the words of both versions."""

from itertools import product

import pytest

from lender_app.loan import AgreementState, ConsentState, IntakeState, Milestones, OfferState
from lender_app.loan_status import derived_status
from shared.catalogue.bodies.v3 import parts as v3
from shared.catalogue.bodies.v4 import message as v4

NOT_YET_DERIVED = {
    "v3": set(),
    "v4": {
        status
        for status in v4.LoanApplicationStatus
        if status.startswith(("KYC", "REPAYMENT", "SET_DISBURSEMENT", "GRANTED", "DISBURSE", "CREATED"))
    },
}
"""What the axes of grant, KYC, mandate, account and disbursement will add; a lender never sends CREATED."""


@pytest.mark.parametrize(
    ("standing", "in_v3", "in_v4"),
    [
        ({}, "PROCESSING", "PROCESSING"),
        ({"intake": "collecting"}, "PROCESSING", "PROCESSING"),
        ({"consent": "not_needed"}, "PROCESSING", "PROCESSING"),
        ({"consent": "requested"}, "PROCESSING", "PROCESSING"),
        ({"consent": "pending"}, "PROCESSING", "CONSENT_INITIATED"),
        ({"consent": "ready"}, "PROCESSING", "CONSENT_RECEIVED"),
        ({"consent": "failed"}, "PROCESSING", "CONSENT_REJECTED"),
        ({"consent": "ready", "offer": "underwriting"}, "PROCESSING", "PROCESSING"),
        ({"offer": "action_required"}, "ACTION REQUIRED", "ACTION_REQUIRED"),
        ({"consent": "ready", "offer": "offered"}, "OFFERED", "OFFERED"),
        ({"offer": "expired", "consent": "requested"}, "OFFERED", "OFFERED"),
        ({"offer": "accepted"}, "OFFER_ACCEPTED", "OFFER_ACCEPTED"),
        ({"offer": "accepted", "agreement": "ready"}, "OFFER_ACCEPTED", "LOAN_AGREEMENT_INITIATED"),
        ({"offer": "accepted", "agreement": "otp_sent"}, "OFFER_ACCEPTED", "LOAN_AGREEMENT_INITIATED"),
        ({"offer": "accepted", "agreement": "action_required"}, "OFFER_ACCEPTED", "ACTION_REQUIRED"),
        ({"offer": "accepted", "agreement": "failed"}, "OFFER_ACCEPTED", "LOAN_AGREEMENT_FAILED"),
        ({"offer": "accepted", "agreement": "completed"}, "OFFER_ACCEPTED", "LOAN_AGREEMENT_COMPLETED"),
        ({"offer": "accepted", "monitoring": "failed"}, "OFFER_ACCEPTED", "OFFER_ACCEPTED"),
        ({"offer": "rejected", "consent": "failed"}, "REJECTED", "REJECTED"),
        ({"intake": "rejected"}, "REJECTED", "REJECTED"),
        ({"intake": "cancelled", "offer": "offered"}, "REJECTED", "CANCELLED"),
        ({"intake": "closed", "offer": "accepted", "agreement": "completed"}, "GRANTED", "CLOSED"),
    ],
)
def test_the_status_is_that_of_the_milestone_that_says_most(standing: dict[str, str], in_v3: str, in_v4: str) -> None:
    milestones = Milestones(
        intake=IntakeState(standing.get("intake", "open")),
        consent=ConsentState(standing.get("consent", "none")),
        monitoring=ConsentState(standing.get("monitoring", "none")),
        offer=OfferState(standing.get("offer", "none")),
        agreement=AgreementState(standing.get("agreement", "none")),
    )
    assert (derived_status(milestones, "v3"), derived_status(milestones, "v4")) == (in_v3, in_v4)


@pytest.mark.parametrize(
    ("version", "words"), [("v3", set(v3.LoanApplicationStatus)), ("v4", set(v4.LoanApplicationStatus))]
)
def test_every_standing_has_a_documented_status_and_each_status_a_standing(version: str, words: set[str]) -> None:
    standings = product(IntakeState, ConsentState, ConsentState, OfferState, AgreementState)
    derived = {derived_status(Milestones(*standing), version) for standing in standings}
    assert derived == words - NOT_YET_DERIVED[version]
