"""The offers of an application as messages of OCEN v3 tell them (loanOffer)."""

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from lender_app.lending import INDIA
from lender_app.loan import OfferState
from lender_app.loan_status import derived_status
from lender_app.loans import Loan
from lender_app.pricing import LoanOffer, TermUnit
from lender_app.underwriting import Declined, DeclineReason, DocumentAskedFor


def offered_application(loan: Loan) -> dict[str, Any]:
    """Write what there is to tell of one application: its offers, why it is rejected, what the borrower has to do."""
    status, decision = derived_status(loan.milestones, "v3"), loan.decision
    told: dict[str, Any] = {"loanApplicationId": loan.id, "loanApplicationStatus": status, "offers": []}
    has_run_out = loan.milestones.offer is OfferState.EXPIRED
    if has_run_out and status == "OFFERED":  # new ones are asked for, and wait for a consent
        told["loanApplicationStatus"] = "PROCESSING"
    elif status == "OFFERED":
        told["offers"] = [_offer(offer) for offer in loan.offers]
    elif status == "REJECTED":
        declined = decision if isinstance(decision, Declined) else Declined(DeclineReason.OTHERS, "It has ended.")
        # v3 has no word for an Account Aggregator that has failed.
        reason = DeclineReason.OTHERS if declined.reason is DeclineReason.AA_FAILED else declined.reason
        told["rejectionDetails"] = [{"reason": reason.value, "description": declined.description}]
    elif isinstance(decision, DocumentAskedFor) and status == "ACTION REQUIRED":
        told["actionRequired"] = [
            {
                "actionType": "RESUBMIT_DOCUMENT" if decision.again else "ADD_DOCUMENT",
                "description": decision.description,
                "reference": {"object": "document", "value": decision.reference},
            }
        ]
    return told


def _offer(offer: LoanOffer) -> dict[str, Any]:
    return {
        "id": offer.id,
        "validTill": offer.valid_till.astimezone(INDIA).isoformat(),
        "terms": {
            "requestedAmount": _text(offer.amount),
            "currency": "INR",
            "sanctionedAmount": _text(offer.amount),
            "interestType": "FIXED",
            "interestRate": _text(offer.rate),
            "interestAmount": _text(offer.interest),
            "totalAmount": _text(offer.total),
            "tenure": _tenure(offer),
            "legalAgreement": {"type": "TEXT", "data": base64.b64encode(_agreement(offer).encode()).decode()},
            "charges": _charges(offer),
            "extensibleData": {
                "apr": str(offer.apr),
                "netDisbursedAmount": _text(offer.net_disbursed),
                "instalmentAmount": _text(offer.schedule[0].amount),
                "lastInstalmentAmount": _text(offer.schedule[-1].amount),
            },
        },
        "disbursement": {"plans": [_disbursement(offer)]},
        "repayment": {"plans": [_repayment(offer)]},
    }


def _charges(offer: LoanOffer) -> dict[str, Any]:
    charges = offer.charges
    outstanding = {"rate": _text(charges.prepayment), "applicableParameter": "OUTSTANDING_PAYABLE_AMOUNT"}
    tax = f"kept back at disbursement; {_text(charges.processing_tax)} of it is GST"
    return {
        "processing": _fixed(charges.processing, tax),
        "prepayment": {
            "chargeType": "RATE_BASED",
            "description": "after the cooling-off period",
            "data": outstanding,
        },
        "bounce": _fixed(charges.bounce, "each failed debit, with GST"),
        "latePayment": _fixed(charges.late_payment, "each late instalment"),
    }


def _fixed(amount: Decimal, description: str) -> dict[str, Any]:
    return {"chargeType": "FIXED_AMOUNT", "description": description, "data": {"amount": _text(amount)}}


def _disbursement(offer: LoanOffer) -> dict[str, Any]:
    return {
        "id": offer.disbursement_plan_id,
        "automatic": True,
        "scheduleType": "ONE_TIME",
        "noOfInstallments": "1",
        "totalAmount": _text(offer.net_disbursed),
        "status": "INACTIVE",
    }


def _repayment(offer: LoanOffer) -> dict[str, Any]:
    is_once = len(offer.schedule) == 1
    frequency: Mapping[str, str] = {} if is_once else {"frequency": "MONTHLY"}
    return {
        "id": offer.repayment_plan_id,
        "automatic": True,
        "scheduleType": "ONE_TIME" if is_once else "RECURRING",
        "noOfInstallments": str(len(offer.schedule)),
        **frequency,
        "tenure": _tenure(offer),
        "principal": _text(offer.amount),
        "interestAmount": _text(offer.interest),
        "penalty": "0.00",
        "totalAmount": _text(offer.total),
        "status": "INACTIVE",
    }


def _tenure(offer: LoanOffer) -> dict[str, str]:
    return {"duration": str(offer.term.count), "unit": TermUnit(offer.term.unit).value}


def _agreement(offer: LoanOffer) -> str:
    times = f"{len(offer.schedule)} instalments" if len(offer.schedule) > 1 else f"{offer.term.count} days"
    return f"Loan of INR {_text(offer.amount)} at {offer.rate} % a year in {times}."


def _text(amount: Decimal) -> str:
    return f"{amount:.2f}"
