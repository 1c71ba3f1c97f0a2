"""How OCEN 4.0 says it: one `loanApplicationId`, its status, the product, and `response.status` SUCCESS or ERROR."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast

from lender_app.applications import Applicant, ApplicationForm, ApplicationStatus, IdKind
from lender_app.speech import ApplicationJudged, EnteredOtp, OtpJudged, SessionOpened
from shared.catalogue.bodies.v4.loan_acceptance import TriggerLoanAcceptanceRequest, VerifyLoanAcceptanceRequest
from shared.catalogue.bodies.v4.loan_application import (
    ContactType,
    CreateLoanApplicationsRequest,
    LoanApplication,
    Tenure,
    TenureUnit,
)
from shared.catalogue.bodies.v4.message import DETAIL_LENGTH, Message, ResponseStatus
from shared.catalogue.bodies.values import moment_of
from shared.node.journeys import Outgoing, callback_to
from shared.protocol.phases import VerifiedMessage

_DAYS: Final = {TenureUnit.DAY: 1, TenureUnit.MONTH: 30, TenureUnit.YEAR: 365}


@dataclass(frozen=True, slots=True)
class SpeechOfV4:
    """Translates loan applications and loan acceptance."""

    knows_applications: bool = True

    def forms(self, message: VerifiedMessage) -> Sequence[ApplicationForm]:
        """Return the applications of a message, in its order."""
        return [_form(one) for one in cast("CreateLoanApplicationsRequest", message.content).loan_applications]

    def created(self, message: VerifiedMessage, outcomes: Sequence[ApplicationJudged]) -> Outgoing:
        """Write the callback: every application as it came, with its new status and the reasons against it."""
        asked = message.document["loanApplications"]
        content = {
            "response": _response(_summary(asked, outcomes)),
            "loanApplications": [_decided(one, outcome) for one, outcome in zip(asked, outcomes, strict=True)],
        }
        return _callback(message, content)

    def wanted(self, message: VerifiedMessage) -> Sequence[str]:
        """Return the id of the loan application that is to be accepted."""
        return (cast("TriggerLoanAcceptanceRequest", message.content).loan_application_id,)

    def answer(self, message: VerifiedMessage) -> EnteredOtp:
        """Return the borrower's answer."""
        content = cast("VerifyLoanAcceptanceRequest", message.content)
        data = content.cred_block.data
        return EnteredOtp(data.otp_session_key, data.otp, (content.loan_application_id,))

    def opened(self, message: VerifiedMessage, session: SessionOpened) -> Outgoing:
        """Write the callback to a request for acceptance."""
        data = {"otpSessionKey": session.session_key, "maskedPhoneNumber": session.masked_phone}
        content = _agreement(message, ApplicationStatus.AGREEMENT_INITIATED, data, "The OTP has been sent.")
        return _callback(message, content)

    def judged(self, message: VerifiedMessage, outcome: OtpJudged) -> Outgoing:
        """Write the callback to an OTP. Its response is SUCCESS whatever the verdict: the OTP has been judged."""
        data = {"otpSessionKey": outcome.session_key, "status": outcome.verdict.value}
        content = _agreement(message, outcome.status, data, f"The OTP was judged: {outcome.verdict.value}.")
        return _callback(message, content)


def _form(application: LoanApplication) -> ApplicationForm:
    terms, borrower = application.terms, application.borrower
    phones = [contact.phone for contact in borrower.contact_details if contact.type is ContactType.PRIMARY]
    return ApplicationForm(
        id=application.loan_application_id,
        created_at=moment_of(application.created_date),
        amount=terms.requested_amount,
        currency=terms.currency,
        days=_days(terms.tenure),
        loan_type=application.loan_type,
        borrower=Applicant(
            IdKind(borrower.primary_id_type), borrower.primary_id, borrower.name or "", phones[0] if phones else ""
        ),
    )


def _days(tenure: Tenure | None) -> Decimal | None:
    return tenure.duration * _DAYS[tenure.unit] if tenure is not None else None


def _decided(asked: Mapping[str, Any], outcome: ApplicationJudged) -> dict[str, Any]:
    decided = {**asked, "loanApplicationStatus": outcome.status.value}
    if outcome.rejections:
        # An application of 4.0 has no member for the reason, so it stands where members may be added.
        details = [{"reason": "OTHERS", "code": one.reason.code, "description": str(one)} for one in outcome.rejections]
        decided["extensibleData"] = {**(asked.get("extensibleData") or {}), "rejectionDetails": details}
    return decided


def _summary(asked: Sequence[Mapping[str, Any]], outcomes: Sequence[ApplicationJudged]) -> str:
    rejected = [
        f"{one['loanApplicationId']} is rejected: {' '.join(map(str, outcome.rejections))}"
        for one, outcome in zip(asked, outcomes, strict=True)
        if outcome.rejections
    ]
    taken = f"{len(asked) - len(rejected)} of {len(asked)} applications are being processed."
    text = " ".join([taken, *rejected])
    return text if len(text) <= DETAIL_LENGTH else f"{taken} Each of the others says why in its extensibleData."


def _agreement(
    message: VerifiedMessage, status: ApplicationStatus, data: Mapping[str, Any], detail: str
) -> dict[str, Any]:
    return {
        "response": _response(detail),
        "loanApplicationId": message.document["loanApplicationId"],
        "loanApplicationStatus": status.value,
        "credBlock": {"data": data},
    }


def _response(detail: str) -> dict[str, str]:
    return {"status": ResponseStatus.SUCCESS.value, "responseDetail": detail}


def _callback(message: VerifiedMessage, content: Mapping[str, Any]) -> Outgoing:
    """Address the content to whoever has asked, with the product under both spellings of its network (C8)."""
    product = cast("Message", message.content).product_data
    product_data = {
        "productId": product.product_id,
        "productNetworkId": product.network,
        "networkId": product.network,
    }
    return callback_to(message, {"productData": product_data, **content})
