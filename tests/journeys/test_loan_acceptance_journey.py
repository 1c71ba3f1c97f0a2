"""Loan acceptance from end to end: the LSP asks, the lender sends an OTP, the borrower enters it, the lender judges."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.node.tables import ATTEMPTS, INBOX, NOTICES, OUTBOX, RECORDS, REFUSALS
from shared.protocol.encoding import dump_json
from shared.protocol.envelope import seal
from shared.protocol.participants import PublicKey
from shared.protocol.problems import Problem
from shared.transport.tls import thumbprint
from tests.equipment.asgi import call
from tests.equipment.messages import TRIGGER, VERIFY
from tests.equipment.pair import Pair, memory_pair
from tests.equipment.parties import (
    STRANGER_CERTIFICATE,
    lsp,
    payload_of,
    stranger_key,
)
from tests.equipment.storage import contents, rows

CONTENT = {"loanApplicationIds": ["APPL-1"], "credBlock": {"type": "OTP", "data": {"appToken": "token"}}}


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with memory_pair(tmp_path) as pair:
        yield pair
        assert pair.lsp.telemetry.troubles == pair.lender.telemetry.troubles == []


def states(pair: Pair) -> list[tuple[str, str]]:
    """What both have sent, and how far it has come."""
    sent = [*rows(pair.lsp.engine, OUTBOX), *rows(pair.lender.engine, OUTBOX)]
    return [(row["message"], row["state"]) for row in sent]


async def test_the_borrower_accepts_with_the_otp_from_the_sms(pair: Pair) -> None:
    session = await pair.trigger("APPL-1", "APPL-2")
    (notice,) = pair.notices()
    assert session == {"otpSessionKey": session["otpSessionKey"], "maskedPhoneNumber": notice["recipient"]}
    assert await pair.verify(session["otpSessionKey"], pair.otp()) == "SUCCESS"
    assert states(pair) == [
        ("TriggerLoanAcceptanceRequest", "DELIVERED"),
        ("VerifyLoanAcceptanceRequest", "DELIVERED"),
        ("TriggerLoanAcceptanceResponse", "DELIVERED"),
        ("VerifyLoanAcceptanceResponse", "DELIVERED"),
    ]
    assert rows(pair.lsp.engine, REFUSALS) == rows(pair.lender.engine, REFUSALS) == []


async def test_each_side_keeps_the_others_signed_original_and_its_signed_ack(pair: Pair) -> None:
    await pair.trigger()
    for sender, receiver in ((pair.lsp, pair.lender), (pair.lender, pair.lsp)):
        (tried,), (received,) = rows(sender.engine, ATTEMPTS), rows(receiver.engine, INBOX)
        assert (tried["sent"], tried["answer"]) == (received["raw"], received["ack"])
        assert tried["trace_id"] == received["trace_id"]


async def test_an_otp_is_stored_in_the_clear_in_the_sms_alone(pair: Pair) -> None:
    await pair.trigger()
    otp = pair.otp()
    for engine in (pair.lender.engine, pair.lsp.engine):
        stored = contents(engine, [NOTICES])
        texts = [value for table in stored.values() for row in table for value in row.values()]
        assert not any(isinstance(text, str) and f'"{otp}"' in text for text in texts)
    (journey,) = rows(pair.lender.engine, RECORDS)
    assert otp not in journey["state"]


async def test_three_wrong_otps_lock_the_session(pair: Pair) -> None:
    key = (await pair.trigger())["otpSessionKey"]
    wrong = f"{(int(pair.otp()) + 1) % 10**6:06d}"
    assert [await pair.verify(key, wrong) for _ in range(3)] == ["INCORRECT_OTP"] * 3
    assert [await pair.verify(key, otp) for otp in (pair.otp(), wrong)] == ["INVALID_SESSION"] * 2


async def test_after_two_wrong_otps_the_right_one_succeeds_and_only_once(pair: Pair) -> None:
    key, otp = (await pair.trigger())["otpSessionKey"], pair.otp()
    wrong = f"{(int(otp) + 1) % 10**6:06d}"
    verdicts = [await pair.verify(key, one) for one in (wrong, wrong, otp, otp)]
    assert verdicts == ["INCORRECT_OTP", "INCORRECT_OTP", "SUCCESS", "INVALID_SESSION"]


@pytest.mark.parametrize(("seconds", "verdict"), [(299.999, "SUCCESS"), (300, "INVALID_SESSION")])
async def test_an_otp_expires_after_five_minutes(pair: Pair, seconds: float, verdict: str) -> None:
    key = (await pair.trigger())["otpSessionKey"]
    pair.clock.advance(seconds)
    assert await pair.verify(key, pair.otp()) == verdict


async def test_a_session_that_does_not_exist_is_invalid(pair: Pair) -> None:
    await pair.trigger()
    assert await pair.verify("no-such-session", pair.otp()) == "INVALID_SESSION"


async def test_each_trigger_has_a_session_and_an_otp_of_its_own(pair: Pair) -> None:
    first, otp = (await pair.trigger())["otpSessionKey"], pair.otp()
    second = (await pair.trigger())["otpSessionKey"]
    assert first != second
    assert len(pair.notices()) == 2
    assert await pair.verify(first, otp) == "SUCCESS"


async def test_the_session_of_one_lsp_is_invalid_for_another_and_loses_no_try(pair: Pair) -> None:
    key, otp = (await pair.trigger())["otpSessionKey"], pair.otp()
    other = lsp(
        id="LSP999",
        base_url="https://lsp999.example",
        certificates=frozenset({thumbprint(STRANGER_CERTIFICATE)}),
        keys=(PublicKey(stranger_key().kid, stranger_key().public()),),
    )
    pair.lender.directory.replace([lsp(), other])
    data = {"otpSessionKey": key, "otp": otp}
    document = payload_of(VERIFY.name, orgId="LSP999") | {"credBlock": {"type": "OTP", "data": data}}
    before = rows(pair.lender.engine, RECORDS)
    body = seal(dump_json(document), stranger_key()).to_bytes()
    assert (await call(pair.lender_plane, VERIFY.path, body, certificate=STRANGER_CERTIFICATE)).status == 200
    await pair.settle()
    (sent,) = [row for row in rows(pair.lender.engine, OUTBOX) if row["receiver"] == "LSP999"]
    assert '"status":"INVALID_SESSION"' in sent["content"]
    assert rows(pair.lender.engine, RECORDS) == before
    assert await pair.verify(key, otp) == "SUCCESS"


@pytest.mark.parametrize(
    ("loan_application_id", "problem"),
    [
        ("UNKNOWN-1", Problem.UNKNOWN_REFERENCE),
        ("FOREIGN-1", Problem.UNKNOWN_REFERENCE),
        ("NOTACCEPTED-1", Problem.NOT_ALLOWED_NOW),
    ],
)
async def test_applications_that_cannot_be_accepted_are_refused_for_good(
    pair: Pair, loan_application_id: str, problem: Problem
) -> None:
    before = contents(pair.lender.engine, [REFUSALS])
    await pair.send(TRIGGER.name, {**CONTENT, "loanApplicationIds": ["APPL-1", loan_application_id]})
    (sent,) = rows(pair.lsp.engine, OUTBOX)
    assert (sent["state"], sent["tries"]) == ("REFUSED", 1)
    assert sent["result"].startswith(f"refused with {problem.code}: ")
    assert contents(pair.lender.engine, [REFUSALS]) == before
