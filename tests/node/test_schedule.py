"""When a delivery is tried again, and when it is given up."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.node.rules import Outgoing
from shared.node.send.client import LONGEST_RETRY_AFTER
from shared.node.send.outbox import AttemptOutcome, DeliveryAttempt, OutboxEntry, OutboxState
from shared.node.send.schedule import RetrySchedule
from tests.equipment.clock import NOW
from tests.equipment.messages import TRIGGER

SCHEDULE = RetrySchedule()

jitters = st.floats(0, 1, exclude_max=True)
waits = st.one_of(st.none(), st.floats(-1e9, LONGEST_RETRY_AFTER))


def attempt(
    outcome: AttemptOutcome = AttemptOutcome.FAILED, tries: int = 0, retry_after: float | None = None
) -> DeliveryAttempt:
    entry = OutboxEntry("entry-1", Outgoing("LENDER01", TRIGGER, "request-1", {}), NOW, tries)
    return DeliveryAttempt(entry, NOW, 1.0, "trace-1", "kid-1", outcome, "reason", retry_after=retry_after)


@given(st.integers(0, 1000), jitters, waits)
def test_an_accepted_message_is_delivered_whatever_happened_before(
    tries: int, jitter: float, retry_after: float | None
) -> None:
    accepted = attempt(AttemptOutcome.ACCEPTED, tries, retry_after)
    assert SCHEDULE.next_attempt(accepted, NOW, jitter) == (OutboxState.DELIVERED, NOW)


@given(st.integers(0, 1000), jitters, waits)
def test_a_refusal_is_final(tries: int, jitter: float, retry_after: float | None) -> None:
    refused = attempt(AttemptOutcome.REFUSED, tries, retry_after)
    assert SCHEDULE.next_attempt(refused, NOW, jitter) == (OutboxState.REFUSED, NOW)


@given(st.integers(0, 6), jitters)
def test_a_pause_is_between_half_and_all_of_a_step_that_doubles(tries: int, jitter: float) -> None:
    state, due_at = SCHEDULE.next_attempt(attempt(tries=tries), NOW, jitter)
    step = timedelta(seconds=2**tries)
    assert state is OutboxState.WAITING
    assert step / 2 <= due_at - NOW <= step


def test_no_pause_is_longer_than_the_longest() -> None:
    schedule = RetrySchedule(attempts=1000, budget=timedelta(days=1))
    for tries in (9, 20, 31, 900):
        _, due_at = schedule.next_attempt(attempt(tries=tries), NOW, 0.999999)
        assert timedelta(seconds=299) < due_at - NOW <= timedelta(minutes=5)


@given(st.floats(0, 899), jitters)
def test_what_the_receiver_asks_for_is_respected(retry_after: float, jitter: float) -> None:
    state, due_at = SCHEDULE.next_attempt(attempt(retry_after=retry_after), NOW, jitter)
    assert state is OutboxState.WAITING
    assert due_at - NOW >= timedelta(seconds=retry_after)


@given(st.floats(-1e9, 0), jitters)
def test_a_receiver_cannot_shorten_the_pause(retry_after: float, jitter: float) -> None:
    asked = SCHEDULE.next_attempt(attempt(retry_after=retry_after), NOW, jitter)
    assert asked == SCHEDULE.next_attempt(attempt(), NOW, jitter)


def test_the_last_try_that_is_allowed_ends_the_delivery() -> None:
    state, _ = SCHEDULE.next_attempt(attempt(tries=6), NOW, 0)
    assert state is OutboxState.WAITING
    assert SCHEDULE.next_attempt(attempt(tries=7), NOW, 0) == (OutboxState.DEAD, NOW)


@pytest.mark.parametrize(("age", "state"), [(899.4, OutboxState.WAITING), (899.6, OutboxState.DEAD)])
def test_no_try_begins_after_the_budget(age: float, state: OutboxState) -> None:
    now = NOW + timedelta(seconds=age)
    assert SCHEDULE.next_attempt(attempt(), now, 0)[0] is state


def test_time_before_the_first_try_is_not_taken_from_the_budget() -> None:
    made_long_ago = replace(attempt(), started_at=NOW + timedelta(days=1))
    state, due_at = SCHEDULE.next_attempt(made_long_ago, made_long_ago.started_at, 0)
    assert state is OutboxState.WAITING
    assert due_at > made_long_ago.started_at


def test_a_receiver_that_asks_for_more_than_the_budget_ends_the_delivery() -> None:
    state, due_at = SCHEDULE.next_attempt(attempt(retry_after=LONGEST_RETRY_AFTER), NOW, 0)
    assert (state, due_at) == (OutboxState.DEAD, NOW)


@given(st.integers(0, 10_000), st.timedeltas(timedelta(0), timedelta(days=3650)), jitters, waits)
def test_every_failure_leads_to_a_due_time_ahead_or_to_the_end(
    tries: int, age: timedelta, jitter: float, retry_after: float | None
) -> None:
    now = NOW + age
    state, due_at = SCHEDULE.next_attempt(attempt(tries=tries, retry_after=retry_after), now, jitter)
    if state is OutboxState.WAITING:
        assert now < due_at <= NOW + SCHEDULE.budget
        assert tries + 1 < SCHEDULE.attempts
    else:
        assert (state, due_at) == (OutboxState.DEAD, now)


@given(st.lists(jitters, min_size=8, max_size=8))
def test_a_dead_receiver_is_tried_eight_times_within_the_budget(draws: list[float]) -> None:
    now, tries = NOW, 0
    for jitter in draws:
        state, due_at = SCHEDULE.next_attempt(attempt(tries=tries), now, jitter)
        now, tries = due_at, tries + 1
        if state is OutboxState.DEAD:
            break
    assert tries == 8
    assert now - NOW <= SCHEDULE.budget
