"""Guessing the OTP of an application: its wrong answers count over all sessions, so that new ones are no new chance."""

import pytest

from lender_app.policy import AcceptancePolicy
from shared.protocol.problems import Problem
from tests.equipment.v4_messages import TRIGGER_V4, VERIFY_V4
from tests.journeys.test_loan_application_journey import OTHER_AGENT, Lender, bank

__all__ = ["bank"]

POLICY = AcceptancePolicy()
SESSIONS = POLICY.wrong_otps // POLICY.tries


async def session(bank: Lender, loan_application_id: str = "APPL-1") -> tuple[str, str]:
    """Open a session; return its key and its OTP."""
    answer = await bank.trigger(loan_application_id)
    return answer["credBlock"]["data"]["otpSessionKey"], bank.otp()


async def guess(bank: Lender, sessions: int, loan_application_id: str = "APPL-1") -> None:
    """Use up so many sessions with wrong OTPs."""
    for _ in range(sessions):
        key, otp = await session(bank, loan_application_id)
        wrong = "000000" if otp != "000000" else "000001"
        verdicts = [await bank.verify(key, wrong, loan_application_id) for _ in range(POLICY.tries)]
        assert [verdict for verdict, _ in verdicts] == ["INCORRECT_OTP"] * POLICY.tries


@pytest.mark.parametrize("loan_application_id", ["APPL-1", "nobody-has-created-it"])
async def test_after_too_many_wrong_otps_no_session_is_opened_for_the_application(
    bank: Lender, loan_application_id: str
) -> None:
    await guess(bank, SESSIONS, loan_application_id)
    refusal = await bank.refuse(TRIGGER_V4, loanApplicationId=loan_application_id)
    assert (refusal.problem, refusal.reason) == (
        Problem.NOT_ALLOWED_NOW,
        "too many wrong OTPs for it; take it up with the lender",
    )


async def test_sessions_that_were_opened_before_do_not_count_any_more_not_even_with_the_right_otp(bank: Lender) -> None:
    key, otp = await session(bank)
    await guess(bank, SESSIONS)
    assert (await bank.verify(key, otp))[0] == "INVALID_SESSION"


async def test_a_wrong_otp_less_and_the_right_one_counts(bank: Lender) -> None:
    await guess(bank, SESSIONS - 1)
    key, otp = await session(bank)
    assert await bank.verify(key, otp) == ("SUCCESS", "LOAN_AGREEMENT_COMPLETED")


async def test_neither_another_application_nor_another_sender_is_held_up(bank: Lender) -> None:
    await guess(bank, SESSIONS)
    key, otp = await session(bank, "APPL-2")
    assert (await bank.verify(key, otp, "APPL-2"))[0] == "SUCCESS"
    assert "credBlock" in await bank.trigger(sender=OTHER_AGENT)


async def test_a_day_after_the_last_wrong_otp_they_are_forgotten(bank: Lender) -> None:
    await guess(bank, SESSIONS)
    bank.clock.advance(POLICY.wrong_otps_memory.total_seconds())
    key, otp = await session(bank)
    assert (await bank.verify(key, otp))[0] == "SUCCESS"


async def test_a_session_cannot_be_answered_in_the_name_of_another_application(bank: Lender) -> None:
    key, otp = await session(bank)
    answer = await bank.ask(
        VERIFY_V4, loanApplicationId="APPL-2", credBlock={"data": {"otpSessionKey": key, "otp": otp}}
    )
    assert answer["credBlock"]["data"]["status"] == "INVALID_SESSION"
    assert (await bank.verify(key, otp))[0] == "SUCCESS"
