"""Loan applications as journeys: binds the lender's rules to the message that creates them, and remembers them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lender_app.applications import ApplicationRecord, ApplicationStatus, decide_on, standing_of
from lender_app.policy import ApplicationStanding, LendingPolicy
from lender_app.speech import ApplicationJudged, CreationSpeech
from shared.node.journeys import Decision, Journey, Rule
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem

LOAN_APPLICATION = "loan-application"
APPLICATION_ID = "loan-application-id"
"""Kind of a second journey, under the id alone: that somebody has an application of that id, and who came first."""


@dataclass(frozen=True, slots=True)
class CreateApplications(Rule):
    """CreateLoanApplicationsRequest: judge every application, remember it, answer with what was decided."""

    speech: CreationSpeech
    policy: LendingPolicy

    def journey_keys(self, message: VerifiedMessage) -> Sequence[str]:
        """Need to know which of the applications there are already."""
        return application_keys(message.sender.organisation_id, [form.id for form in self.speech.forms(message)])

    def decide(self, message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
        """Refuse a message that names an id again; otherwise take or reject each application by itself."""
        forms, sender = self.speech.forms(message), message.sender.organisation_id
        for loan_application_id, times in Counter(form.id for form in forms).items():
            if times > 1:
                return Decision(Problem.VALUE, f"loanApplicationId {loan_application_id} stands {times} times in it")
            if application_key(sender, loan_application_id) in journeys:
                reason = f"loanApplicationId {loan_application_id} has been used; take a new one"
                return Decision(Problem.NOT_ALLOWED_NOW, reason)
        decided = [decide_on(form, sender, self.policy, now) for form in forms]
        outcomes = [ApplicationJudged(application.status, rejections) for application, rejections in decided]
        return Decision(
            journeys=[journey for application, _ in decided for journey in _journeys(application)],
            outgoing=[self.speech.created(message, outcomes)],
        )


def application_keys(sender: str, loan_application_ids: Sequence[str]) -> list[str]:
    """Return the keys of all that is remembered of these applications of a sender."""
    own = [application_key(sender, one) for one in loan_application_ids]
    return own + [_id_key(one) for one in loan_application_ids]


def application_key(sender: str, loan_application_id: str) -> str:
    """Return the key of one sender's application. No id holds a line break, so no two pairs have the same key."""
    return f"application\n{sender}\n{loan_application_id}"


def known_standings(
    sender: str, loan_application_ids: Sequence[str], journeys: Mapping[str, Journey]
) -> dict[str, ApplicationStanding]:
    """Tell how those of the applications stand that came in by message.

    One that only another sender has created is UNKNOWN, as if there were none.
    """
    found = {}
    for one in loan_application_ids:
        application = application_of(journeys.get(application_key(sender, one)))
        if application is not None:
            found[one] = standing_of(application)
        elif _id_key(one) in journeys:
            found[one] = ApplicationStanding.UNKNOWN
    return found


def application_of(journey: Journey | None) -> ApplicationRecord | None:
    """Read an application from its journey."""
    if journey is None:
        return None
    return ApplicationRecord(
        id=journey.state["loanApplicationId"],
        sender=journey.participant,
        status=ApplicationStatus(journey.state["status"]),
        masked_phone=journey.state["maskedPhoneNumber"],
        expires_at=journey.expires_at,
    )


def journey_of(application: ApplicationRecord) -> Journey:
    """Write an application as its journey."""
    state = {
        "loanApplicationId": application.id,
        "status": application.status.value,
        "maskedPhoneNumber": application.masked_phone,
    }
    key = application_key(application.sender, application.id)
    return Journey(key, LOAN_APPLICATION, application.sender, state, application.expires_at)


def _id_key(loan_application_id: str) -> str:
    return f"application id\n{loan_application_id}"


def _journeys(application: ApplicationRecord) -> tuple[Journey, Journey]:
    id_taken = Journey(_id_key(application.id), APPLICATION_ID, application.sender, {}, application.expires_at)
    return journey_of(application), id_taken
