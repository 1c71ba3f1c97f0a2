"""The transaction behind every ack: what becomes true together, and what leaves no trace. On both databases."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Table

from shared.node.journal import Dispatch, Journal
from shared.node.receive.acceptance import Acceptance
from shared.node.rules import Moment, Notice, Outgoing, Record, Records, Reply
from shared.node.send.outbox import OutboxState, new_entry, verdict_text
from shared.node.tables import INBOX, NONCES, NOTICES, OUTBOX, RECORDS
from shared.protocol.messages import Exchange, Role
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.verification import History
from tests.equipment.clock import NOW
from tests.equipment.messages import (
    CALLBACK,
    TRIGGER,
    VERIFY,
    arrival,
    callback,
    deciding,
    request,
    verified,
)
from tests.equipment.parties import LENDER, LSP, lsp, payload_of
from tests.equipment.storage import LEASE, contents, journal_on, rows

pytestmark = pytest.mark.on_both_databases

LATER = NOW + timedelta(minutes=5)

RECORD = Record("session-1", "otp-session", LSP, {"triesLeft": 3, "ids": ["é"]}, LATER)
DECISION = Reply(
    records=[RECORD],
    outgoing=[Outgoing(LSP, CALLBACK, "request-1", {"requestId": "request-1", "amount": 1.5})],
    notices=[Notice("XXXXXXX123", "request-1", "123456 is your OTP", LATER)],
)


@pytest.fixture
async def journal(engine: Engine) -> AsyncIterator[Journal]:
    async with journal_on(engine) as journal:
        yield journal


def restamped(message: VerifiedMessage, trace_id: str) -> VerifiedMessage:
    """The same message, delivered again."""
    document = {**message.document, "metadata": {**message.document["metadata"], "traceId": trace_id}}
    return verified(document, message.message_type.name)


def one(engine: Engine, table: Table) -> dict[str, Any]:
    (row,) = rows(engine, table)
    return row


async def test_everything_that_follows_from_a_message_is_stored_with_it(journal: Journal, engine: Engine) -> None:
    message = request()
    due_at = NOW + LEASE
    acceptance = await journal.accept(arrival(message, deciding(DECISION), first_due=due_at, state=OutboxState.SENDING))

    assert (acceptance.history, acceptance.problem) == (History.NEW, None)
    assert one(engine, NONCES) == {"key": message.nonce.key}
    stored = one(engine, INBOX)
    assert (stored["sender"], stored["request_id"], stored["message"]) == (LSP, "request-1", TRIGGER.name)
    assert (stored["trace_id"], stored["kid"], stored["address"]) == ("trace-1", "lsp-kid", "192.0.2.7")
    assert (stored["received_at"], stored["raw"], stored["ack"]) == (NOW, message.wire.body, b"the signed ack")
    assert stored["certificate"] in lsp().certificates
    assert stored["steps"] == verdict_text(None)
    assert one(engine, RECORDS) | {"state": None} == {
        "id": "session-1",
        "participant": LSP,
        "kind": "otp-session",
        "state": None,
        "expires_at": LATER,
    }
    assert one(engine, NOTICES)["text"] == "123456 is your OTP"
    waiting = one(engine, OUTBOX)
    assert (waiting["state"], waiting["due_at"], waiting["driven_at"], waiting["tries"]) == (
        "SENDING",
        due_at,
        NOW,
        0,
    )
    assert [entry.id for entry in acceptance.outbox] == [waiting["id"]]
    assert acceptance.outbox[0].outgoing == DECISION.outgoing[0]


async def test_a_nonce_counts_once_whatever_the_message_and_its_request_id(journal: Journal, engine: Engine) -> None:
    await journal.accept(arrival(request()))
    before = contents(engine)
    others = [
        request(),
        request("request-2"),
        verified(payload_of(VERIFY.name, "request-3"), VERIFY.name),
        request(now=NOW + timedelta(seconds=299)),
    ]
    for message in others:
        acceptance = await journal.accept(arrival(message, deciding(DECISION)))
        assert acceptance == Acceptance(History.NONCE_USED)
    assert contents(engine) == before


async def test_a_message_that_is_repeated_has_no_second_effect(journal: Journal, engine: Engine) -> None:
    first = request()
    await journal.accept(arrival(first, deciding(DECISION)))
    before = contents(engine, [NONCES])

    for number in range(3):
        again = await journal.accept(arrival(restamped(first, f"again-{number}"), deciding(DECISION)))
        assert again == Acceptance(History.REPEATED)

    assert contents(engine, [NONCES]) == before
    assert len(rows(engine, NONCES)) == 4
    assert (await journal.accept(arrival(restamped(first, "again-1")))).history is History.NONCE_USED


async def test_a_request_id_that_was_used_for_anything_else_is_a_conflict(journal: Journal, engine: Engine) -> None:
    await journal.accept(arrival(request()))
    before = contents(engine)
    others = [
        request(trace_id="trace-2", loanApplicationIds=["another"]),
        request(trace_id="trace-3", extra=1),
        verified(payload_of(VERIFY.name, "request-1", traceId="trace-4"), VERIFY.name),
    ]
    for message in others:
        acceptance = await journal.accept(arrival(message, deciding(DECISION)))
        assert acceptance == Acceptance(History.CONFLICT)
    assert contents(engine) == before


async def test_senders_do_not_share_nonces_or_request_ids(journal: Journal, engine: Engine) -> None:
    message = request()
    other = replace(message, sender=lsp(id="LSP999"), nonce=replace(message.nonce, sender="LSP999"))
    results = [await journal.accept(arrival(one)) for one in (message, other)]
    assert [result.history for result in results] == [History.NEW, History.NEW]


async def test_what_a_rule_refuses_leaves_no_trace_and_may_come_again(journal: Journal, engine: Engine) -> None:
    before = contents(engine)
    refusal = replace(DECISION, problem=Problem.NOT_ALLOWED_NOW, reason="not yet")
    acceptance = await journal.accept(arrival(request(), deciding(refusal)))
    assert acceptance == Acceptance(History.NEW, Problem.NOT_ALLOWED_NOW, "not yet")
    assert contents(engine) == before
    assert (await journal.accept(arrival(request()))).problem is None


async def test_a_callback_counts_only_if_its_sender_was_asked(journal: Journal, engine: Engine) -> None:
    asked = [
        Outgoing("LENDER02", TRIGGER, "request-1", {}),  # somebody else
        Outgoing(LENDER, VERIFY, "request-1", {}),  # something else
        Outgoing(LENDER, TRIGGER, "request-2", {}),  # under another requestId
    ]
    for outgoing in asked:
        await journal.dispatch(Dispatch(new_entry(outgoing, NOW), OutboxState.WAITING, NOW))
    before = contents(engine)

    refused = await journal.accept(arrival(callback()))
    assert refused.problem is Problem.UNKNOWN_REFERENCE
    assert contents(engine) == before

    accepted = await journal.accept(arrival(callback("request-2")))
    assert (accepted.history, accepted.problem) == (History.NEW, None)


async def test_a_callback_that_may_come_unasked_counts_though_nobody_was_asked(journal: Journal) -> None:
    row = CALLBACK.exchange
    unasked = Exchange(
        *("v3", row.name, "/v3/unasked", Role.LOAN_AGENT >> Role.LENDER, row.request.body, CALLBACK.body),
        stage=row.stage,
        may_come_unasked=True,
    ).response
    accepted = await journal.accept(arrival(callback(), message_type=unasked))
    assert (accepted.history, accepted.problem) == (History.NEW, None)


async def test_of_repetitions_that_arrive_together_one_is_new(journal: Journal, engine: Engine) -> None:
    first = request()
    messages = [restamped(first, f"trace-{number}") for number in range(10)]
    results = await asyncio.gather(*(journal.accept(arrival(message, deciding(DECISION))) for message in messages))
    assert [result.history for result in results] == [History.NEW] + [History.REPEATED] * 9
    assert [len(rows(engine, table)) for table in (INBOX, OUTBOX, NOTICES, NONCES)] == [1, 1, 1, 10]


async def test_a_rule_that_fails_does_not_take_its_neighbours_with_it(journal: Journal, engine: Engine) -> None:
    def fail(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
        raise ZeroDivisionError

    messages = [request(f"request-{number}", f"trace-{number}") for number in range(3)]
    rules = [deciding(Reply()), fail, deciding(Reply())]
    pairs = zip(messages, rules, strict=True)
    results = await asyncio.gather(
        *(journal.accept(arrival(message, rule)) for message, rule in pairs), return_exceptions=True
    )
    assert [type(result) for result in results] == [Acceptance, ZeroDivisionError, Acceptance]
    assert [row["request_id"] for row in rows(engine, INBOX)] == ["request-0", "request-2"]
    assert len(rows(engine, NONCES)) == 2


async def test_what_cannot_be_stored_as_a_whole_is_not_stored_at_all(journal: Journal, engine: Engine) -> None:
    await journal.dispatch(Dispatch(new_entry(DECISION.outgoing[0], NOW), OutboxState.WAITING, NOW))
    before = contents(engine)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await journal.accept(arrival(request(), deciding(DECISION)))
    assert contents(engine) == before


@pytest.mark.parametrize("delivery", ["the same", "a repeated"])
async def test_two_processes_never_both_accept(journal: Journal, engine: Engine, delivery: str) -> None:
    first = request()
    messages: Sequence[VerifiedMessage] = [
        first if delivery == "the same" else restamped(first, f"trace-{number}") for number in range(6)
    ]
    async with journal_on(engine) as second:
        journals = [journal, second] * 3
        results = await asyncio.gather(
            *(one.accept(arrival(message, deciding(DECISION))) for one, message in zip(journals, messages, strict=True))
        )
    again = History.NONCE_USED if delivery == "the same" else History.REPEATED
    assert sorted(result.history.name for result in results) == sorted([History.NEW.name] + [again.name] * 5)
    assert [len(rows(engine, table)) for table in (INBOX, OUTBOX, NOTICES)] == [1, 1, 1]


async def test_strange_but_printable_ids_are_stored_and_found_again(journal: Journal, engine: Engine) -> None:
    strange = request("'\"%s\\ :x", "\\n;--{}")
    assert (await journal.accept(arrival(strange))).history is History.NEW
    assert (await journal.accept(arrival(strange))).history is History.NONCE_USED
    assert one(engine, INBOX)["request_id"] == strange.request_id
