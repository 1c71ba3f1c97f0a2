"""Every refusal of the middleware: signed, with its code, status and headers, in the shape of what it answers; and
nothing has changed but the list of refusals.
"""

import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.catalogue.table import CATALOGUE
from shared.node.tables import REFUSALS
from shared.protocol.encoding import dump_json, format_timestamp
from shared.protocol.messages import Role
from shared.protocol.participants import EnvelopeMember
from shared.protocol.phases import MAX_BODY_BYTES
from shared.protocol.problems import Problem
from shared.protocol.tampering import TAMPERINGS
from tests.equipment.asgi import JSON, Answer
from tests.equipment.clock import NOW
from tests.equipment.envelopes import parts_of
from tests.equipment.lender_node import LenderNode, lender_node, signed
from tests.equipment.messages import TRIGGER, VERIFY
from tests.equipment.parties import (
    LENDER_CERTIFICATE,
    STRANGER_CERTIFICATE,
    UNLISTED_ADDRESS,
    good_message,
    lender_key,
    payload_of,
)
from tests.equipment.storage import contents, rows


@pytest.fixture
async def lender(tmp_path: Path) -> AsyncIterator[LenderNode]:
    async with lender_node(tmp_path) as lender:
        yield lender


async def refused(lender: LenderNode, problem: Problem, body: bytes, member: str = "header", **request: Any) -> Answer:
    """Send a body, and see that it is refused as it has to be and that nothing else has changed."""
    before = contents(lender.node.engine, [REFUSALS])
    known = len(rows(lender.node.engine, REFUSALS))
    answer = await lender.send(body, **request)
    ack = answer.ack(lender_key().public(), member)
    assert (answer.status, ack["error"]) == (problem.status, problem.code)
    assert ack["timestamp"] == format_timestamp(lender.clock.now())
    assert answer.headers.get("allow") == ("POST" if problem is Problem.METHOD_NOT_ALLOWED else None)
    assert "retry-after" not in answer.headers
    assert contents(lender.node.engine, [REFUSALS]) == before
    *_, noted = rows(lender.node.engine, REFUSALS)
    assert (noted["error"], noted["trace_id"]) == (problem.code, ack["traceId"])
    assert len(rows(lender.node.engine, REFUSALS)) == known + 1
    return answer


@pytest.mark.parametrize("member", list(EnvelopeMember))
async def test_every_spoiled_message_is_refused_and_changes_nothing(lender: LenderNode, member: EnvelopeMember) -> None:
    good = good_message(member)
    assert (await lender.deliver(good.send())).status == 200
    before = contents(lender.node.engine, [REFUSALS])
    wrong = []
    for row in TAMPERINGS:
        answer = await lender.deliver(row.messages(good)[-1])
        shape = next(name for name in ("header", "protected") if name in answer.envelope)
        ack = answer.ack(lender_key().public(), shape)
        if (answer.status, ack["error"], ack["detail"]["check"]) != (
            row.problem.status,
            row.problem.code,
            row.caught_by.name,
        ):
            wrong.append((row.name, answer.status, ack))
    assert wrong == []
    assert contents(lender.node.engine, [REFUSALS]) == before
    assert len(rows(lender.node.engine, REFUSALS)) == len(TAMPERINGS)
    assert lender.node.telemetry.troubles == []


@pytest.mark.parametrize("member", list(EnvelopeMember))
async def test_what_is_refused_before_its_envelope_is_read_is_answered_in_its_shape_and_names_its_trace_id(
    lender: LenderNode, member: EnvelopeMember
) -> None:
    body = signed(member=member)
    for problem, request in (
        (Problem.NO_SUCH_PATH, {"path": "/v3/loan/unknown"}),
        (Problem.METHOD_NOT_ALLOWED, {"method": "PUT"}),
        (Problem.MEDIA_TYPE, {"headers": {"content-type": "text/plain"}}),
    ):
        answer = await refused(lender, problem, body, member.value, **request)
        assert answer.ack(lender_key().public(), member.value)["traceId"] == "trace-1"


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/openapi.json", "/v3", TRIGGER.path + "/", TRIGGER.path.upper(), "/v4.0.0alpha/loan", "/\x00é"]
    + [message.path for message in CATALOGUE if Role.LOAN_AGENT in message.receivers],
)
async def test_at_any_other_path_nothing_is_taken(lender: LenderNode, path: str) -> None:
    await refused(lender, Problem.NO_SUCH_PATH, signed(), path=path)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "post"])
async def test_by_any_other_method_nothing_is_taken_and_the_right_one_is_named(lender: LenderNode, method: str) -> None:
    await refused(lender, Problem.METHOD_NOT_ALLOWED, signed(), method=method)


@pytest.mark.parametrize("media_type", ["text/plain", "application/jose+json", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_refused(lender: LenderNode, media_type: str) -> None:
    await refused(lender, Problem.MEDIA_TYPE, signed(), headers={"content-type": media_type})


async def test_a_compressed_body_is_refused_unopened(lender: LenderNode) -> None:
    packed = gzip.compress(signed())
    answer = await refused(lender, Problem.MEDIA_TYPE, packed, headers={**JSON, "content-encoding": "gzip"})
    assert answer.ack(lender_key().public())["traceId"] == ""


async def test_a_body_that_is_too_large_is_refused_before_it_has_been_read_to_its_end(lender: LenderNode) -> None:
    piece = b" " * (MAX_BODY_BYTES // 4)
    pieces = [signed(), *[piece] * 4, b"this piece is never asked for", b"nor is this one"]
    await refused(lender, Problem.TOO_LARGE, b"", pieces=pieces)
    assert len(rows(lender.node.engine, REFUSALS)[0]["raw"]) == 65_536


async def test_a_body_of_exactly_the_limit_is_accepted(lender: LenderNode) -> None:
    assert (await lender.send(signed().ljust(MAX_BODY_BYTES))).status == 200


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff", b'{"payload":"a"}', b"<xml/>", b"{}" * 1000])
async def test_a_malformed_body_is_refused(lender: LenderNode, body: bytes) -> None:
    answer = await refused(lender, Problem.MALFORMED, body)
    assert answer.ack(lender_key().public())["traceId"] == ""


async def test_a_wrong_signature_is_refused(lender: LenderNode) -> None:
    other = signed(payload_of(TRIGGER.name, "request-2"))
    mixed = {**parts_of(signed()), "signature": parts_of(other)["signature"]}
    answer = await refused(lender, Problem.SIGNATURE, dump_json(mixed))
    assert answer.ack(lender_key().public())["traceId"] == "trace-1"


@pytest.mark.parametrize("certificate", [LENDER_CERTIFICATE, STRANGER_CERTIFICATE])
async def test_a_message_that_comes_over_anothers_connection_is_refused(lender: LenderNode, certificate: bytes) -> None:
    await refused(lender, Problem.SIGNATURE, signed(), certificate=certificate)
    (noted,) = rows(lender.node.engine, REFUSALS)
    assert noted["peer"] == ("LENDER01" if certificate == LENDER_CERTIFICATE else "")


async def test_a_message_that_comes_from_an_unlisted_address_is_refused(lender: LenderNode) -> None:
    await refused(lender, Problem.SENDER, signed(), address=UNLISTED_ADDRESS)


async def test_a_replay_is_refused_at_once_and_as_long_as_it_is_fresh(lender: LenderNode) -> None:
    await lender.send(signed())
    for seconds in (0, 1, 299):
        lender.clock.advance(seconds)
        await refused(lender, Problem.REPLAYED, signed())
    lender.clock.advance(1)
    await refused(lender, Problem.NOT_FRESH, signed())


async def test_a_replay_is_refused_after_old_nonces_have_been_forgotten(lender: LenderNode) -> None:
    await lender.send(signed())
    for seconds in (300, 0.001, 3600):
        lender.clock.advance(seconds)
        now = lender.clock.now()
        await lender.node.journal.purge(now, f"{(now - timedelta(seconds=300)).timestamp() * 1e6:017.0f}")
        await refused(lender, Problem.REPLAYED if seconds == 300 else Problem.NOT_FRESH, signed())


async def test_a_nonce_that_was_used_on_one_path_is_refused_on_another(lender: LenderNode) -> None:
    await lender.send(signed())
    elsewhere = signed(payload_of(VERIFY.name, "request-2"))
    await refused(lender, Problem.REPLAYED, elsewhere, path=VERIFY.path)


@pytest.mark.parametrize("name", [TRIGGER.name, VERIFY.name])
async def test_a_request_id_that_was_used_for_something_else_is_refused(lender: LenderNode, name: str) -> None:
    await lender.send(signed())
    other = {**payload_of(name, traceId="trace-2"), "extra": 1}
    path = TRIGGER.path if name == TRIGGER.name else VERIFY.path
    await refused(lender, Problem.CONFLICT, signed(other), path=path)


@pytest.mark.parametrize("seconds", [-300.001, 60.001, 86_400, -86_400])
async def test_a_message_that_is_stale_or_of_the_future_is_refused_and_both_clocks_are_named(
    lender: LenderNode, seconds: float
) -> None:
    stamp = format_timestamp(NOW + timedelta(seconds=seconds))
    document = payload_of(TRIGGER.name, timestamp=stamp)
    answer = await refused(lender, Problem.NOT_FRESH, signed(document))
    detail = answer.ack(lender_key().public())["detail"]
    assert format_timestamp(NOW) in detail["expected"] + detail["found"]
    assert stamp in detail["found"]


@pytest.mark.parametrize("seconds", [-300, 0, 60])
async def test_a_message_at_the_edge_of_the_window_is_accepted(lender: LenderNode, seconds: int) -> None:
    stamp = format_timestamp(NOW + timedelta(seconds=seconds))
    assert (await lender.post(payload_of(TRIGGER.name, timestamp=stamp))).status == 200


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"loanApplicationIds": None}, Problem.VALUE),
        ({"loanApplicationIds": []}, Problem.LENGTH),
        ({"loanApplicationIds": ["a" * 65]}, Problem.LENGTH),
        ({"loanApplicationIds": ["a\x00b"]}, Problem.VALUE),
        ({"credBlock": {"type": "PIN", "data": {}}}, Problem.NOT_IN_ENUM),
        ({"credBlock": {"type": "OTP"}}, Problem.MANDATORY_MISSING),
        ({"requestId": ""}, Problem.LENGTH),
        ({"requestId": "a" * 65}, Problem.LENGTH),
    ],
)
async def test_a_payload_that_does_not_fit_its_message_is_refused(
    lender: LenderNode, change: dict[str, Any], problem: Problem
) -> None:
    await refused(lender, problem, signed({**payload_of(TRIGGER.name), **change}))


@pytest.mark.parametrize(
    ("loan_application_id", "problem", "reason"),
    [
        ("UNKNOWN-1", Problem.UNKNOWN_REFERENCE, "no such application of this sender"),
        ("FOREIGN-1", Problem.UNKNOWN_REFERENCE, "no such application of this sender"),
        ("NOTACCEPTED-1", Problem.NOT_ALLOWED_NOW, "no offer has been accepted yet"),
    ],
)
async def test_what_a_rule_refuses_is_refused_with_its_reason(
    lender: LenderNode, loan_application_id: str, problem: Problem, reason: str
) -> None:
    document = {**payload_of(TRIGGER.name), "loanApplicationIds": ["APPL-1", loan_application_id]}
    answer = await refused(lender, problem, signed(document))
    detail = answer.ack(lender_key().public())["detail"]
    assert detail == {"meaning": problem.meaning, "reason": reason}
