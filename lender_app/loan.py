"""A loan as the lender sees it: its milestones, the events that move them, and the facts that their guards look at.

A loan has several milestones that move independently of each other; an axis is one of them. The steps from state to
state are the table of `lender_app.transitions`. Nothing here knows a version of OCEN, a clock or a database.
"""

from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Any


class IntakeState(StrEnum):
    """Whether the application was taken; COLLECTING: its documents are still coming."""

    NONE = "none"
    COLLECTING = "collecting"
    OPEN = "open"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class ConsentState(StrEnum):
    """How far a consent to fetch data has come: the one-time consent, or the periodic one that monitors the loan."""

    NONE = "none"
    NOT_NEEDED = "not_needed"
    REQUESTED = "requested"
    PENDING = "pending"
    READY = "ready"
    SUSPENDED = "suspended"
    FAILED = "failed"


class OfferState(StrEnum):
    """How far the lender's offers have come."""

    NONE = "none"
    UNDERWRITING = "underwriting"
    ACTION_REQUIRED = "action_required"
    OFFERED = "offered"
    EXPIRED = "expired"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class AgreementState(StrEnum):
    """How far the borrower's acceptance of the loan agreement has come."""

    NONE = "none"
    READY = "ready"
    ACTION_REQUIRED = "action_required"
    OTP_SENT = "otp_sent"
    COMPLETED = "completed"
    FAILED = "failed"


State = IntakeState | ConsentState | OfferState | AgreementState


class Axis(Enum):
    """One milestone of a loan: its name among the milestones, and its states, of which the first is the initial one."""

    INTAKE = ("intake", IntakeState)
    CONSENT = ("consent", ConsentState)
    MONITORING = ("monitoring", ConsentState)
    OFFER = ("offer", OfferState)
    AGREEMENT = ("agreement", AgreementState)

    def __init__(self, label: str, states: type[State]) -> None:
        self.label = label
        self.states = states


@dataclass(frozen=True, slots=True)
class Milestones:
    """The state of each milestone of one application.

    `consent` is NOT_NEEDED from the start where the product needs no Account Aggregator, `monitoring` where it needs
    no monitoring.
    """

    intake: IntakeState = IntakeState.NONE
    consent: ConsentState = ConsentState.NONE
    monitoring: ConsentState = ConsentState.NONE
    offer: OfferState = OfferState.NONE
    agreement: AgreementState = AgreementState.NONE

    def state_of(self, axis: Axis) -> State:
        """Return the state of one axis."""
        state: State = getattr(self, axis.label)
        return state

    def moved(self, axis: Axis, state: State) -> "Milestones":
        """Return them with one axis in another state."""
        change: dict[str, Any] = {axis.label: state}
        return replace(self, **change)

    @property
    def is_alive(self) -> bool:
        """Whether the application may still become a loan."""
        return self.intake in (IntakeState.COLLECTING, IntakeState.OPEN) and self.offer is not OfferState.REJECTED


class Event(StrEnum):
    """What can happen to an axis.

    A message is named without Request or Response. `f:` is a fact from a third party or a decision of the lender,
    `t:` a timer, `o:` the operator, `x:` another axis has moved, `d:` a delivery of ours was refused or given up.
    """

    CREATE_LOAN_APPLICATIONS = "CreateLoanApplications"
    GET_ADDITIONAL_PLEDGED_DOCUMENTS = "GetAdditionalPledgedDocuments"
    CONSENT_HANDLE = "ConsentHandle"
    CONSENT_STATUS = "ConsentStatus"
    CONSENT_JOURNEY_NOTIFY = "ConsentJourneyNotify"
    GENERATE_OFFERS = "GenerateOffers"
    SEND_ADDITIONAL_DOCUMENTS = "SendAdditionalDocuments"
    SET_OFFER = "SetOffer"
    LOAN_AGREEMENT = "LoanAgreement"
    TRIGGER_LOAN_ACCEPTANCE = "TriggerLoanAcceptance"
    VERIFY_LOAN_ACCEPTANCE = "VerifyLoanAcceptance"

    AA_HANDLE = "f:aa.handle"
    AA_UNAVAILABLE = "f:aa.unavailable"
    AA_ACTIVE = "f:aa.active"
    AA_REJECTED = "f:aa.rejected"
    AA_EXPIRED = "f:aa.expired"
    AA_REVOKED = "f:aa.revoked"
    AA_PAUSED = "f:aa.paused"
    AA_RESUMED = "f:aa.resumed"
    UNDERWRITING_OFFERS = "f:uw.offers"
    UNDERWRITING_ACTION_REQUIRED = "f:uw.action_required"
    UNDERWRITING_REJECTED = "f:uw.rejected"
    DERIVED_DATA = "f:derived_data"

    PLEDGED_DOCUMENTS_DUE = "t:pledged_documents"
    APPLICATION_LIFE_OVER = "t:application_life"
    AA_ANSWER_DUE = "t:aa_answer"
    CONSENT_LIFE_OVER = "t:consent_life"
    OFFER_ANSWER_DUE = "t:offer_answer"
    DERIVED_DATA_DUE = "t:derived_data"
    OFFER_VALIDITY_OVER = "t:offer_validity"
    OTP_SESSION_OVER = "t:otp_session"
    AGREEMENT_LOCK_OVER = "t:agreement_lock"

    OPERATOR_CANCELS = "o:cancel"
    APPLICATION_ENDED = "x:application.ended"
    OFFER_ACCEPTED = "x:offer.accepted"
    OFFER_REPLACED = "x:offer.replaced"
    SERVICING_CLOSED = "x:servicing.closed"
    PLEDGED_DOCUMENTS_UNDELIVERED = "d:GetAdditionalPledgedDocuments"
    DERIVED_DATA_UNDELIVERED = "d:GetDerivedData"

    @property
    def is_message(self) -> bool:
        """Whether it is a message, whose sender has to hear of a refusal."""
        return ":" not in self


class Page(Enum):
    """Which page of pledged documents has come."""

    NOT_ASKED_FOR = "another page than the one asked for, or another total"
    MORE_FOLLOW = "the one asked for, and more follow"
    LAST = "the one asked for, and the last"


class OfferChoice(Enum):
    """Which offer a SetOffer names."""

    NEVER_MADE = "none that was made for this application"
    OF_EARLIER_ROUND = "one of an earlier round of offers"
    RUN_OUT = "one of this round that has run out"
    VALID = "one of this round that is valid"
    ACCEPTED = "the one that has been accepted"


class OtpResult(Enum):
    """What an OTP is worth: whether it is right, and what a wrong one costs."""

    NO_SESSION = "no session of this sender is open, or it is for other applications"
    RIGHT = "right, in an open session or in the one that has succeeded"
    WRONG = "wrong, the session goes on"
    WRONG_LAST_TRY = "wrong, and the session has no try left"
    WRONG_TOO_OFTEN = "wrong, and too often over all sessions of the application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the guards look at, worked out beforehand by the rule; what an event does not touch keeps its default.

    Attributes:
        milestones: where the application stands.
        policy_passes: nothing in the application is against the lender's policy.
        invoice_is_free: no other loan of this lender, of whatever LSP, has taken the invoice.
        documents_follow: the application says that more pledged documents are to be asked for.
        same_content: the application is the one that was sent before under this id.
        page: which page of pledged documents has come.
        money_has_moved: a disbursement is under way or done.
        loan_has_ended: the loan was paid back or cancelled.
        one_borrower: all applications of the message are of one borrower.
        consent_round_left: a consent may be asked for once more.
        data_fetched: the data of the one-time consent are here.
        offer_round_left: offers may be made once more.
        documents_as_asked: each document sent names a reference that was asked for.
        chosen_offer: which offer the message names.
        text_in_offer: the offer carries the text of the agreement, so no message asks for it.
        kyc_done: nothing is left to do for KYC.
        action_left: the borrower has something to do before the agreement.
        otp_left: the application may have one more OTP sent.
        otp: what the OTP in the message is worth.
    """

    milestones: Milestones = field(default_factory=Milestones)
    policy_passes: bool = False
    invoice_is_free: bool = False
    documents_follow: bool = False
    same_content: bool = False
    page: Page = Page.NOT_ASKED_FOR
    money_has_moved: bool = False
    loan_has_ended: bool = False
    one_borrower: bool = False
    consent_round_left: bool = False
    data_fetched: bool = False
    offer_round_left: bool = False
    documents_as_asked: bool = False
    chosen_offer: OfferChoice = OfferChoice.NEVER_MADE
    text_in_offer: bool = False
    kyc_done: bool = False
    action_left: bool = False
    otp_left: bool = False
    otp: OtpResult = OtpResult.NO_SESSION
