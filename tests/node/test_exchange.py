"""The signing middleware: what is accepted, and what is answered; refusals have a file of their own."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from shared.node.receive.middleware import MESSAGE, send_json
from shared.node.tables import INBOX, OUTBOX, REFUSALS
from shared.protocol.checks import JOURNAL_CHECKS
from shared.protocol.encoding import format_timestamp
from shared.protocol.participants import EnvelopeMember
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.signing import SigningKey
from shared.storage.reader import read
from shared.storage.writer import StorageUnavailable
from tests.equipment.asgi import Answer, http_scope
from tests.equipment.clock import NOW
from tests.equipment.lender_node import LenderNode, lender_node, signed
from tests.equipment.messages import TRIGGER
from tests.equipment.parties import LISTED_ADDRESS, lender_key, lsp_backup_key, payload_of
from tests.equipment.storage import contents, rows
from tests.node.loan_units import Gate

ACKNOWLEDGED = {"error": "0", "traceId": "trace-1", "timestamp": format_timestamp(NOW)}


@pytest.fixture
async def lender(tmp_path: Path) -> AsyncIterator[LenderNode]:
    async with lender_node(tmp_path) as lender:
        yield lender


def problem_of(answer: Answer, member: str = "header") -> dict[str, Any]:
    """The ack of a refusal, with its status and code as the table of problems has them together."""
    ack = answer.ack(lender_key().public(), member)
    problem = next(problem for problem in Problem if problem.code == ack["error"])
    assert answer.status == problem.status
    return ack


@pytest.mark.parametrize("member", list(EnvelopeMember))
async def test_a_good_message_is_acknowledged_in_the_shape_in_which_it_came(
    lender: LenderNode, member: EnvelopeMember
) -> None:
    answer = await lender.post(member=member)
    assert answer.status == 200
    assert answer.ack(lender_key().public(), member.value) == ACKNOWLEDGED
    assert answer.headers == {"content-type": "application/json", "content-length": str(len(answer.body))}


async def test_the_journal_keeps_the_very_bytes_that_travelled(lender: LenderNode) -> None:
    body = signed()
    answer = await lender.send(body)
    (row,) = rows(lender.node.engine, INBOX)
    assert (row["raw"], row["ack"], row["address"]) == (body, answer.body, LISTED_ADDRESS)
    assert rows(lender.node.engine, REFUSALS) == []


async def test_a_message_may_come_in_pieces(lender: LenderNode) -> None:
    body = signed()
    answer = await lender.send(b"", pieces=[body[:7], b"", body[7:500], body[500:]])
    assert answer.status == 200


async def test_a_back_up_key_counts_without_further_ado(lender: LenderNode) -> None:
    assert (await lender.post(key=lsp_backup_key())).status == 200


async def test_a_repeated_message_gets_an_ack_of_its_own_and_has_no_second_effect(lender: LenderNode) -> None:
    await lender.post()
    before = contents(lender.node.engine)
    lender.clock.advance(1)
    answer = await lender.post(payload_of(TRIGGER.name, traceId="trace-2"))
    assert answer.status == 200
    assert answer.ack(lender_key().public())["traceId"] == "trace-2"
    after = contents(lender.node.engine)
    assert len(after.pop("nonces")) == len(before.pop("nonces")) + 1
    assert after == before


async def test_the_application_sees_a_verified_message_and_what_it_answers_leaves_as_it_is(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["state"][MESSAGE], await receive()))
        await send_json(send, 200, b"an ack, signed by the application", {"x-of-the-app": "1"})

    async with lender_node(tmp_path, app=app) as lender:
        answer = await lender.post()
    ((message, event),) = seen
    assert isinstance(message, VerifiedMessage)
    assert (message.request_id, message.sender.id) == ("request-1", "LSP123")
    assert json.loads(event["body"]) == payload_of(TRIGGER.name)
    assert event["more_body"] is False
    assert answer.body == b"an ack, signed by the application"
    assert answer.headers["x-of-the-app"] == "1"


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise ZeroDivisionError("a secret of the application")


async def answers_404(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"Not Found"})


async def raises_amid_its_answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise ZeroDivisionError


async def says_nothing(scope: Any, receive: Any, send: Any) -> None:
    pass


@pytest.mark.parametrize("app", [raises, answers_404, raises_amid_its_answer, says_nothing])
async def test_whatever_fails_in_the_application_becomes_a_signed_500(tmp_path: Path, app: Any) -> None:
    async with lender_node(tmp_path, app=app) as lender:
        before = contents(lender.node.engine, [REFUSALS])
        answer = await lender.post()
        ack = problem_of(answer)
        assert (answer.status, ack["error"], ack["traceId"]) == (500, Problem.INTERNAL.code, "trace-1")
        assert ack["detail"] == {"meaning": Problem.INTERNAL.meaning}
        assert contents(lender.node.engine, [REFUSALS]) == before
        assert [event for event, _ in lender.node.telemetry.troubles] == ["message not handled"]
        (noted,) = rows(lender.node.engine, REFUSALS)  # whether the journal was asked, nobody knows
        assert json.loads(noted["steps"]).keys() == {check.name for check in JOURNAL_CHECKS}


@pytest.mark.parametrize("member", list(EnvelopeMember))
async def test_whatever_fails_in_judging_becomes_a_signed_500_too(
    lender: LenderNode, member: EnvelopeMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(_: str) -> None:
        raise TimeoutError("the registry does not answer")

    monkeypatch.setattr(lender.node.directory, "sender", unreachable)
    before = contents(lender.node.engine)
    answer = await lender.post(member=member)
    ack = problem_of(answer, member.value)
    assert answer.status == 500
    assert ack == {**ACKNOWLEDGED, "error": Problem.INTERNAL.code, "detail": {"meaning": Problem.INTERNAL.meaning}}
    assert contents(lender.node.engine) == before
    assert [event for event, _ in lender.node.telemetry.troubles] == ["message not judged"]


async def test_a_storage_that_does_not_answer_is_a_signed_503_that_says_when_to_come_again(
    lender: LenderNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def unavailable(what: Any) -> None:
        asked.append(type(what).__name__)
        raise StorageUnavailable("the database does not answer")

    monkeypatch.setattr(lender.node.journal, "accept", unavailable)
    monkeypatch.setattr(lender.node.journal, "note_refusal", unavailable)
    before = contents(lender.node.engine)
    answer = await lender.post()
    assert problem_of(answer)["error"] == Problem.UNAVAILABLE.code
    assert answer.headers["retry-after"] == "5"
    assert asked == ["Arrival"]
    assert contents(lender.node.engine) == before


@pytest.mark.parametrize("error", [StorageUnavailable("the database does not answer"), ZeroDivisionError()])
async def test_a_refusal_that_cannot_be_written_down_is_answered_all_the_same(
    lender: LenderNode, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(lender.node.journal, "note_refusal", fail)
    answer = await lender.send(b"{}")
    assert problem_of(answer)["error"] == Problem.MALFORMED.code
    assert [event for event, _ in lender.node.telemetry.troubles] == ["refusal not written down"]


@pytest.mark.parametrize("body", [None, b"{}"], ids=["a good message", "a bad message"])
async def test_an_answer_that_cannot_be_signed_is_an_empty_500(
    lender: LenderNode, body: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = signed()
    before = contents(lender.node.engine, [REFUSALS])

    def fail(key: SigningKey, signing_input: bytes) -> bytes:
        raise OSError("the key store is gone")

    monkeypatch.setattr(SigningKey, "sign", fail)
    answer = await lender.send(good if body is None else body)
    assert (answer.status, answer.body) == (500, b"")
    assert contents(lender.node.engine, [REFUSALS]) == before
    assert lender.node.telemetry.troubles[-1][0] == "answer not signed"


async def test_a_peer_that_goes_away_amid_its_message_gets_no_answer_and_leaves_no_trace(lender: LenderNode) -> None:
    before = contents(lender.node.engine)
    events = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(events)

    async def send(event: Any) -> None:
        sent.append(event)

    await lender.plane(http_scope(TRIGGER.path), receive, send)
    assert sent == []
    assert contents(lender.node.engine) == before


async def test_a_message_that_is_interrupted_is_answered_with_a_signed_503(tmp_path: Path) -> None:
    entered = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with lender_node(tmp_path, app=app) as lender:
        before = contents(lender.node.engine)
        post = asyncio.create_task(lender.post(member=EnvelopeMember.PROTECTED))
        await entered.wait()
        post.cancel()
        answer = await post
        ack = problem_of(answer, "protected")
        detail = {"meaning": Problem.UNAVAILABLE.meaning}
        assert ack == {**ACKNOWLEDGED, "error": Problem.UNAVAILABLE.code, "detail": detail}
        assert answer.headers["retry-after"] == "5"
        assert contents(lender.node.engine) == before


async def test_a_message_that_is_interrupted_before_its_end_is_answered_with_a_signed_503(lender: LenderNode) -> None:
    before = contents(lender.node.engine)
    sent: list[Any] = []

    async def receive() -> Any:
        raise asyncio.CancelledError

    async def send(event: Any) -> None:
        sent.append(event)

    await lender.plane(http_scope(TRIGGER.path), receive, send)
    start, end = sent
    ack = Answer(start["status"], {}, end["body"]).ack(lender_key().public())
    assert (start["status"], ack["error"], ack["traceId"]) == (503, Problem.UNAVAILABLE.code, "")
    assert contents(lender.node.engine) == before


async def test_a_message_that_is_interrupted_while_its_refusal_is_noted_is_answered_with_a_signed_503(
    lender: LenderNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = asyncio.Event()

    async def never(_: object) -> None:
        entered.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(lender.node.journal, "note_refusal", never)
    post = asyncio.create_task(lender.send(b"{}"))
    await entered.wait()
    post.cancel()
    answer = await post
    assert problem_of(answer)["error"] == Problem.UNAVAILABLE.code


async def test_a_message_is_judged_by_the_time_at_which_all_of_it_is_there(lender: LenderNode) -> None:
    body, sent = signed(), list[Any]()

    async def receive() -> Any:
        lender.clock.advance(301)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    before = contents(lender.node.engine, [REFUSALS])
    await lender.plane(http_scope(TRIGGER.path), receive, send)
    ack = Answer(sent[0]["status"], {}, sent[1]["body"]).ack(lender_key().public())
    assert ack["error"] == Problem.NOT_FRESH.code
    assert contents(lender.node.engine, [REFUSALS]) == before


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_nothing_but_http_is_served(lender: LenderNode, kind: str) -> None:
    async def untouched(*_: object) -> Any:
        raise AssertionError

    with pytest.raises(RuntimeError, match=f"{kind} is not served"):
        await lender.plane({"type": kind}, untouched, untouched)


def number_of(lender: LenderNode, **labels: str) -> float | None:
    return lender.node.telemetry.registry.get_sample_value("ocen_messages_received_total", labels)


async def test_what_came_in_is_counted_by_message_and_verdict(lender: LenderNode) -> None:
    await lender.post()
    await lender.post()
    await lender.post(path="/v3/loan/unknown")
    assert number_of(lender, message=TRIGGER.name, verdict="0") == 1
    assert number_of(lender, message=TRIGGER.name, verdict=Problem.REPLAYED.code) == 1
    assert number_of(lender, message="unknown", verdict=Problem.NO_SUCH_PATH.code) == 1


def number_accepted(connection: Connection) -> int | None:
    return connection.scalar(select(func.count()).select_from(INBOX))


async def test_a_message_that_was_stored_after_its_503_is_acknowledged_when_it_comes_again(tmp_path: Path) -> None:
    gate = Gate()
    async with lender_node(tmp_path, patience=0.1) as lender:
        # Both are in one batch, and nothing of it is committed before the gate is open.
        held, answer = await asyncio.gather(lender.node.journal.act(gate), lender.post(), return_exceptions=True)
        assert isinstance(held, StorageUnavailable)
        assert not isinstance(answer, BaseException)
        assert answer.status == 503
        assert answer.ack(lender_key().public())["error"] == Problem.UNAVAILABLE.code
        assert answer.headers["retry-after"] == "5"
        assert await read(lender.node.engine, number_accepted) == 0

        gate.open()
        for number in count(2):  # a busy machine may be slower than the writer's patience once more
            again = await lender.send(signed(payload_of(TRIGGER.name, traceId=f"trace-{number}")))
            if again.status != 503:
                break
        ack = again.ack(lender_key().public())
        assert (again.status, ack["error"], ack["traceId"]) == (200, "0", f"trace-{number}")
        assert [row["trace_id"] for row in rows(lender.node.engine, INBOX)] == ["trace-1"]
        assert len(rows(lender.node.engine, OUTBOX)) == 1
