"""The transition table of a loan: the one place that says what happens to a milestone, and what cannot.

A row is read like this: from one of these states, when this event comes, the first way whose guard holds is taken.
Rows of one axis and event are tried in their order; a row without states stands for every state that is left.
The rules write the callback that a step asks for; nothing here sends or stores.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain
from typing import Final

from lender_app import guards as g
from lender_app.loan import AgreementState as Agreement
from lender_app.loan import Axis, Event, Facts, Milestones, State
from lender_app.loan import ConsentState as Consent
from lender_app.loan import IntakeState as Intake
from lender_app.loan import OfferState as Offer
from shared.protocol.problems import Problem

OFFER_NO_LONGER_VALID = "SOF1001"
"""What response.error says of a SetOffer whose offer has run out; the code is ours, after OCEN's SDP1001."""


class Answer(Enum):
    """How the sender hears of a step."""

    DONE = "the callback that was asked for, where one waits"
    NO = "a successful callback whose status says no"
    ERROR = "a callback with an error; what was asked for could not be done"
    REFUSED = "a refused ack, and nothing has changed"
    NOTED = "nobody: a line in the journal"


@dataclass(frozen=True, slots=True)
class Edge:
    """One way of one row.

    Attributes:
        name: the row, and the number of the way in it.
        axis: what moves.
        sources: the states it starts from; every state where empty.
        event: what has to come.
        guard: what has to hold; nothing where None.
        target: the state after it; the same as before where None.
        answer: how the sender hears of it.
        code: what response.error, or the refused ack, says.
        emits: the event that all axes hear then.
    """

    name: str
    axis: Axis
    sources: frozenset[State]
    event: Event
    guard: Callable[[Facts], bool] | None = None
    target: State | None = None
    answer: Answer = Answer.DONE
    code: Problem | str = ""
    emits: Event | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What an event has done to an axis, or left as it was; `state` is the one after it."""

    edge: Edge
    state: State


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that cannot be taken in this state, and the problem that its ack names."""

    edge: Edge
    problem: Problem


@dataclass(frozen=True, slots=True)
class _Way:
    target: State | None = None
    when: Callable[[Facts], bool] | None = None
    answer: Answer = Answer.DONE
    code: Problem | str = ""
    emits: Event | None = None


def _no(target: State | None = None, when: Callable[[Facts], bool] | None = None, emits: Event | None = None) -> _Way:
    return _Way(target, when, Answer.NO, "", emits)


def _error(code: Problem | str, target: State | None = None, when: Callable[[Facts], bool] | None = None) -> _Way:
    return _Way(target, when, Answer.ERROR, code)


def _refused(problem: Problem, when: Callable[[Facts], bool] | None = None) -> _Way:
    return _Way(None, when, Answer.REFUSED, problem)


def _row(
    name: str,
    axes: Axis | tuple[Axis, ...],
    sources: State | tuple[State, ...],
    events: Event | tuple[Event, ...],
    *ways: _Way,
) -> Iterator[Edge]:
    """Make the edges of a row: one for each axis, event and way."""
    states = frozenset(sources if isinstance(sources, tuple) else (sources,))
    for axis in axes if isinstance(axes, tuple) else (axes,):
        for event in events if isinstance(events, tuple) else (events,):
            for number, way in enumerate(ways, 1):
                label = f"{name}.{number}" if len(ways) > 1 else name
                yield Edge(label, axis, states, event, way.when, way.target, way.answer, way.code, way.emits)


_ANY: Final = ()
_BOTH: Final = (Axis.CONSENT, Axis.MONITORING)
_INTAKE, _CONSENT, _MONITORING, _OFFER, _AGREEMENT = Axis
_SAME: Final = _Way()
_NOTED: Final = _Way(answer=Answer.NOTED)
_NOT_NOW: Final = _refused(Problem.NOT_ALLOWED_NOW)
_UNKNOWN: Final = _refused(Problem.UNKNOWN_REFERENCE)
_HANDLES: Final = (Consent.PENDING, Consent.READY, Consent.SUSPENDED, Consent.FAILED)
_NO_OFFERS: Final = (Offer.NONE, Offer.EXPIRED)
_NOT_ACCEPTED: Final = (Offer.OFFERED, Offer.EXPIRED, Offer.UNDERWRITING, Offer.ACTION_REQUIRED, Offer.REJECTED)
_NOT_COMPLETED: Final = (Agreement.NONE, Agreement.READY, Agreement.ACTION_REQUIRED, Agreement.OTP_SENT)

# fmt: off
_INTAKE_ROWS = (
    _row("IN1", _INTAKE, Intake.NONE, Event.CREATE_LOAN_APPLICATIONS,
         _Way(Intake.COLLECTING, g.acceptable_and_documents_follow), _Way(Intake.OPEN, g.acceptable)),
    _row("IN2", _INTAKE, Intake.NONE, Event.CREATE_LOAN_APPLICATIONS, _no(Intake.REJECTED)),
    _row("IN3", _INTAKE, _ANY, Event.CREATE_LOAN_APPLICATIONS,
         _Way(when=g.same_content), _refused(Problem.OTHER_CONTENT)),
    _row("IN4", _INTAKE, Intake.COLLECTING, Event.GET_ADDITIONAL_PLEDGED_DOCUMENTS,
         _Way(when=g.more_pages_follow), _Way(Intake.OPEN, g.last_page)),
    _row("IN5", _INTAKE, Intake.COLLECTING, Event.GET_ADDITIONAL_PLEDGED_DOCUMENTS, _refused(Problem.VALUE)),
    _row("IN5n", _INTAKE, _ANY, Event.GET_ADDITIONAL_PLEDGED_DOCUMENTS, _UNKNOWN),
    _row("IN6", _INTAKE, Intake.COLLECTING, (Event.PLEDGED_DOCUMENTS_DUE, Event.PLEDGED_DOCUMENTS_UNDELIVERED),
         _Way(Intake.OPEN)),
    _row("IN7", _INTAKE, (Intake.COLLECTING, Intake.OPEN), (Event.APPLICATION_LIFE_OVER, Event.OPERATOR_CANCELS),
         _Way(Intake.CANCELLED, g.may_be_cancelled, emits=Event.APPLICATION_ENDED), _NOTED),
    _row("IN8", _INTAKE, Intake.OPEN, Event.SERVICING_CLOSED, _Way(Intake.CLOSED)),
)

_CONSENT_ROWS = (
    _row("CO1", _CONSENT, (Consent.NONE, Consent.PENDING, Consent.READY, Consent.FAILED), Event.CONSENT_HANDLE,
         _Way(Consent.REQUESTED, g.data_may_be_asked_for)),
    _row("CO1", _MONITORING, (Consent.NONE, *_HANDLES), Event.CONSENT_HANDLE,
         _Way(Consent.REQUESTED, g.monitoring_may_be_asked_for)),
    _row("CO2", _BOTH, _ANY, Event.CONSENT_HANDLE, _NOT_NOW),
    _row("CO3", _BOTH, Consent.REQUESTED, Event.AA_HANDLE, _Way(Consent.PENDING)),
    _row("CO4", _BOTH, Consent.REQUESTED, (Event.AA_UNAVAILABLE, Event.AA_ANSWER_DUE),
         _error(Problem.UNAVAILABLE, Consent.NONE)),
    _row("CO4e", _BOTH, Consent.REQUESTED, Event.APPLICATION_ENDED, _error(Problem.NOT_ALLOWED_NOW, Consent.NONE)),
    _row("CO5", _BOTH, Consent.PENDING, Event.AA_ACTIVE, _Way(Consent.READY)),
    _row("CO6", _BOTH, Consent.PENDING,
         (Event.AA_REJECTED, Event.AA_EXPIRED, Event.AA_REVOKED, Event.CONSENT_LIFE_OVER), _Way(Consent.FAILED)),
    _row("CO7", _CONSENT, Consent.READY, (Event.AA_EXPIRED, Event.AA_REVOKED),
         _Way(Consent.FAILED, g.data_not_fetched), _NOTED),
    _row("CO7", _MONITORING, (Consent.READY, Consent.SUSPENDED), (Event.AA_EXPIRED, Event.AA_REVOKED),
         _Way(Consent.FAILED)),
    _row("CO8", _CONSENT, Consent.READY, (Event.AA_PAUSED, Event.AA_RESUMED), _NOTED),
    _row("CO8", _MONITORING, Consent.READY, Event.AA_PAUSED, _Way(Consent.SUSPENDED)),
    _row("CO9", _MONITORING, Consent.SUSPENDED, Event.AA_RESUMED, _Way(Consent.READY)),
    _row("CO10", _BOTH, (Consent.READY, Consent.SUSPENDED), Event.CONSENT_STATUS, _SAME),
    _row("CO10n", _BOTH, (Consent.PENDING, Consent.FAILED), Event.CONSENT_STATUS, _no()),
    _row("CO11", _BOTH, _HANDLES, Event.CONSENT_JOURNEY_NOTIFY, _SAME),
    _row("CO12", _BOTH, _ANY, (Event.CONSENT_STATUS, Event.CONSENT_JOURNEY_NOTIFY), _UNKNOWN),
)

_OFFER_ROWS = (
    _row("OF1", _OFFER, _NO_OFFERS, Event.GENERATE_OFFERS,
         _no(Offer.REJECTED, g.consents_used_up, Event.APPLICATION_ENDED), _no(when=g.consent_or_documents_missing)),
    _row("OF2", _OFFER, _NO_OFFERS, Event.GENERATE_OFFERS, _Way(Offer.UNDERWRITING, g.data_may_be_fetched)),
    _row("OF3", _OFFER, Offer.UNDERWRITING, Event.GENERATE_OFFERS, _SAME),
    _row("OF4", _OFFER, Offer.OFFERED, Event.GENERATE_OFFERS, _Way(when=g.intake_open)),
    _row("OF4n", _OFFER, (Offer.ACTION_REQUIRED, Offer.REJECTED), Event.GENERATE_OFFERS, _no(when=g.intake_open)),
    _row("OF5", _OFFER, _ANY, Event.GENERATE_OFFERS, _NOT_NOW),
    _row("OF6", _OFFER, Offer.UNDERWRITING, Event.UNDERWRITING_OFFERS, _Way(Offer.OFFERED)),
    _row("OF7", _OFFER, Offer.UNDERWRITING, Event.UNDERWRITING_ACTION_REQUIRED, _no(Offer.ACTION_REQUIRED)),
    _row("OF8", _OFFER, Offer.UNDERWRITING, Event.UNDERWRITING_REJECTED,
         _no(Offer.REJECTED, emits=Event.APPLICATION_ENDED)),
    _row("OF9", _OFFER, Offer.UNDERWRITING, Event.OFFER_ANSWER_DUE, _no()),
    _row("OF10", _OFFER, Offer.UNDERWRITING,
         (Event.DERIVED_DATA_DUE, Event.DERIVED_DATA_UNDELIVERED, Event.DERIVED_DATA), _SAME),
    _row("OF11", _OFFER, Offer.UNDERWRITING, Event.APPLICATION_ENDED, _no(Offer.NONE)),
    _row("OF12", _OFFER, Offer.OFFERED, Event.OFFER_VALIDITY_OVER,
         _Way(Offer.EXPIRED, g.offer_round_left), _Way(Offer.REJECTED, emits=Event.APPLICATION_ENDED)),
    _row("OF13", _OFFER, Offer.ACTION_REQUIRED, Event.SEND_ADDITIONAL_DOCUMENTS,
         _Way(Offer.UNDERWRITING, g.documents_as_asked), _no(when=g.alive)),
    _row("OF14", _OFFER, _ANY, Event.SEND_ADDITIONAL_DOCUMENTS, _NOT_NOW),
    _row("OF15", _OFFER, Offer.OFFERED, Event.SET_OFFER,
         _Way(Offer.ACCEPTED, g.offer_valid_and_invoice_free, emits=Event.OFFER_ACCEPTED),
         _error(OFFER_NO_LONGER_VALID, Offer.EXPIRED, g.offer_valid)),
    _row("OF16", _OFFER, _NOT_ACCEPTED, Event.SET_OFFER, _error(OFFER_NO_LONGER_VALID, when=g.offer_run_out)),
    _row("OF17", _OFFER, Offer.ACCEPTED, Event.SET_OFFER,
         _Way(when=g.offer_already_accepted), _Way(when=g.offer_may_be_replaced, emits=Event.OFFER_REPLACED),
         _error(OFFER_NO_LONGER_VALID, when=g.replacement_has_run_out)),
    _row("OF18", _OFFER, _ANY, Event.SET_OFFER, _refused(Problem.UNKNOWN_REFERENCE, g.offer_never_made), _NOT_NOW),
)

_AGREEMENT_ROWS = (
    _row("AG1", _AGREEMENT, _NOT_COMPLETED, (Event.OFFER_ACCEPTED, Event.OFFER_REPLACED),
         _Way(Agreement.READY, g.text_in_offer), _Way(Agreement.NONE)),
    _row("AG2", _AGREEMENT, (Agreement.NONE, Agreement.ACTION_REQUIRED), Event.LOAN_AGREEMENT,
         _Way(Agreement.READY, g.agreement_possible), _no(Agreement.ACTION_REQUIRED, g.action_before_agreement)),
    _row("AG3", _AGREEMENT, (Agreement.READY, Agreement.OTP_SENT, Agreement.COMPLETED), Event.LOAN_AGREEMENT, _SAME),
    _row("AG4", _AGREEMENT, (Agreement.READY, Agreement.OTP_SENT), Event.TRIGGER_LOAN_ACCEPTANCE,
         _Way(Agreement.OTP_SENT, g.otp_may_be_sent)),
    _row("AG5", _AGREEMENT, _ANY, (Event.LOAN_AGREEMENT, Event.TRIGGER_LOAN_ACCEPTANCE), _NOT_NOW),
    _row("AG6", _AGREEMENT, Agreement.OTP_SENT, Event.VERIFY_LOAN_ACCEPTANCE,
         _Way(Agreement.COMPLETED, g.right_otp), _no(Agreement.FAILED, g.wrong_too_often),
         _no(Agreement.READY, g.wrong_last_try), _no(when=g.wrong_otp)),
    _row("AG7", _AGREEMENT, Agreement.COMPLETED, Event.VERIFY_LOAN_ACCEPTANCE, _Way(when=g.right_otp)),
    _row("AG7n", _AGREEMENT, _ANY, Event.VERIFY_LOAN_ACCEPTANCE, _no()),
    _row("AG8", _AGREEMENT, Agreement.OTP_SENT, (Event.OTP_SESSION_OVER, Event.APPLICATION_ENDED),
         _Way(Agreement.READY)),
    _row("AG9", _AGREEMENT, Agreement.FAILED, Event.AGREEMENT_LOCK_OVER,
         _Way(Agreement.READY, g.text_in_offer), _Way(Agreement.NONE)),
)
# fmt: on


def _index(edges: Iterable[Edge]) -> dict[tuple[Axis, Event], tuple[Edge, ...]]:
    """Order the edges by axis and event. Whatever comes too late or too early, other than a message, is noted."""
    index: dict[tuple[Axis, Event], tuple[Edge, ...]] = {}
    for edge in edges:
        index[edge.axis, edge.event] = (*index.get((edge.axis, edge.event), ()), edge)
    for (axis, event), found in index.items():
        if not event.is_message:
            index[axis, event] = (*found, *_row("ZZ", axis, _ANY, event, _NOTED))
    return index


_TABLE: Final = _index(chain(*_INTAKE_ROWS, *_CONSENT_ROWS, *_OFFER_ROWS, *_AGREEMENT_ROWS))

EDGES: Final[tuple[Edge, ...]] = tuple(chain.from_iterable(_TABLE.values()))
"""Every way of every row, those of one axis and event in the order in which they are tried."""


def step(axis: Axis, state: State, event: Event, facts: Facts) -> Step | Refusal:
    """Return what an event does to an axis in a state: the first edge that starts there and whose guard holds.

    Raises:
        KeyError: the axis does not hear the event.
    """
    for edge in _TABLE[axis, event]:
        if (not edge.sources or state in edge.sources) and (edge.guard is None or edge.guard(facts)):
            if isinstance(edge.code, Problem) and edge.answer is Answer.REFUSED:
                return Refusal(edge, edge.code)
            return Step(edge, state if edge.target is None else edge.target)
    raise AssertionError(f"the table has no last row for {axis.label}, {state} and {event}")


def advance(axis: Axis, event: Event, facts: Facts) -> tuple[Milestones, tuple[Step, ...]] | Refusal:
    """Take the step of one axis, and those that it causes on others; return the milestones then, and the steps.

    The step of the axis itself comes first. The facts hold the milestones from which it starts.

    Raises:
        KeyError: the axis does not hear the event.
    """
    taken = step(axis, facts.milestones.state_of(axis), event, facts)
    if isinstance(taken, Refusal):
        return taken
    milestones, steps = facts.milestones.moved(axis, taken.state), [taken]
    for other in Axis:
        if taken.edge.emits is not None and (other, taken.edge.emits) in _TABLE:
            further = advance(other, taken.edge.emits, replace(facts, milestones=milestones))
            assert not isinstance(further, Refusal)
            milestones = further[0]
            steps += further[1]
    return milestones, tuple(steps)
