"""What the lender's rules speak about, whatever version of OCEN carries it, and what each version has to translate.

The rules know these classes alone. `v3` and `v4` beside this file turn bodies into them and answers into messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lender_app.applications import ApplicationForm, ApplicationStatus, Rejection
from lender_app.rules import OtpOutcome
from shared.node.journeys import Outgoing
from shared.protocol.phases import VerifiedMessage


@dataclass(frozen=True, slots=True)
class EnteredOtp:
    """The OTP that a borrower entered; `loan_application_ids` are those that the message names, if it names any."""

    session_key: str
    otp: str
    loan_application_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The answer to a request for acceptance: the key of the OTP session, and where the OTP went."""

    session_key: str
    masked_phone: str


@dataclass(frozen=True, slots=True)
class OtpJudged:
    """The answer to an OTP; `status` is that of the application afterwards."""

    session_key: str
    verdict: OtpOutcome
    status: ApplicationStatus


@dataclass(frozen=True, slots=True)
class ApplicationJudged:
    """What was decided on one application of a message."""

    status: ApplicationStatus
    rejections: Sequence[Rejection]


class AcceptanceSpeech(Protocol):
    """Translates the messages of loan acceptance."""

    @property
    def knows_applications(self) -> bool:
        """Whether applications come in by message in this version, so that the lender remembers them."""

    def wanted(self, message: VerifiedMessage) -> Sequence[str]:
        """Return the ids of the loan applications that are to be accepted."""

    def answer(self, message: VerifiedMessage) -> EnteredOtp:
        """Return the borrower's answer."""

    def opened(self, message: VerifiedMessage, session: SessionOpened) -> Outgoing:
        """Write the callback to a request for acceptance."""

    def judged(self, message: VerifiedMessage, outcome: OtpJudged) -> Outgoing:
        """Write the callback to an OTP."""


class CreationSpeech(Protocol):
    """Translates the messages by which loan applications are created."""

    def forms(self, message: VerifiedMessage) -> Sequence[ApplicationForm]:
        """Return the applications of a message, in its order."""

    def created(self, message: VerifiedMessage, outcomes: Sequence[ApplicationJudged]) -> Outgoing:
        """Write the callback: what was decided on each application, in the order of the request."""
