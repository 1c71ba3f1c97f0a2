"""Guessing an OTP in OCEN v3: the answer names no application, but it counts for those of its session, all of them."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from lender_app.otp_session import digest
from lender_app.policy import AcceptancePolicy
from shared.node.receive.verify import Refused
from shared.node.tables import OUTBOX, RECORDS
from shared.protocol.encoding import format_timestamp
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from tests.equipment.messages import TRIGGER, VERIFY, verified
from tests.equipment.parties import LSP, lsp, payload_of
from tests.equipment.storage import contents, rows
from tests.equipment.v4_messages import TRIGGER_V4, VERIFY_V4
from tests.journeys.test_loan_application_journey import Lender, NotTakenError, bank

__all__ = ["bank"]

POLICY = AcceptancePolicy()
SESSIONS = POLICY.wrong_otps // POLICY.tries
TOO_MANY = "too many wrong OTPs for it; take it up with the lender"


class Guesser:
    """An LSP that speaks v3 to the lender."""

    def __init__(self, bank: Lender, sender: str = LSP) -> None:
        self.bank = bank
        self.sender = sender
        self._count = 0

    async def open(self, *loan_application_ids: str) -> tuple[str, str]:
        """Open a session; return its key and its OTP."""
        data = await self._ask(TRIGGER.name, loanApplicationIds=loan_application_ids)
        return data["otpSessionKey"], self.bank.otp()

    async def verify(self, session_key: str, otp: str) -> str:
        """Hand in an OTP; return the verdict."""
        block = {"type": "OTP", "data": {"otpSessionKey": session_key, "otp": otp}}
        status: str = (await self._ask(VERIFY.name, credBlock=block))["status"]
        return status

    async def guess(self, sessions: int, *loan_application_ids: str) -> None:
        """Use up so many sessions with wrong OTPs."""
        for _ in range(sessions):
            key, otp = await self.open(*loan_application_ids)
            verdicts = [await self.verify(key, wrong(otp)) for _ in range(POLICY.tries)]
            assert verdicts == ["INCORRECT_OTP"] * POLICY.tries

    async def refuse(self, *loan_application_ids: str) -> Refused:
        """Ask for a session that is refused and changes nothing."""
        before = contents(self.bank.node.engine)
        with pytest.raises(NotTakenError) as refusal:
            await self.open(*loan_application_ids)
        assert contents(self.bank.node.engine) == before
        return refusal.value.refused

    async def _ask(self, name: str, **content: Any) -> dict[str, Any]:
        self._count += 1
        request_id = f"{self.sender}-{self._count}"
        await self.bank.take(self._message(name, request_id, content))
        (row,) = [row for row in rows(self.bank.node.engine, OUTBOX) if row["request_id"] == request_id]
        data: dict[str, Any] = json.loads(row["content"])["credBlock"]["data"]
        return data

    def _message(self, name: str, request_id: str, content: dict[str, Any]) -> VerifiedMessage:
        now = self.bank.clock.now()
        payload = payload_of(name, request_id, traceId=request_id, timestamp=format_timestamp(now))
        message = verified({**payload, **content}, name, now)
        nonce = replace(message.nonce, sender=self.sender)
        return replace(message, sender=lsp(id=self.sender), nonce=nonce)


@pytest.fixture
def guesser(bank: Lender) -> Guesser:
    return Guesser(bank)


def wrong(otp: str) -> str:
    return "000000" if otp != "000000" else "000001"


def records(guesser: Guesser) -> Sequence[dict[str, Any]]:
    return rows(guesser.bank.node.engine, RECORDS)


@pytest.mark.parametrize("wanted", [["APPL-1"], ["APPL-2", "APPL-1"]])
async def test_after_too_many_wrong_otps_no_session_is_opened_for_the_application(
    guesser: Guesser, wanted: list[str]
) -> None:
    await guesser.guess(SESSIONS, "APPL-1")
    refusal = await guesser.refuse(*wanted)
    assert (refusal.problem, refusal.reason) == (Problem.NOT_ALLOWED_NOW, TOO_MANY)


async def test_sessions_that_were_opened_before_answer_the_right_otp_like_a_wrong_one(guesser: Guesser) -> None:
    key, otp = await guesser.open("APPL-1")
    await guesser.guess(SESSIONS, "APPL-1")
    before = records(guesser)
    assert [await guesser.verify(key, one) for one in (otp, wrong(otp), otp)] == ["INVALID_SESSION"] * 3
    assert records(guesser) == before


async def test_a_wrong_otp_less_and_the_right_one_counts(guesser: Guesser) -> None:
    key, otp = await guesser.open("APPL-1")
    await guesser.guess(SESSIONS - 1, "APPL-1")
    other, _ = await guesser.open("APPL-1")
    for _ in range(POLICY.tries - 1):
        await guesser.verify(other, wrong(otp))
    assert await guesser.verify(key, otp) == "SUCCESS"


async def test_other_company_for_an_application_is_no_new_chance(guesser: Guesser) -> None:
    for number in range(SESSIONS):
        await guesser.guess(1, f"company-{number}", "APPL-1", "APPL-1")
    await guesser.refuse("APPL-1")
    await guesser.refuse("new-company", "APPL-1")
    key, otp = await guesser.open("company-1")
    assert await guesser.verify(key, otp) == "SUCCESS"


async def test_another_sender_is_not_held_up(guesser: Guesser) -> None:
    await guesser.guess(SESSIONS, "APPL-1")
    other = Guesser(guesser.bank, "LSP999")
    key, otp = await other.open("APPL-1")
    assert await guesser.verify(key, wrong(otp)) == "INVALID_SESSION"
    assert await other.verify(key, otp) == "SUCCESS"


async def test_a_day_after_the_last_wrong_otp_they_are_forgotten(guesser: Guesser) -> None:
    await guesser.guess(SESSIONS, "APPL-1")
    guesser.bank.clock.advance(POLICY.wrong_otps_memory.total_seconds() - 0.001)
    await guesser.refuse("APPL-1")
    guesser.bank.clock.advance(0.001)
    key, otp = await guesser.open("APPL-1")
    assert await guesser.verify(key, otp) == "SUCCESS"


async def test_wrong_otps_in_many_sessions_at_the_same_moment_are_all_counted(guesser: Guesser) -> None:
    opened = [await guesser.open("APPL-1") for _ in range(POLICY.wrong_otps + 5)]
    verdicts = await asyncio.gather(*(guesser.verify(key, wrong(otp)) for key, otp in opened))
    assert sorted(verdicts) == ["INCORRECT_OTP"] * POLICY.wrong_otps + ["INVALID_SESSION"] * 5
    await guesser.refuse("APPL-1")


async def test_who_is_the_same_sender_in_both_versions_has_one_count(guesser: Guesser) -> None:
    bank = guesser.bank
    key, otp = await guesser.open("APPL-1", "APPL-2")
    block = {"data": {"otpSessionKey": key, "otp": wrong(otp)}}
    for _ in range(POLICY.tries):
        await bank.ask(VERIFY_V4, LSP, loanApplicationId="APPL-1", credBlock=block)
    await guesser.guess(SESSIONS - 1, "APPL-2")
    await guesser.refuse("APPL-2")
    refusal = await bank.refuse(TRIGGER_V4, LSP, loanApplicationId="APPL-2")
    assert (refusal.problem, refusal.reason) == (Problem.NOT_ALLOWED_NOW, TOO_MANY)
    assert await guesser.open("APPL-1")


async def test_a_session_of_a_database_from_before_the_count_is_judged_and_counted(
    guesser: Guesser, tmp_path: Path
) -> None:
    secret = (tmp_path / "otp-secret").read_bytes()
    state = {
        "loanApplicationIds": ["APPL-1"],
        "otpDigest": digest("of-long-ago", "042042", secret),
        "triesLeft": 3,
        "state": "OPEN",
    }
    row = {
        "id": "of-long-ago",
        "participant": LSP,
        "kind": "otp-session",
        "state": json.dumps(state),
        "expires_at": guesser.bank.clock.now() + POLICY.otp_validity,
    }
    with guesser.bank.node.engine.begin() as connection:
        connection.execute(insert(RECORDS), [row])
    assert await guesser.verify("of-long-ago", "000000") == "INCORRECT_OTP"
    assert [json.loads(one["state"]) for one in records(guesser) if one["kind"] == "wrong-otps"] == [{"count": 1}]
    assert await guesser.verify("of-long-ago", "042042") == "SUCCESS"
