"""Loan acceptance when things go wrong on the way: repeated, overtaken, lost, forged and captured messages."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.node.send.outbox import AttemptOutcome
from shared.node.tables import ATTEMPTS, INBOX, NONCES, NOTICES, OUTBOX, RECORDS, REFUSALS
from shared.protocol.encoding import dump_json
from shared.protocol.envelope import seal
from shared.protocol.participants import PublicKey
from shared.protocol.problems import Problem
from shared.transport.tls import thumbprint
from tests.equipment.asgi import call
from tests.equipment.envelopes import payload_inside
from tests.equipment.messages import CALLBACK, TRIGGER, VERIFY
from tests.equipment.pair import Pair, Way, memory_pair
from tests.equipment.parties import (
    LENDER,
    LENDER_CERTIFICATE,
    STRANGER_CERTIFICATE,
    lender,
    lender_key,
    lsp_key,
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


async def callback(
    pair: Pair, document: dict[str, Any], *, key: Any = None, certificate: bytes = LENDER_CERTIFICATE
) -> dict[str, Any]:
    """Send the LSP a callback from outside of any journey; return its ack, which belongs to its status."""
    body = seal(dump_json(document), key or lender_key()).to_bytes()
    answer = await call(pair.lsp_plane, CALLBACK.path, body, certificate=certificate)
    ack = answer.ack(lsp_key().public())
    assert answer.status == next((one.status for one in Problem if one.code == ack["error"]), 200)
    return ack


def callback_document(request_id: str, trace_id: str = "trace-of-the-test", **metadata: str) -> dict[str, Any]:
    return payload_of(CALLBACK.name, request_id, traceId=trace_id, **{"orgId": LENDER, **metadata})


@pytest.mark.parametrize("times", [3, 10])
async def test_a_trigger_that_is_repeated_opens_one_session_and_has_one_callback(pair: Pair, times: int) -> None:
    entry = await pair.send(TRIGGER.name, CONTENT)
    for _ in range(times):
        attempt = await pair.deliver_again(entry)
        assert attempt.outcome is AttemptOutcome.ACCEPTED
    await pair.settle()
    assert [len(rows(pair.lender.engine, table)) for table in (INBOX, RECORDS, NOTICES, OUTBOX)] == [1, 1, 1, 1]
    assert len(rows(pair.lender.engine, NONCES)) == times + 1
    assert len(rows(pair.lsp.engine, INBOX)) == 1


async def test_a_trigger_that_is_repeated_in_parallel_opens_one_session_and_has_one_callback(pair: Pair) -> None:
    pair.to_lender.callee, plane = None, pair.to_lender.callee
    entry = await pair.send(TRIGGER.name, CONTENT)
    pair.to_lender.callee = plane
    attempts = await asyncio.gather(*(pair.deliver_again(entry) for _ in range(10)))
    await pair.settle()
    assert {attempt.outcome for attempt in attempts} == {AttemptOutcome.ACCEPTED}
    assert [len(rows(pair.lender.engine, table)) for table in (INBOX, RECORDS, NOTICES, OUTBOX)] == [1, 1, 1, 1]
    assert len(rows(pair.lsp.engine, INBOX)) == 1


async def test_a_verification_that_is_repeated_uses_up_one_try(pair: Pair) -> None:
    key, otp = (await pair.trigger())["otpSessionKey"], pair.otp()
    data = {"otpSessionKey": key, "otp": f"{(int(otp) + 1) % 10**6:06d}"}
    entry = await pair.send(VERIFY.name, {"credBlock": {"type": "OTP", "data": data}})
    await asyncio.gather(*(pair.deliver_again(entry) for _ in range(10)))
    assert '"triesLeft":2' in rows(pair.lender.engine, RECORDS)[0]["state"]
    assert await pair.verify(key, otp) == "SUCCESS"


async def test_three_wrong_otps_at_the_same_moment_lock_the_session(pair: Pair) -> None:
    key, otp = (await pair.trigger())["otpSessionKey"], pair.otp()
    wrong = f"{(int(otp) + 1) % 10**6:06d}"
    content = {"credBlock": {"type": "OTP", "data": {"otpSessionKey": key, "otp": wrong}}}
    entries = await asyncio.gather(*(pair.lsp.sender.send(VERIFY.name, LENDER, content) for _ in range(8)))
    await pair.settle()
    verdicts = [pair.answer_to(entry.outgoing.request_id)["status"] for entry in entries]
    assert sorted(verdicts) == ["INCORRECT_OTP"] * 3 + ["INVALID_SESSION"] * 5
    assert await pair.verify(key, otp) == "INVALID_SESSION"


async def test_a_callback_may_overtake_the_ack_of_its_request(pair: Pair) -> None:
    async def slow_ack(request: httpx.Request, carry: Way) -> httpx.Response:
        response = await carry(request)
        await pair.lender.courier.settle()
        assert len(rows(pair.lsp.engine, INBOX)) == 1
        assert rows(pair.lsp.engine, OUTBOX)[0]["state"] == "SENDING"
        return response

    pair.to_lender.weather = slow_ack
    await pair.trigger()
    assert {state for _, state in states(pair)} == {"DELIVERED"}


async def test_an_ack_that_is_lost_leads_to_a_repetition_without_a_second_effect(pair: Pair) -> None:
    async def lost_ack(request: httpx.Request, carry: Way) -> httpx.Response:
        await carry(request)
        raise httpx.ReadTimeout("no complete response within 4 s")

    for link in (pair.to_lender, pair.to_lsp):
        link.weather = lost_ack
    await pair.trigger()
    assert {state for _, state in states(pair)} == {"WAITING"}
    for link in (pair.to_lender, pair.to_lsp):
        link.weather = None
    await pair.sweep(10)
    assert {state for _, state in states(pair)} == {"DELIVERED"}
    assert [len(rows(pair.lender.engine, table)) for table in (INBOX, RECORDS, NOTICES)] == [1, 1, 1]
    assert len(rows(pair.lsp.engine, INBOX)) == 1


async def test_a_lender_that_is_away_gets_the_message_when_it_is_back(pair: Pair) -> None:
    pair.to_lender.callee, plane = None, pair.to_lender.callee
    entry = await pair.send(TRIGGER.name, CONTENT)
    for _ in range(3):
        await pair.sweep(10)
    assert states(pair) == [(TRIGGER.name, "WAITING")]
    pair.to_lender.callee = plane
    await pair.sweep(10)
    assert pair.answer_to(entry.outgoing.request_id)["otpSessionKey"]
    assert len(rows(pair.lsp.engine, ATTEMPTS)) == 5


async def test_a_callback_that_nobody_asked_for_is_refused(pair: Pair) -> None:
    await pair.trigger()
    before = contents(pair.lsp.engine, [REFUSALS])
    ack = await callback(pair, callback_document("request-of-nobody"))
    assert ack["error"] == Problem.UNKNOWN_REFERENCE.code
    assert contents(pair.lsp.engine, [REFUSALS]) == before


async def test_a_callback_by_somebody_who_was_not_asked_is_refused(pair: Pair) -> None:
    other = lender(
        id="LENDER02",
        certificates=frozenset({thumbprint(STRANGER_CERTIFICATE)}),
        keys=(PublicKey(stranger_key().kid, stranger_key().public()),),
    )
    pair.lsp.directory.replace([pair.lender_as_known, other])
    pair.to_lender.callee = None
    entry = await pair.send(TRIGGER.name, CONTENT)
    before = contents(pair.lsp.engine, [REFUSALS])
    document = callback_document(entry.outgoing.request_id, orgId="LENDER02")
    ack = await callback(pair, document, key=stranger_key(), certificate=STRANGER_CERTIFICATE)
    nobody = await callback(
        pair,
        callback_document("request-of-nobody", orgId="LENDER02"),
        key=stranger_key(),
        certificate=STRANGER_CERTIFICATE,
    )
    assert ack["error"] == Problem.UNKNOWN_REFERENCE.code
    assert ack == nobody
    assert contents(pair.lsp.engine, [REFUSALS]) == before


async def test_a_second_callback_with_other_content_is_refused(pair: Pair) -> None:
    entry = await pair.send(TRIGGER.name, CONTENT)
    before = contents(pair.lsp.engine, [REFUSALS])
    ack = await callback(pair, callback_document(entry.outgoing.request_id))
    assert ack["error"] == Problem.CONFLICT.code
    assert contents(pair.lsp.engine, [REFUSALS]) == before


async def test_a_callback_that_is_repeated_is_acknowledged_and_heard_once(pair: Pair) -> None:
    heard: list[str] = []
    pair.lsp.reception.listeners.append(lambda message: heard.append(message.request_id))
    await pair.send(TRIGGER.name, CONTENT)
    (received,) = rows(pair.lsp.engine, INBOX)
    payload = payload_inside(received["raw"])
    payload["metadata"]["traceId"] = "trace-of-the-repetition"
    assert (await callback(pair, payload))["error"] == "0"
    assert heard == [received["request_id"]]
    assert len(rows(pair.lsp.engine, INBOX)) == 1


async def test_a_captured_message_is_good_for_nothing(pair: Pair) -> None:
    key = (await pair.trigger())["otpSessionKey"]
    await pair.verify(key, pair.otp())
    before = contents(pair.lender.engine, [REFUSALS])
    for captured in rows(pair.lsp.engine, ATTEMPTS):
        answers = {path: await call(pair.lender_plane, path, captured["sent"]) for path in (TRIGGER.path, VERIFY.path)}
        assert all(answer.status in (409, 422) for answer in answers.values())
        own = TRIGGER.path if captured["sent"] == rows(pair.lsp.engine, ATTEMPTS)[0]["sent"] else VERIFY.path
        assert answers[own].ack(lender_key().public())["error"] == Problem.REPLAYED.code
        stolen = await call(pair.lender_plane, own, captured["sent"], certificate=STRANGER_CERTIFICATE)
        assert stolen.status == 401  # as if its kid were unknown
    assert contents(pair.lender.engine, [REFUSALS]) == before
