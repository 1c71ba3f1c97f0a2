"""What each version of OCEN says in its own way: the only place of the lender that looks at the version of a message.

v3 has `loanApplicationIds` and `response.error` "0". 4.0 has one `loanApplicationId` with its status, the product, and
`response.status` SUCCESS or ERROR.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast

from lender_app.applications import Applicant, ApplicationForm, ApplicationRecord, ApplicationStatus, IdKind, Rejection
from lender_app.otp_session import OtpOutcome
from shared.catalogue.bodies.v4.loan_application import ContactType, LoanApplication, Tenure, TenureUnit
from shared.catalogue.bodies.v4.message import DETAIL_LENGTH, ResponseStatus
from shared.catalogue.bodies.values import moment_of
from shared.node.rules import Outgoing, callback_to
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import SUCCESS

_DAYS: Final = {TenureUnit.DAY: 1, TenureUnit.MONTH: 30, TenureUnit.YEAR: 365}

Decided = Sequence[tuple[ApplicationRecord, Sequence[Rejection]]]


@dataclass(frozen=True, slots=True)
class EnteredOtp:
    """The OTP that a borrower entered; `loan_application_ids` are those that the message names, if it names any."""

    session_key: str
    otp: str
    loan_application_ids: Sequence[str] = ()


def application_forms(asked: VerifiedMessage) -> Sequence[ApplicationForm]:
    """Return the applications of a CreateLoanApplicationsRequest, in its order."""
    return [_form(application) for application in cast("Any", asked.content).loan_applications]


def created(asked: VerifiedMessage, decided: Decided) -> Outgoing:
    """Write the callback: every application as it came, with its new status and the reasons against it."""
    forms = asked.document["loanApplications"]
    applications = [_decided(form, *outcome) for form, outcome in zip(forms, decided, strict=True)]
    return answer(asked, {"loanApplications": applications}, _summary(decided))


def applications_to_accept(asked: VerifiedMessage) -> Sequence[str]:
    """Return the ids of the applications that a TriggerLoanAcceptanceRequest is about."""
    content = cast("Any", asked.content)
    ids: Sequence[str] = content.loan_application_ids if _is_v3(asked) else (content.loan_application_id,)
    return ids


def otp_sent(asked: VerifiedMessage, session_key: str, masked_phone: str) -> Outgoing:
    """Write the callback to a request for acceptance: where the OTP went, and the key of its session."""
    data = {"otpSessionKey": session_key, "maskedPhoneNumber": masked_phone}
    return _agreement(asked, data, ApplicationStatus.AGREEMENT_INITIATED, "The OTP has been sent.")


def entered_otp(asked: VerifiedMessage) -> EnteredOtp:
    """Return what a VerifyLoanAcceptanceRequest says; in v3 it names no application."""
    content = cast("Any", asked.content)
    data = content.cred_block.data
    return EnteredOtp(data.otp_session_key, data.otp, () if _is_v3(asked) else (content.loan_application_id,))


def otp_judged(asked: VerifiedMessage, session_key: str, verdict: OtpOutcome, status: ApplicationStatus) -> Outgoing:
    """Write the callback to an OTP. It is a success whatever the verdict: the OTP has been judged."""
    data = {"otpSessionKey": session_key, "status": verdict.value}
    return _agreement(asked, data, status, f"The OTP was judged: {verdict.value}.")


def answer(asked: VerifiedMessage, content: Mapping[str, Any], detail: str) -> Outgoing:
    """Write a callback that reports success. `detail` is for people; v3 has no place for it.

    In 4.0 the product stands under both spellings of its network (P18).
    """
    if _is_v3(asked):
        return callback_to(asked, {"requestId": asked.request_id, "response": {"error": SUCCESS}, **content})
    product = cast("Any", asked.content).product_data
    product_data = {
        "productId": product.product_id,
        "productNetworkId": product.network,
        "networkId": product.network,
    }
    response = {"status": ResponseStatus.SUCCESS.value, "responseDetail": detail}
    return callback_to(asked, {"productData": product_data, "response": response, **content})


def _is_v3(asked: VerifiedMessage) -> bool:
    return asked.message_type.version == "v3"


def _agreement(asked: VerifiedMessage, data: Mapping[str, Any], status: ApplicationStatus, detail: str) -> Outgoing:
    if _is_v3(asked):
        return answer(asked, {"credBlock": {"type": "OTP", "data": data}}, detail)
    application = {
        "loanApplicationId": asked.document["loanApplicationId"],
        "loanApplicationStatus": status.value,
    }
    return answer(asked, {**application, "credBlock": {"data": data}}, detail)


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


def _decided(
    form: Mapping[str, Any], application: ApplicationRecord, rejections: Sequence[Rejection]
) -> dict[str, Any]:
    decided = {**form, "loanApplicationStatus": application.status.value}
    if rejections:
        # An application of 4.0 has no member for the reason, so it stands where members may be added.
        details = [
            {"reason": "OTHERS", "code": rejection.reason.code, "description": str(rejection)}
            for rejection in rejections
        ]
        decided["extensibleData"] = {**(form.get("extensibleData") or {}), "rejectionDetails": details}
    return decided


def _summary(decided: Decided) -> str:
    rejected = [
        f"{application.id} is rejected: {' '.join(map(str, rejections))}"
        for application, rejections in decided
        if rejections
    ]
    taken = f"{len(decided) - len(rejected)} of {len(decided)} applications are being processed."
    text = " ".join([taken, *rejected])
    return text if len(text) <= DETAIL_LENGTH else f"{taken} Each of the others says why in its extensibleData."
