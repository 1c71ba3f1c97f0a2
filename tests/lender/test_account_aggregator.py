"""The simulated Account Aggregator: what it tells of a consent, and when."""

from datetime import UTC, datetime, timedelta

import pytest

from lender_app.account_aggregator import consent_handle, facts_of_consent, gives_data
from lender_app.loan import Axis, ConsentState, Event, Facts
from lender_app.personas import Persona
from lender_app.transitions import Refusal, step

NOW = datetime(2031, 3, 3, 9, 30, tzinfo=UTC)


def told(persona: Persona, *, attempt: int = 1, is_monitoring: bool = False) -> list[tuple[Event, timedelta]]:
    facts = facts_of_consent(persona, attempt=attempt, is_monitoring=is_monitoring, now=NOW)
    return [(fact.event, fact.due_at - NOW) for fact in facts]


@pytest.mark.parametrize(
    ("persona", "first", "after"),
    [
        (Persona.STRAIGHT_THROUGH, Event.AA_ACTIVE, timedelta(milliseconds=1)),
        (Persona.NO_DATA, Event.AA_ACTIVE, timedelta(milliseconds=1)),
        (Persona.CONSENT_REFUSED_ONCE, Event.AA_REJECTED, timedelta(milliseconds=1)),
        (Persona.CONSENT_SLOW, Event.AA_ACTIVE, timedelta(minutes=2)),
    ],
)
def test_the_handle_comes_first_and_then_what_the_borrower_decides(
    persona: Persona, first: Event, after: timedelta
) -> None:
    assert told(persona) == [(Event.AA_HANDLE, timedelta(0)), (first, after)]


@pytest.mark.parametrize("persona", Persona)
def test_a_second_consent_and_the_one_for_monitoring_are_given_at_once(persona: Persona) -> None:
    ordinary = told(Persona.STRAIGHT_THROUGH)
    assert told(persona, attempt=2) == told(persona, is_monitoring=True) == ordinary


def test_an_aggregator_that_is_away_makes_no_handle() -> None:
    assert told(Persona.AGGREGATOR_AWAY_ONCE) == [(Event.AA_UNAVAILABLE, timedelta(0))]


@pytest.mark.parametrize("persona", Persona)
def test_each_fact_moves_a_consent_that_was_asked_for(persona: Persona) -> None:
    state = ConsentState.REQUESTED
    for fact in facts_of_consent(persona, attempt=1, is_monitoring=False, now=NOW):
        taken = step(Axis.CONSENT, state, fact.event, Facts())
        assert not isinstance(taken, Refusal)
        assert taken.state is not state
        state = ConsentState(taken.state)
    assert state is not ConsentState.PENDING


def test_a_handle_is_the_same_for_the_same_attempt_and_another_for_each_other() -> None:
    handles = {
        consent_handle(keys, attempt=attempt, is_monitoring=is_monitoring)
        for keys in (("a",), ("a", "b"))
        for attempt in (1, 2)
        for is_monitoring in (False, True)
        for _ in range(2)
    }
    assert len(handles) == 8


def test_one_borrower_has_no_data_though_he_consents() -> None:
    assert [persona for persona in Persona if not gives_data(persona)] == [Persona.NO_DATA]
