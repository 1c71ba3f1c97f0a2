"""Reading the journal, on both databases."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from shared.node.ops import ledger
from shared.node.ops.history import message_history
from shared.node.ops.ledger import list_messages, list_notices, list_refusals
from shared.node.ops.ledger_views import MessageFilter, RefusalFilter
from shared.node.tables import create_tables
from tests.node.journal_rows import (
    add_attempt,
    add_notice,
    add_received,
    add_refusal,
    add_sent,
    envelope,
    row_id,
)
from tests.node.operated import NOW

pytestmark = pytest.mark.on_both_databases


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    create_tables(engine)
    with engine.begin() as connection:
        yield connection


def walk(connection: Connection, **wanted: Any) -> list[int]:
    """The numbers of all messages that pass the filter, page by page; no page may repeat or grow."""
    numbers: list[int] = []
    before = None
    while True:
        page = list_messages(connection, MessageFilter(before=before, **wanted))
        assert len(page.items) <= wanted.get("limit", 50)
        numbers += [int(item.id[-12:]) for item in page.items]
        if page.next is None:
            return numbers
        assert before is None or page.next < before
        before = page.next


def plans(connection: Connection, **wanted: Any) -> list[str]:
    """How the database would find what is wanted."""
    asked: list[tuple[str, Any]] = []

    def note(_: Connection, __: Any, statement: str, given: Any, *___: Any) -> None:
        asked.append((statement, given))

    event.listen(connection, "before_cursor_execute", note)
    list_messages(connection, MessageFilter(**wanted))
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return [
        " ".join(row[-1] for row in connection.exec_driver_sql(f"{explain} {statement}", given))
        for statement, given in asked
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 9])
def test_pages_of_received_and_sent_messages_make_one_list_newest_first(connection: Connection, limit: int) -> None:
    for number in (1, 2, 5, 6, 7):
        add_sent(connection, number)
    for number in (3, 4, 8):
        add_received(connection, number)
    assert walk(connection, limit=limit) == [8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"direction": "sent"}, [5, 4, 1]),
        ({"direction": "received"}, [3, 2]),
        ({"message": "VerifyLoanAcceptanceRequest"}, [4]),
        ({"peer": "LENDER02"}, [4, 3]),
        ({"request_id": "shared"}, [5, 2]),
        ({"state": "ACCEPTED"}, [3, 2]),
        ({"state": "DELIVERED"}, [1]),
        ({"state": "DEAD"}, [5]),
        ({"state": "WAITING"}, [4]),
        ({"state": "REFUSED"}, []),
        ({"state": "DEAD", "direction": "received"}, []),
        ({"state": "DEAD", "peer": "LENDER01", "request_id": "shared"}, [5]),
        ({"message": "NoSuchMessage"}, []),
    ],
)
def test_messages_are_found_by_what_is_asked_of_them(
    connection: Connection, wanted: dict[str, Any], numbers: list[int]
) -> None:
    add_sent(connection, 1)
    add_received(connection, 2, request_id="shared")
    add_received(connection, 3, sender="LENDER02")
    add_sent(connection, 4, receiver="LENDER02", state="WAITING", message="VerifyLoanAcceptanceRequest")
    add_sent(connection, 5, request_id="shared", state="DEAD")
    assert walk(connection, **wanted) == numbers
    assert walk(connection, limit=1, **wanted) == numbers


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_a_page_looks_at_a_bounded_number_of_rows_and_says_where_to_go_on(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(ledger, "EXAMINED", 3)
    for number in range(1, 21):
        add_sent(connection, number, message="Rare" if number in (2, 9) else "Usual")
    for number in range(21, 25):
        add_received(connection, number)
    add_received(connection, 25, message="Rare")
    first = list_messages(connection, MessageFilter(message="Rare", limit=limit))
    assert ([item.id for item in first.items], first.next) == ([row_id(25)], row_id(23))
    assert walk(connection, message="Rare", limit=limit) == [25, 9, 2]


@pytest.mark.parametrize("examined", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_no_message_is_missed_between_pages_however_few_rows_are_looked_at(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, examined: int, limit: int
) -> None:
    monkeypatch.setattr(ledger, "EXAMINED", examined)
    expected = []
    for number in range(1, 31):
        message = "Rare" if number % 4 == 1 else "Usual"
        if number % 3 == 0 or number > 24:
            add_received(connection, number, message=message)
        else:
            add_sent(connection, number, message=message)
        expected += [number] if message == "Rare" else []
    assert walk(connection, message="Rare", limit=limit) == expected[::-1]


@pytest.mark.parametrize(
    ("state", "index"),
    [("WAITING", "outbox_due"), ("SENDING", "outbox_due"), ("DEAD", "outbox_given_up"), ("REFUSED", "outbox_given_up")],
)
def test_the_few_deliveries_that_did_not_succeed_are_found_by_an_index(
    connection: Connection, state: str, index: str
) -> None:
    if connection.dialect.name != "sqlite":
        pytest.skip("PostgreSQL chooses its plan by the size of the table")
    for wanted in ({}, {"before": row_id(9)}, {"peer": "LENDER01"}):
        (plan,) = plans(connection, state=state, **wanted)
        assert f"USING INDEX {index}" in plan
        assert "SCAN outbox USING INDEX sqlite_autoindex" not in plan


@pytest.mark.parametrize("before", [None, row_id(1000)])
def test_the_messages_of_a_peer_are_found_by_an_index(connection: Connection, before: str | None) -> None:
    for number in range(1, 500):
        add_received(connection, number, sender="RARE" if number % 100 == 0 else "LSP123")
        add_sent(connection, number + 500, receiver="RARE" if number % 100 == 0 else "LSP123")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE inbox, outbox")
    received, sent = plans(connection, peer="RARE", before=before)
    for plan, index, peer in ((received, "inbox_sender", "sender"), (sent, "outbox_receiver", "receiver")):
        assert re.search(rf"USING INDEX {index} \({peer}=\?|(Index|Bitmap).* Scan .*{index}", plan), plan
    assert walk(connection, peer="RARE") == [900, 800, 700, 600, 400, 300, 200, 100]


def test_a_request_id_is_found_by_an_index(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        pytest.skip("PostgreSQL chooses its plan by the size of the table")
    assert all("(request_id=?" in plan for plan in plans(connection, request_id="request-1"))


def test_the_history_of_a_request_has_every_text_as_it_travelled(connection: Connection) -> None:
    message, ack = envelope({"requestId": "r", "amount": 10.25}), envelope({"error": "0"})
    add_received(connection, 1, request_id="r", raw=message, ack=ack)
    history = message_history(connection, "r", {"v3": "LSP123"})
    assert history is not None
    (received,) = history.received
    assert received.envelope.encode() == message
    assert received.decoded is not None
    assert received.decoded.model_dump() == {
        "header": {"kid": "lsp-kid", "alg": "RS512"},
        "payload": {"requestId": "r", "amount": 10.25},
    }
    assert received.ack.envelope.encode() == ack
    assert received.ack.decoded is not None
    assert received.ack.decoded.payload == {"error": "0"}


def test_the_checks_of_a_message_are_told_in_full(connection: Connection) -> None:
    add_received(connection, 1, request_id="r")
    history = message_history(connection, "r", {"v3": "LSP123"})
    assert history is not None
    verifies, forgotten, nonce = history.received[0].verification
    assert (verifies.check, verifies.outcome, verifies.found) == ("signature_verifies", "passed", "such a one")
    assert (bool(verifies.text), "RFC 7515" in verifies.clause) == (True, True)
    assert (forgotten.text, forgotten.clause, forgotten.expected) == ("", "", "this")
    assert nonce.outcome == "not reached"


VERDICTS: dict[str, tuple[str, dict[str, str]]] = {
    "all hold": ("{}", {"signature_verifies": "passed", "nonce_is_new": "passed"}),
    "one fails": (
        '{"signature_verifies":["failed","that","this"]}',
        {"kid_is_given": "passed", "signature_verifies": "failed", "nonce_is_new": "not reached"},
    ),
    "one was not judged": ('{"nonce_is_new":["not judged","why"]}', {"nonce_is_new": "not judged"}),
    "one of another release fails": ('{"check_of_then":["failed","that","this"]}', {"check_of_then": "failed"}),
}


@pytest.mark.parametrize(("recorded", "told"), VERDICTS.values(), ids=VERDICTS)
def test_of_a_verdict_no_more_is_told_than_is_known(
    connection: Connection, recorded: str, told: dict[str, str]
) -> None:
    add_refusal(connection, 1, request_id="r", path="/v3/loan/triggerLoanAcceptanceRequest", steps=recorded)
    history = message_history(connection, "r", {"v3": "LSP123"})
    assert history is not None
    steps = {step.check: step.outcome for step in history.refused[0].verification}
    assert {name: steps[name] for name in told} == told
    assert len(steps) == (1 if "check_of_then" in steps else 27)


def test_every_try_of_a_delivery_is_told_in_its_order(connection: Connection) -> None:
    add_sent(connection, 1, request_id="r", state="DELIVERED", tries=3)
    sent, answer = envelope({"requestId": "r"}), envelope({"error": "0"})
    add_attempt(connection, 1, 30, sent=sent, answer=answer, status=200, outcome="ACCEPTED", steps=json.dumps([]))
    add_attempt(connection, 1, 0)
    add_attempt(connection, 1, 10, answer=b"<html>Bad Gateway\xff", status=502)
    add_attempt(connection, 2, 0)
    history = message_history(connection, "r", {"v3": "LSP123"})
    assert history is not None
    (entry,) = history.sent
    assert entry.content == {"requestId": "request", "amount": 10.25}
    silent, broken, accepted = entry.attempts
    assert (silent.answer, silent.status) == (None, None)
    assert broken.answer is not None
    assert (broken.answer.envelope, broken.answer.decoded) == ("<html>Bad Gateway\ufffd", None)
    assert accepted.answer is not None
    assert accepted.answer.envelope.encode() == answer
    assert accepted.sent.envelope.encode() == sent


def test_refusals_under_a_request_id_are_part_of_its_history(connection: Connection) -> None:
    for number in range(60):
        add_refusal(connection, number, request_id="r")
    history = message_history(connection, "r", {"v3": "LSP123"})
    assert history is not None
    assert [refused.id for refused in history.refused] == [row_id(number) for number in range(10, 60)]
    assert history.refused[0].raw == "\ufffd not even text"


def test_nothing_under_a_request_id_is_no_history(connection: Connection) -> None:
    add_received(connection, 1)
    assert message_history(connection, "r", {"v3": "LSP123"}) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"payload":"e30"}',
        b'{"payload":"e30","header":7}',
        b'{"payload":"e30","header":"e30="}',
        b'{"payload":7,"header":"e30"}',
        b'{"payload":"W10","header":"e30"}',
    ],
)
def test_a_text_that_is_no_envelope_is_shown_undecoded(connection: Connection, text: bytes) -> None:
    add_received(connection, 1, request_id="r", ack=text)
    history = message_history(connection, "r", {"v3": "LSP123"})
    assert history is not None
    assert history.received[0].ack.envelope == text.decode()
    assert history.received[0].ack.decoded is None


def test_refusals_come_in_pages_newest_first(connection: Connection) -> None:
    for number in range(1, 6):
        add_refusal(connection, number, peer="LENDER01" if number % 2 else "")
    first = list_refusals(connection, RefusalFilter(limit=2))
    rest = list_refusals(connection, RefusalFilter(limit=3, before=first.next))
    assert [item.id for item in (*first.items, *rest.items)] == [row_id(number) for number in (5, 4, 3, 2, 1)]
    assert (first.next, rest.next) == (row_id(4), None)
    known = list_refusals(connection, RefusalFilter(peer="LENDER01"))
    assert [item.id for item in known.items] == [row_id(number) for number in (5, 3, 1)]


def test_notices_that_have_expired_are_not_shown(connection: Connection) -> None:
    add_notice(connection, 1)
    add_notice(connection, 2, expires_at=NOW)
    add_notice(connection, 3)
    assert [notice.id for notice in list_notices(connection, None, NOW)] == [row_id(3), row_id(1)]
    assert [notice.id for notice in list_notices(connection, "request-1", NOW)] == [row_id(1)]
    assert list_notices(connection, None, NOW + timedelta(minutes=5)) == []
