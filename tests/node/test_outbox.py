"""The outbox: who may try a delivery next, and what becomes of a try. On both databases."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, update

from shared.node.journal import Dispatch, Journal
from shared.node.rules import Outgoing
from shared.node.send.outbox import (
    AttemptOutcome,
    AttemptRecord,
    DeliveryAttempt,
    OutboxEntry,
    OutboxState,
    new_entry,
    storable,
)
from shared.node.tables import ATTEMPTS, OUTBOX
from tests.equipment.clock import NOW
from tests.equipment.messages import TRIGGER
from tests.equipment.storage import LEASE, contents, journal_on, rows

pytestmark = pytest.mark.on_both_databases

SECOND = timedelta(seconds=1)
AFTER_THE_LEASE = NOW + LEASE


@pytest.fixture
async def journal(engine: Engine) -> AsyncIterator[Journal]:
    async with journal_on(engine) as journal:
        yield journal


async def put(
    journal: Journal, name: str, due_in: float = 0, state: OutboxState = OutboxState.WAITING, **content: Any
) -> OutboxEntry:
    """Put a message into the outbox; `name` is its requestId."""
    entry = new_entry(Outgoing("LENDER01", TRIGGER, name, content), NOW)
    return await journal.dispatch(Dispatch(entry, state, NOW + timedelta(seconds=due_in)))


def attempt(entry: OutboxEntry, outcome: AttemptOutcome = AttemptOutcome.FAILED, **parts: Any) -> DeliveryAttempt:
    given: dict[str, Any] = {"started_at": NOW, "milliseconds": 1.5, "trace_id": "t", "kid": "k", "reason": "why"}
    return DeliveryAttempt(entry=entry, outcome=outcome, **(given | parts))


def names(entries: Any) -> list[str]:
    return [entry.outgoing.request_id for entry in entries]


def states(engine: Engine) -> dict[str, str]:
    return {row["request_id"]: row["state"] for row in rows(engine, OUTBOX)}


async def test_what_is_due_is_claimed_the_longest_due_first(journal: Journal, engine: Engine) -> None:
    for name, due_in in (("due", 0), ("ahead", 0.001), ("overdue", -1), ("long overdue", -2)):
        await put(journal, name, due_in)
    assert names(await journal.claim(NOW, 10)) == ["long overdue", "overdue", "due"]
    assert states(engine) == {
        "due": "SENDING",
        "ahead": "WAITING",
        "overdue": "SENDING",
        "long overdue": "SENDING",
    }


async def test_no_more_is_claimed_than_there_is_room_for(journal: Journal) -> None:
    for number in range(5):
        await put(journal, f"request-{number}", due_in=-5 + number)
    assert names(await journal.claim(NOW, 4)) == ["request-0", "request-1"]
    assert names(await journal.claim(NOW, 10)) == ["request-2", "request-3", "request-4"]


async def test_what_is_held_is_claimed_again_only_when_its_lease_has_run_out(journal: Journal) -> None:
    await put(journal, "request-1")
    await journal.claim(NOW, 10)
    assert await journal.claim(AFTER_THE_LEASE - timedelta(microseconds=1), 10) == []
    (again,) = await journal.claim(AFTER_THE_LEASE, 10)
    assert again.tries == 0
    assert await journal.claim(AFTER_THE_LEASE, 10) == []


async def test_a_message_that_only_a_later_release_knows_waits_and_holds_up_nothing(
    journal: Journal, engine: Engine
) -> None:
    for number in (1, 2):
        await put(journal, f"request-{number}")
    with engine.begin() as connection:
        of_later = update(OUTBOX).where(OUTBOX.c.request_id == "request-1").values(message="v5/GrantLoanRequest")
        connection.execute(of_later)
    assert names(await journal.claim(NOW, 10)) == ["request-2"]
    assert states(engine)["request-1"] == OutboxState.SENDING
    assert names(await journal.claim(AFTER_THE_LEASE, 10)) == ["request-2"]


async def test_processes_that_share_a_database_never_claim_the_same(journal: Journal, engine: Engine) -> None:
    for number in range(20):
        await put(journal, f"request-{number}")
    async with journal_on(engine) as second:
        claims = await asyncio.gather(*(writer.claim(NOW, 8) for writer in [journal, second] * 4))
    claimed = [name for claim in claims for name in names(claim)]
    assert len(claimed) == len(set(claimed)) == 20


async def test_an_entry_comes_back_as_it_went_in(journal: Journal) -> None:
    content = {"requestId": "request-1", "name": "श्री \x7f \\", "list": [1, True, None, {"rate": 12.25}]}
    entry = new_entry(Outgoing("LENDER01", TRIGGER, "request-1", content), NOW)
    await journal.dispatch(Dispatch(entry, OutboxState.WAITING, NOW))
    assert await journal.claim(NOW, 1) == [entry]


async def test_an_exact_amount_keeps_its_value(journal: Journal) -> None:
    await put(journal, "request-1", amount=Decimal("150000.75"), whole=Decimal("150000.00"))
    (entry,) = await journal.claim(NOW, 1)
    assert entry.outgoing.content == {"amount": 150000.75, "whole": 150000}


async def test_a_failed_try_is_counted_and_its_entry_waits(journal: Journal, engine: Engine) -> None:
    await put(journal, "request-1")
    for number in range(2):
        (entry,) = await journal.claim(NOW + number * SECOND, 1)
        assert entry.tries == number
        failed = attempt(entry, started_at=NOW + number * SECOND)
        await journal.record(AttemptRecord(failed, OutboxState.WAITING, NOW + (number + 1) * SECOND))
    (row,) = rows(engine, OUTBOX)
    assert (row["state"], row["tries"], row["result"], row["due_at"]) == ("WAITING", 2, "why", NOW + 2 * SECOND)
    assert [tried["started_at"] for tried in rows(engine, ATTEMPTS)] == [NOW, NOW + SECOND]


async def test_a_try_is_kept_with_all_that_went_over_the_wire(journal: Journal, engine: Engine) -> None:
    entry = await put(journal, "request-1", state=OutboxState.SENDING)
    accepted = attempt(entry, AttemptOutcome.ACCEPTED, certificate="ab", status=200, sent=b"\x00sent", answer=b"\xff")
    await journal.record(AttemptRecord(accepted, OutboxState.DELIVERED, NOW))
    (tried,) = rows(engine, ATTEMPTS)
    assert tried == {
        "outbox_id": entry.id,
        "started_at": NOW,
        "milliseconds": 1.5,
        "trace_id": "t",
        "kid": "k",
        "certificate": "ab",
        "outcome": "ACCEPTED",
        "status": 200,
        "reason": "why",
        "sent": b"\x00sent",
        "signature": "",
        "answer": b"\xff",
        "answer_signature": "",
        "steps": "[]",
    }


@pytest.mark.parametrize("state", [OutboxState.DELIVERED, OutboxState.REFUSED, OutboxState.DEAD])
async def test_what_is_finished_is_not_claimed_again(journal: Journal, state: OutboxState) -> None:
    await put(journal, "request-1")
    (entry,) = await journal.claim(NOW, 1)
    await journal.record(AttemptRecord(attempt(entry), state, NOW))
    assert await journal.claim(NOW + timedelta(days=365), 10) == []


async def test_a_report_that_comes_late_does_not_take_a_delivery_back(journal: Journal, engine: Engine) -> None:
    await put(journal, "request-1")
    (slow,) = await journal.claim(NOW, 1)
    (quick,) = await journal.claim(AFTER_THE_LEASE, 1)
    delivered = attempt(quick, AttemptOutcome.ACCEPTED, started_at=AFTER_THE_LEASE)
    await journal.record(AttemptRecord(delivered, OutboxState.DELIVERED, AFTER_THE_LEASE))
    for number, state in enumerate((OutboxState.WAITING, OutboxState.DEAD, OutboxState.REFUSED)):
        late = attempt(slow, started_at=NOW + number * SECOND, reason="late")
        await journal.record(AttemptRecord(late, state, AFTER_THE_LEASE))
    assert states(engine) == {"request-1": "DELIVERED"}
    assert len(rows(engine, ATTEMPTS)) == 4


async def test_a_refusal_is_taken_back_by_nothing_but_a_late_ack(journal: Journal, engine: Engine) -> None:
    entry = await put(journal, "request-1", state=OutboxState.SENDING)
    for number, state in enumerate((OutboxState.REFUSED, OutboxState.WAITING, OutboxState.DEAD)):
        tried = attempt(entry, started_at=NOW + number * SECOND)
        await journal.record(AttemptRecord(tried, state, NOW))
        assert states(engine) == {"request-1": "REFUSED"}
    await journal.record(AttemptRecord(attempt(entry, started_at=AFTER_THE_LEASE), OutboxState.DELIVERED, NOW))
    assert states(engine) == {"request-1": "DELIVERED"}


async def test_a_try_that_is_recorded_twice_has_one_row(journal: Journal, engine: Engine) -> None:
    entry = await put(journal, "request-1", state=OutboxState.SENDING)
    failed = AttemptRecord(attempt(entry, answer=b"no"), OutboxState.WAITING, NOW)
    for _ in range(2):
        await asyncio.gather(journal.record(failed), journal.record(failed))
    (tried,) = rows(engine, ATTEMPTS)
    assert tried["answer"] == b"no"
    assert rows(engine, OUTBOX)[0]["tries"] == 1


async def test_what_a_counterparty_says_is_stored_whatever_its_characters(journal: Journal, engine: Engine) -> None:
    entry = await put(journal, "request-1", state=OutboxState.SENDING)
    refused = attempt(entry, AttemptOutcome.REFUSED, reason="refused with \x00\x1b[2J\n\u202e श्री")
    await journal.record(AttemptRecord(refused, OutboxState.REFUSED, NOW))
    assert rows(engine, OUTBOX)[0]["result"] == rows(engine, ATTEMPTS)[0]["reason"] == "refused with ??[2J?? श्री"


async def test_tries_of_many_entries_are_recorded_together(journal: Journal, engine: Engine) -> None:
    entries = [await put(journal, f"request-{number}", state=OutboxState.SENDING) for number in range(5)]
    before = contents(engine, [OUTBOX, ATTEMPTS])
    ends = [OutboxState.DELIVERED, OutboxState.WAITING, OutboxState.DEAD, OutboxState.REFUSED, OutboxState.DELIVERED]
    await asyncio.gather(
        *(journal.record(AttemptRecord(attempt(entry), end, NOW)) for entry, end in zip(entries, ends, strict=True))
    )
    assert list(states(engine).values()) == [end.value for end in ends]
    assert contents(engine, [OUTBOX, ATTEMPTS]) == before


def test_text_that_prints_is_stored_as_it_is() -> None:
    text = "no answer: ConnectError: श्री"
    assert storable(text) is text
    assert storable("") == ""


def test_an_entry_knows_when_it_was_made_and_has_an_id_of_its_own() -> None:
    outgoing = Outgoing("LENDER01", TRIGGER, "request-1", {})
    first, second = new_entry(outgoing, NOW), new_entry(outgoing, NOW)
    assert first.id < second.id
    assert replace(first, id=second.id) == second
    assert (first.driven_at, first.tries) == (NOW, 0)
