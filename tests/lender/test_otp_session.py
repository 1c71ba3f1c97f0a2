"""The lender's rules of loan acceptance, as pure functions."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lender_app.app import draw_otp
from lender_app.otp_session import (
    AcceptanceSession,
    OtpOutcome,
    SessionState,
    answer_session,
    digest,
    masked_phone_number,
    open_session,
    sms_text,
    worst_acceptance_state,
)
from lender_app.policy import AcceptancePolicy, AcceptanceState, simulated_acceptance_state
from shared.catalogue.bodies.otp import OtpStatus
from tests.equipment.clock import NOW

SECRET = b"a secret of thirty-two bytes ....."
POLICY = AcceptancePolicy()
RIGHT, WRONG = "042042", "042043"

otps = st.from_regex(r"[0-9]{4,8}", fullmatch=True)


def session(**changes: Any) -> AcceptanceSession:
    opened = open_session(
        key="session-1",
        sender="LSP123",
        loan_application_ids=["APPL-1"],
        otp=RIGHT,
        secret=SECRET,
        policy=POLICY,
        now=NOW,
    )
    return replace(opened, **changes)


def answer(
    to: AcceptanceSession | None, otp: str = RIGHT, sender: str = "LSP123", secret: bytes = SECRET
) -> tuple[OtpOutcome, AcceptanceSession | None]:
    return answer_session(to, sender=sender, otp=otp, secret=secret)


def test_a_session_is_open_for_the_sender_until_the_policy_ends_it() -> None:
    opened = session()
    assert (opened.state, opened.sender, opened.tries_left) == (SessionState.OPEN, "LSP123", 3)
    assert opened.expires_at == NOW + timedelta(minutes=5)
    assert opened.loan_application_ids == ("APPL-1",)


def test_a_session_does_not_hold_its_otp() -> None:
    assert RIGHT not in repr(session())


def test_the_right_otp_succeeds_once() -> None:
    verdict, after = answer(session())
    assert verdict is OtpOutcome.SUCCESS
    assert after == session(state=SessionState.VERIFIED)
    assert answer(after) == (OtpOutcome.INVALID_SESSION, None)
    assert answer(after, WRONG) == (OtpOutcome.INVALID_SESSION, None)


def test_three_wrong_otps_lock_the_session_for_the_right_one_too() -> None:
    current: AcceptanceSession | None = session()
    for left in (2, 1, 0):
        verdict, current = answer(current, WRONG)
        assert verdict is OtpOutcome.INCORRECT_OTP
        assert current is not None
        assert current.tries_left == left
    assert current == session(tries_left=0, state=SessionState.LOCKED)
    assert answer(current) == (OtpOutcome.INVALID_SESSION, None)


def test_after_a_wrong_otp_the_right_one_still_succeeds() -> None:
    _, once = answer(session(), WRONG)
    _, twice = answer(once, WRONG)
    assert answer(twice)[0] is OtpOutcome.SUCCESS


@pytest.mark.parametrize("otp", [RIGHT, WRONG])
def test_a_foreign_sender_learns_nothing_and_uses_up_no_try(otp: str) -> None:
    assert answer(session(), otp, sender="LSP999") == (OtpOutcome.INVALID_SESSION, None)
    assert answer(None, otp) == (OtpOutcome.INVALID_SESSION, None)


@given(otps)
def test_no_other_otp_succeeds(otp: str) -> None:
    verdict, after = answer(session(), otp)
    assert (verdict is OtpOutcome.SUCCESS) == (otp == RIGHT)
    assert after is not None


@given(st.lists(otps, max_size=6))
def test_a_session_never_takes_more_answers_than_its_tries(answers: list[str]) -> None:
    current: AcceptanceSession | None = session()
    judged = 0
    for otp in answers:
        verdict, after = answer(current, otp)
        judged += verdict is not OtpOutcome.INVALID_SESSION
        current = after or current
    assert judged <= POLICY.tries


def test_a_digest_depends_on_session_otp_and_secret() -> None:
    digests = {
        digest("session-1", RIGHT, SECRET),
        digest("session-2", RIGHT, SECRET),
        digest("session-1", WRONG, SECRET),
        digest("session-1", RIGHT, SECRET[::-1]),
    }
    assert len(digests) == 4


def test_outcomes_are_those_of_the_catalogue() -> None:
    assert {outcome.value for outcome in OtpOutcome} == {status.value for status in OtpStatus}


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["APPL-1"], AcceptanceState.ACCEPTED),
        (["APPL-1", "NOTACCEPTED-1"], AcceptanceState.NOT_ACCEPTED),
        (["NOTACCEPTED-1", "UNKNOWN-1"], AcceptanceState.UNKNOWN),
        (["FOREIGN-1", "APPL-1"], AcceptanceState.UNKNOWN),
    ],
)
def test_the_least_of_the_applications_decides(ids: list[str], expected: AcceptanceState) -> None:
    assert worst_acceptance_state(ids, {}) is worst_acceptance_state(ids[::-1], {}) is expected


def test_an_application_of_somebody_else_looks_like_one_that_nobody_has() -> None:
    assert simulated_acceptance_state("FOREIGN-1") is simulated_acceptance_state("UNKNOWN-1")
    assert simulated_acceptance_state("unknown-1") is AcceptanceState.ACCEPTED


@given(st.text(max_size=64))
def test_a_phone_number_shows_its_last_three_digits_alone(loan_application_id: str) -> None:
    masked = masked_phone_number(loan_application_id)
    assert masked[:7] == "XXXXXXX"
    assert masked[7:].isdecimal()
    assert len(masked) == 10


def test_the_sms_tells_the_otp_and_how_long_it_is_valid() -> None:
    assert sms_text(RIGHT, timedelta(minutes=5)) == (
        "042042 is your OTP to accept the loan. It is valid for 5 minutes. Do not share it."
    )


def test_an_otp_has_six_digits_and_is_drawn_anew() -> None:
    drawn = [draw_otp() for _ in range(200)]
    assert all(len(otp) == 6 and otp.isdecimal() for otp in drawn)
    assert len(set(drawn)) > 190
