"""What each version of OCEN says in its own way: the only place of the lender that looks at the version of a message.

v3 has `loanApplicationIds` and `response.error` "0" or a code. 4.0 has one `loanApplicationId` with its status, the
product, and `response.status` SUCCESS or ERROR.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from lender_app.applications import Applicant, ApplicationForm, IdKind
from lender_app.loan import ConsentState
from lender_app.loan_status import derived_status
from lender_app.offer_wire import offered_application
from lender_app.otp_session import OtpOutcome
from shared.catalogue.bodies.v3.parts import as_iso_date
from shared.catalogue.bodies.v4.loan_application import ContactType, Tenure, TenureUnit
from shared.catalogue.bodies.v4.message import DETAIL_LENGTH, ResponseStatus
from shared.catalogue.bodies.values import moment_of
from shared.catalogue.table import find_message
from shared.node.rules import Outgoing
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import SUCCESS

if TYPE_CHECKING:
    from lender_app.journey.loan_application import Judged
    from lender_app.loans import Loan

_DAYS: Final = {TenureUnit.DAY: 1, TenureUnit.MONTH: 30, TenureUnit.YEAR: 365}


@dataclass(frozen=True, slots=True)
class AnswerTo:
    """Where the answer to a request goes, now or later: to whom, to which request, and in 4.0 for which product."""

    receiver: str
    message: str
    request_id: str
    product: Mapping[str, str] | None = None

    @classmethod
    def of(cls, asked: VerifiedMessage) -> "AnswerTo":
        """Return where the answer to a request goes. 4.0 spells the network in two ways; both are sent (P18)."""
        product = getattr(asked.content, "product_data", None)
        data = product and {
            "productId": product.product_id,
            "productNetworkId": product.network,
            "networkId": product.network,
        }
        return cls(asked.sender.id, asked.message_type.full_name, asked.request_id, data)

    @property
    def is_v3(self) -> bool:
        """Whether it is answered in v3."""
        return self.product is None


@dataclass(frozen=True, slots=True)
class EnteredOtp:
    """The OTP that a borrower entered; `loan_application_ids` are those that the message names, if it names any."""

    session_key: str
    otp: str
    loan_application_ids: Sequence[str] = ()


def application_forms(asked: VerifiedMessage) -> Sequence[ApplicationForm]:
    """Return the applications of a CreateLoanApplicationsRequest, in its order."""
    is_v3 = AnswerTo.of(asked).is_v3
    return [_form(application, is_v3) for application in cast("Any", asked.content).loan_applications]


def applications_response(asked: VerifiedMessage, judged: "Sequence[Judged]") -> Outgoing:
    """Write the callback: every application as it came, with its status now and the reasons against it."""
    forms, to = asked.document["loanApplications"], AnswerTo.of(asked)
    applications = [_judged(form, application, to.is_v3) for form, application in zip(forms, judged, strict=True)]
    return answer(to, {"loanApplications": applications}, _summary(judged))


def applications_to_accept(asked: VerifiedMessage) -> Sequence[str]:
    """Return the ids of the applications that a TriggerLoanAcceptanceRequest is about."""
    content = cast("Any", asked.content)
    ids: Sequence[str] = content.loan_application_ids if AnswerTo.of(asked).is_v3 else (content.loan_application_id,)
    return ids


def applications_to_price(asked: VerifiedMessage) -> Sequence[str]:
    """Return the ids of the applications that a GenerateOffersRequest is about."""
    ids: Sequence[str] = cast("Any", asked.content).loan_application_ids
    return list(dict.fromkeys(ids))


def consent_asked_for(asked: VerifiedMessage) -> tuple[Sequence[str], bool]:
    """Return for which applications a ConsentHandleRequest is, and whether it is the periodic consent."""
    content = cast("Any", asked.content)
    return list(dict.fromkeys(content.loan_application_ids)), content.consent.consent_fetch_type == "PERIODIC"


def consent_handle_response(to: AnswerTo, handle: str) -> Outgoing:
    """Write the callback that hands over a consent handle."""
    return answer(
        to, {"consent": {"consentHandle": handle, "consentStatus": "PENDING"}}, "The borrower may consent now."
    )


def consent_handle_of(asked: VerifiedMessage) -> str:
    """Return the handle that a ConsentStatusRequest asks about."""
    return str(cast("Any", asked.content).consent.consent_handle)


def consent_status_response(asked: VerifiedMessage, handle: str, state: ConsentState) -> Outgoing:
    """Write the callback to a ConsentStatusRequest. A consent that is suspended is given all the same."""
    told = {ConsentState.READY: "READY", ConsentState.SUSPENDED: "READY", ConsentState.FAILED: "FAILED"}
    consent: dict[str, Any] = {"consentHandle": handle, "consentStatus": told.get(state, "PENDING")}
    if state is ConsentState.SUSPENDED:
        consent["extensibleData"] = {"suspended": True}
    return answer(AnswerTo.of(asked), {"consent": consent}, f"The consent is {state.value}.")


def offers_response(to: AnswerTo, loans: "Sequence[Loan]", unknown: Sequence[str], due_at: datetime) -> Outgoing:
    """Write the callback to a GenerateOffersRequest: of each application its offers, or why there are none."""
    applications = [offered_application(loan) for loan in loans]
    detail = {"reason": "OTHERS", "description": "This lender has no such application of this sender."}
    applications += [
        {"loanApplicationId": id_, "loanApplicationStatus": "REJECTED", "offers": [], "rejectionDetails": [detail]}
        for id_ in unknown
    ]
    return answer(to, {"loanApplications": applications}, "Each application tells its offers.", due_at)


def trigger_response(asked: VerifiedMessage, session_key: str, masked_phone: str, status: str) -> Outgoing:
    """Write the callback to a request for acceptance: where the OTP went, and the key of its session."""
    data = {"otpSessionKey": session_key, "maskedPhoneNumber": masked_phone}
    return _agreement(asked, data, status, "The OTP has been sent.")


def entered_otp(asked: VerifiedMessage) -> EnteredOtp:
    """Return what a VerifyLoanAcceptanceRequest says; in v3 it names no application."""
    content = cast("Any", asked.content)
    data, is_v3 = content.cred_block.data, AnswerTo.of(asked).is_v3
    return EnteredOtp(data.otp_session_key, data.otp, () if is_v3 else (content.loan_application_id,))


def verify_response(asked: VerifiedMessage, session_key: str, verdict: OtpOutcome, status: str) -> Outgoing:
    """Write the callback to an OTP. It is a success whatever the verdict: the OTP has been judged."""
    data = {"otpSessionKey": session_key, "status": verdict.value}
    return _agreement(asked, data, status, f"The OTP was judged: {verdict.value}.")


def answer(to: AnswerTo, content: Mapping[str, Any], detail: str, due_at: datetime | None = None) -> Outgoing:
    """Write a callback that reports success, to be sent at `due_at`. `detail` is for people; v3 has no place for it."""
    if to.is_v3:
        return _outgoing(to, {"response": {"error": SUCCESS}, **content}, due_at)
    response = {"status": ResponseStatus.SUCCESS.value, "responseDetail": detail}
    return _outgoing(to, {"response": response, **content}, due_at)


def error_response(to: AnswerTo, code: str, content: Mapping[str, Any]) -> Outgoing:
    """Write a callback that reports that what was asked for could not be done."""
    if to.is_v3:
        return _outgoing(to, {"response": {"error": code}, **content}, None)
    return _outgoing(to, {"response": {"status": ResponseStatus.ERROR.value, "responseDetail": code}, **content}, None)


def _outgoing(to: AnswerTo, content: Mapping[str, Any], due_at: datetime | None) -> Outgoing:
    request = find_message(to.message)
    callback = None if request is None else request.answered_by
    assert callback is not None, f"nothing answers {to.message}"
    head: Mapping[str, Any] = {"requestId": to.request_id} if to.is_v3 else {"productData": to.product}
    return Outgoing(to.receiver, callback, to.request_id, {**head, **content}, due_at)


def _agreement(asked: VerifiedMessage, data: Mapping[str, Any], status: str, detail: str) -> Outgoing:
    to = AnswerTo.of(asked)
    if to.is_v3:
        return answer(to, {"credBlock": {"type": "OTP", "data": data}}, detail)
    application = {"loanApplicationId": asked.document["loanApplicationId"], "loanApplicationStatus": status}
    return answer(to, {**application, "credBlock": {"data": data}}, detail)


def _form(application: Any, is_v3: bool) -> ApplicationForm:
    terms, borrower = application.terms, application.borrower
    phones = [contact.phone for contact in borrower.contact_details if contact.type is ContactType.PRIMARY]
    return ApplicationForm(
        id=application.loan_application_id,
        created_at=moment_of(as_iso_date(application.created_date)),
        amount=terms.requested_amount,
        currency=terms.currency,
        days=_days(terms.tenure),
        loan_type=application.type.value if is_v3 else application.loan_type,
        borrower=Applicant(
            IdKind(borrower.primary_id_type), borrower.primary_id, borrower.name or "", phones[0] if phones else ""
        ),
        invoice_documents=_invoice_documents(application) if is_v3 else (),
        needs_consent=is_v3,  # 4.0's messages of consent are not among those taken
        text_in_offer=is_v3,
    )


def _invoice_documents(application: Any) -> list[str]:
    return [
        str(document.get("data", ""))
        for collateral in application.collaterals
        if collateral.type == "GST_INVOICE"
        for document in collateral.documents
        if document.get("type") == "GSTN_B2B_INVOICE"
    ]


def _days(tenure: Tenure | None) -> Decimal | None:
    return tenure.duration * _DAYS[tenure.unit] if tenure is not None else None


def _judged(form: Mapping[str, Any], application: "Judged", is_v3: bool) -> dict[str, Any]:
    status = derived_status(application.loan.milestones, "v3" if is_v3 else "v4")
    judged = {**form, "loanApplicationStatus": status}
    details = [
        {"reason": "OTHERS", "code": rejection.reason.code, "description": str(rejection)}
        for rejection in application.rejections
    ]
    if application.refusal is not None:
        problem = application.refusal.problem
        details = [{"reason": "OTHERS", "code": problem.code, "description": f"{problem.code} {problem.meaning}"}]
    if not details:
        return judged
    if is_v3:
        return {**judged, "rejectionDetails": details}
    # An application of 4.0 has no member for the reason, so it stands where members may be added.
    return {**judged, "extensibleData": {**(form.get("extensibleData") or {}), "rejectionDetails": details}}


def _summary(judged: "Sequence[Judged]") -> str:
    reasons = ((application.loan.id, " ".join(map(str, application.rejections))) for application in judged)
    rejected = [f"{id_} is rejected: {why}" for id_, why in reasons if why]
    taken = f"{len(judged) - len(rejected)} of {len(judged)} applications are being processed."
    text = " ".join([taken, *rejected])
    return text if len(text) <= DETAIL_LENGTH else f"{taken} Each of the others says why in its extensibleData."
