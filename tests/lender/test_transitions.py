"""The transition table of a loan: complete, every row used, and the stories that it tells."""

import random
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from types import UnionType

import pytest

from lender_app.loan import (
    AgreementState,
    Axis,
    ConsentState,
    Event,
    Facts,
    IntakeState,
    Milestones,
    OfferChoice,
    OfferState,
    OtpResult,
    State,
)
from lender_app.loan_diagram import loan_diagram
from lender_app.transitions import EDGES, OFFER_NO_LONGER_VALID, Answer, Edge, Refusal, Step, advance, step
from shared.protocol.problems import Problem

HEARD = {(edge.axis, edge.event): [] for edge in EDGES}
for edge in EDGES:
    HEARD[edge.axis, edge.event].append(edge)

PAIRS = [(axis, state, event) for axis, event in HEARD for state in axis.states]

OPEN = Milestones(intake=IntakeState.OPEN, consent=ConsentState.READY)


def any_value(kind: object, chance: random.Random) -> object:
    """One of the values of a fact, with an open intake more often than not."""
    if kind is Milestones:
        found = Milestones(**{axis.label: chance.choice(list(axis.states)) for axis in Axis})
        return found if chance.random() < 0.3 else replace(found, intake=IntakeState.OPEN)
    return chance.choice(list(kind)) if isinstance(kind, type) and issubclass(kind, Enum) else chance.random() < 0.5


def some_facts(number: int) -> Iterator[Facts]:
    """Facts of all kinds, the same in each run."""
    chance = random.Random(417)
    kinds = {fact.name: fact.type for fact in fields(Facts)}
    assert not any(isinstance(kind, str | UnionType) for kind in kinds.values())
    for _ in range(number):
        yield Facts(**{name: any_value(kind, chance) for name, kind in kinds.items()})  # type: ignore[arg-type]


SOME_FACTS = list(some_facts(1_500))


def starts_in(edge: Edge, state: State) -> bool:
    return not edge.sources or state in edge.sources


def test_each_state_has_an_answer_to_each_event_that_its_axis_hears() -> None:
    for axis, state, event in PAIRS:
        last = [edge for edge in HEARD[axis, event] if starts_in(edge, state)][-1]
        assert last.guard is None, (axis.label, state, event)


def test_only_a_message_is_refused_and_every_state_stays_one_of_its_axis() -> None:
    for axis, state, event in PAIRS:
        for facts in SOME_FACTS[:100]:
            taken = step(axis, state, event, facts)
            if isinstance(taken, Refusal):
                assert event.is_message, (axis.label, state, event)
            else:
                assert type(taken.state) is axis.states, (axis.label, state, event)


def test_each_edge_is_taken_by_some_facts() -> None:
    for edge in EDGES:
        ways = ((state, facts) for facts in SOME_FACTS for state in edge.axis.states if starts_in(edge, state))
        assert any(
            step(edge.axis, state, edge.event, replace(facts, milestones=facts.milestones.moved(edge.axis, state))).edge
            is edge
            for state, facts in ways
        ), (edge.name, edge.event)


def test_no_two_edges_have_one_name() -> None:
    assert len({(edge.name, edge.axis, edge.event) for edge in EDGES}) == len(EDGES)


@pytest.mark.parametrize(("mark", "last", "axes"), [("IN", 8, 1), ("CO", 12, 2), ("OF", 18, 1), ("AG", 9, 1)])
def test_each_edge_is_named_by_its_row_and_no_number_is_left_out(mark: str, last: int, axes: int) -> None:
    names = [re.fullmatch(r"([A-Z]{2})(\d*)[a-z]?(\.\d)?", edge.name) for edge in EDGES]
    assert None not in names
    assert {int(name[2]) for name in names if name and name[1] == mark} == set(range(1, last + 1))
    assert len({edge.axis for edge in EDGES if edge.name.startswith(mark)}) == axes


def test_each_state_is_reached_from_the_first_one_of_its_axis() -> None:
    for axis in Axis:
        reached = {next(iter(axis.states))}
        for _ in axis.states:
            reached |= {
                edge.target
                for edge in EDGES
                if edge.axis is axis and edge.target is not None and any(starts_in(edge, state) for state in reached)
            }
        # NOT_NEEDED is where a product begins that needs no consent; a one-time consent is never suspended.
        left = set(axis.states) - reached - {ConsentState.NOT_NEEDED}
        assert left == ({ConsentState.SUSPENDED} if axis is Axis.CONSENT else set())


def test_what_an_edge_emits_is_heard_by_another_axis() -> None:
    for edge in EDGES:
        assert edge.emits is None or any(event is edge.emits for _, event in HEARD)


def test_an_edge_has_a_code_where_its_sender_is_told_one() -> None:
    for edge in EDGES:
        assert bool(edge.code) is (edge.answer in (Answer.REFUSED, Answer.ERROR)), edge.name
        assert isinstance(edge.code, Problem) or edge.code in ("", OFFER_NO_LONGER_VALID)


def test_an_event_that_an_axis_does_not_hear_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        step(Axis.INTAKE, IntakeState.OPEN, Event.SET_OFFER, Facts())


def test_what_comes_too_late_or_too_early_is_noted_where_it_is_no_message() -> None:
    taken = step(Axis.OFFER, OfferState.ACCEPTED, Event.OFFER_VALIDITY_OVER, Facts())
    assert isinstance(taken, Step)
    assert (taken.edge.name, taken.edge.answer, taken.state) == ("ZZ", Answer.NOTED, OfferState.ACCEPTED)


def test_the_diagram_in_the_docs_is_drawn_from_this_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "loan-states.md"
    assert page.read_text("utf-8") == loan_diagram(), "python -m lender_app.loan_diagram > docs/loan-states.md"


STRAIGHT_THROUGH = [
    (Axis.INTAKE, Event.CREATE_LOAN_APPLICATIONS),
    (Axis.CONSENT, Event.CONSENT_HANDLE),
    (Axis.CONSENT, Event.AA_HANDLE),
    (Axis.CONSENT, Event.AA_ACTIVE),
    (Axis.OFFER, Event.GENERATE_OFFERS),
    (Axis.OFFER, Event.UNDERWRITING_OFFERS),
    (Axis.OFFER, Event.SET_OFFER),
    (Axis.AGREEMENT, Event.TRIGGER_LOAN_ACCEPTANCE),
    (Axis.AGREEMENT, Event.VERIFY_LOAN_ACCEPTANCE),
]
ALL_WELL = Facts(
    policy_passes=True,
    invoice_is_free=True,
    one_borrower=True,
    consent_round_left=True,
    offer_round_left=True,
    chosen_offer=OfferChoice.VALID,
    text_in_offer=True,
    kyc_done=True,
    otp_left=True,
    otp=OtpResult.RIGHT,
)


def run(events: list[tuple[Axis, Event]], facts: Facts) -> tuple[Milestones, list[str]]:
    """The milestones after these events, and the names of the edges that were taken."""
    names: list[str] = []
    for axis, event in events:
        outcome = advance(axis, event, facts)
        assert not isinstance(outcome, Refusal), outcome
        milestones, steps = outcome
        facts = replace(facts, milestones=milestones)
        names += [taken.edge.name for taken in steps]
    return facts.milestones, names


def test_a_loan_goes_straight_through_to_its_agreement() -> None:
    milestones, names = run(STRAIGHT_THROUGH, ALL_WELL)

    assert names == ["IN1.2", "CO1", "CO3", "CO5", "OF2", "OF6", "OF15.1", "AG1.1", "AG4", "AG6.1"]
    assert milestones == Milestones(
        intake=IntakeState.OPEN,
        consent=ConsentState.READY,
        offer=OfferState.ACCEPTED,
        agreement=AgreementState.COMPLETED,
    )


def test_an_offer_chosen_after_another_makes_the_agreement_begin_again() -> None:
    milestones, names = run([*STRAIGHT_THROUGH[:-1], (Axis.OFFER, Event.SET_OFFER)], ALL_WELL)

    assert names[-2:] == ["OF17.2", "AG1.1"]
    assert milestones.agreement is AgreementState.READY


def test_an_application_that_is_cancelled_ends_what_is_under_way_on_all_axes() -> None:
    before = replace(
        OPEN,
        monitoring=ConsentState.REQUESTED,
        offer=OfferState.UNDERWRITING,
        agreement=AgreementState.OTP_SENT,
    )
    milestones, names = run([(Axis.INTAKE, Event.APPLICATION_LIFE_OVER)], replace(ALL_WELL, milestones=before))

    assert names == ["IN7.1", "ZZ", "CO4e", "OF11", "AG8"]
    assert milestones == Milestones(
        intake=IntakeState.CANCELLED,
        consent=ConsentState.READY,
        offer=OfferState.NONE,
        agreement=AgreementState.READY,
    )


def test_an_application_is_not_cancelled_once_money_has_moved() -> None:
    facts = Facts(milestones=OPEN, money_has_moved=True)
    outcome = advance(Axis.INTAKE, Event.OPERATOR_CANCELS, facts)
    assert not isinstance(outcome, Refusal)
    assert (outcome[0], outcome[1][0].edge.answer) == (OPEN, Answer.NOTED)


@pytest.mark.parametrize(
    ("offer", "agreement", "choice", "expected"),
    [
        (OfferState.OFFERED, AgreementState.NONE, OfferChoice.NEVER_MADE, Problem.UNKNOWN_REFERENCE),
        (OfferState.NONE, AgreementState.NONE, OfferChoice.VALID, Problem.NOT_ALLOWED_NOW),
        (OfferState.ACCEPTED, AgreementState.COMPLETED, OfferChoice.VALID, Problem.NOT_ALLOWED_NOW),
        (OfferState.ACCEPTED, AgreementState.READY, OfferChoice.OF_EARLIER_ROUND, Problem.NOT_ALLOWED_NOW),
        (OfferState.ACCEPTED, AgreementState.READY, OfferChoice.RUN_OUT, OFFER_NO_LONGER_VALID),
        (OfferState.EXPIRED, AgreementState.NONE, OfferChoice.RUN_OUT, OFFER_NO_LONGER_VALID),
        (OfferState.OFFERED, AgreementState.NONE, OfferChoice.OF_EARLIER_ROUND, OFFER_NO_LONGER_VALID),
    ],
)
def test_an_offer_that_cannot_be_accepted_is_refused_or_answered_with_an_error_and_nothing_changes(
    offer: OfferState, agreement: AgreementState, choice: OfferChoice, expected: Problem | str
) -> None:
    facts = replace(ALL_WELL, milestones=replace(OPEN, offer=offer, agreement=agreement), chosen_offer=choice)
    outcome = advance(Axis.OFFER, Event.SET_OFFER, facts)
    if isinstance(expected, Problem):
        assert isinstance(outcome, Refusal)
        assert outcome.problem is expected
    else:
        assert not isinstance(outcome, Refusal)
        assert outcome[0] == facts.milestones
        assert (outcome[1][0].edge.answer, outcome[1][0].edge.code) == (Answer.ERROR, expected)


def test_an_offer_whose_invoice_is_taken_meanwhile_expires() -> None:
    facts = replace(ALL_WELL, milestones=replace(OPEN, offer=OfferState.OFFERED), invoice_is_free=False)
    milestones, names = run([(Axis.OFFER, Event.SET_OFFER)], facts)
    assert (names, milestones.offer) == (["OF15.2"], OfferState.EXPIRED)


def test_without_a_round_left_an_expired_offer_ends_the_application() -> None:
    facts = Facts(milestones=replace(OPEN, offer=OfferState.OFFERED))
    milestones, names = run([(Axis.OFFER, Event.OFFER_VALIDITY_OVER)], facts)
    assert names[0] == "OF12.2"
    assert milestones.offer is OfferState.REJECTED
    assert not milestones.is_alive


def test_another_application_under_a_known_id_is_refused_and_the_same_one_is_answered_again() -> None:
    known = Facts(milestones=OPEN, policy_passes=True, invoice_is_free=True)
    refused = advance(Axis.INTAKE, Event.CREATE_LOAN_APPLICATIONS, known)
    assert isinstance(refused, Refusal)
    assert (refused.problem, refused.problem.code) == (Problem.OTHER_CONTENT, "GEN5017")
    assert run([(Axis.INTAKE, Event.CREATE_LOAN_APPLICATIONS)], replace(known, same_content=True)) == (OPEN, ["IN3.1"])
