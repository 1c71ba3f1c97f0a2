"""What a refusal tells: everything in a sandbox, its code alone in strict mode, and always the operator."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from shared.node.tables import REFUSALS
from shared.protocol.checks.signature import MAX_GUESSED_BYTES, kid_selects_a_key_that_counts
from shared.protocol.encoding import base64url_decode, base64url_encode, dump_json, parse_json_object
from shared.protocol.problems import Problem
from shared.protocol.tampering import TAMPERINGS
from tests.equipment.clock import NOW
from tests.equipment.envelopes import parts_of
from tests.equipment.lender_node import LenderNode, lender_node, signed
from tests.equipment.messages import TRIGGER
from tests.equipment.parties import (
    LISTED_ADDRESS,
    good_message,
    lender_key,
    lsp_blocked_key,
    lsp_key,
    payload_of,
    stranger_key,
)
from tests.equipment.storage import rows


@pytest.fixture
async def lender(tmp_path: Path) -> AsyncIterator[LenderNode]:
    async with lender_node(tmp_path) as lender:
        yield lender


async def test_in_a_sandbox_the_failed_check_is_explained(lender: LenderNode) -> None:
    answer = await lender.post(key=stranger_key())
    detail = answer.ack(lender_key().public())["detail"]
    assert detail["meaning"] == Problem.SIGNATURE.meaning
    assert detail["check"] == "kid_selects_a_key_that_counts"
    assert detail["clause"] == kid_selects_a_key_that_counts.clause
    assert "of an onboarded participant" in detail["expected"]
    assert "stranger-kid" in detail["found"]


async def test_in_strict_mode_no_refusal_says_more_than_its_code(tmp_path: Path) -> None:
    async with lender_node(tmp_path, explains=False) as lender:
        await lender.send(signed())
        for row in {row.caught_by.name: row for row in TAMPERINGS}.values():
            answer = await lender.deliver(row.messages(good_message())[-1])
            shape = "header" if "header" in answer.envelope else "protected"
            ack = answer.ack(lender_key().public(), shape)
            assert set(ack) == {"error", "traceId", "timestamp"}, row.name
        document = {**payload_of(TRIGGER.name, traceId="new"), "loanApplicationIds": ["UNKNOWN-1"], "requestId": "new"}
        assert "detail" not in (await lender.post(document)).ack(lender_key().public())


async def test_in_strict_mode_a_kid_that_does_not_count_and_a_wrong_signature_look_alike(
    tmp_path: Path,
) -> None:
    other = signed(payload_of(TRIGGER.name, "request-2"))
    forged = dump_json({**parts_of(signed()), "signature": parts_of(other)["signature"]})
    async with lender_node(tmp_path, explains=False) as lender:
        answers = [
            await lender.post(key=stranger_key()),
            await lender.post(key=lsp_blocked_key()),
            await lender.post(key=good_message().other.key),
            await lender.send(forged),
        ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].status == 401


async def test_a_refusal_is_noted_with_all_that_is_known_of_it(lender: LenderNode) -> None:
    body = signed()
    await lender.send(body, path="/v3/loan/unknown")
    (noted,) = rows(lender.node.engine, REFUSALS)
    assert noted | {"id": "", "steps": ""} == {
        "id": "",
        "received_at": NOW,
        "peer": "LSP123",
        "address": LISTED_ADDRESS,
        "path": "/v3/loan/unknown",
        "request_id": "request-1",
        "trace_id": "trace-1",
        "error": Problem.NO_SUCH_PATH.code,
        "reason": "",
        "steps": "",
        "raw": body,
        "signature": "",
    }
    expected = "the path of a message taken here"
    assert parse_json_object(noted["steps"].encode()) == {"path_is_known": ["failed", "/v3/loan/unknown", expected]}


async def test_a_rule_that_refuses_leaves_its_reason_with_the_operator(tmp_path: Path) -> None:
    async with lender_node(tmp_path, explains=False) as lender:
        await lender.post({**payload_of(TRIGGER.name), "loanApplicationIds": ["UNKNOWN-1"]})
        (noted,) = rows(lender.node.engine, REFUSALS)
    assert (noted["error"], noted["reason"]) == ("GEN5011", "no such application of this sender")


@pytest.mark.parametrize(
    ("sign", "found"),
    [
        (lambda header, payload: f"{payload}.{header}".encode(), "payload.header, the wrong way round"),
        (lambda header, payload: base64url_decode(header) + b"." + base64url_decode(payload), "the decoded header"),
        (lambda header, payload: payload.encode(), "the payload alone"),
        (lambda header, payload: base64url_decode(payload), "the decoded payload alone"),
        (lambda header, payload: b"something else", "other bytes than these"),
    ],
)
async def test_who_signs_other_bytes_is_told_which(
    lender: LenderNode, sign: Callable[[str, str], bytes], found: str
) -> None:
    parts = parts_of(signed())
    signature = base64url_encode(lsp_key().sign(sign(parts["header"], parts["payload"])))
    answer = await lender.send(dump_json({**parts, "signature": signature}))
    detail = answer.ack(lender_key().public())["detail"]
    assert found in detail["found"]
    assert detail["found"].startswith("a signature by this key that does not verify")


async def test_of_a_large_message_is_not_found_out_what_was_signed_instead(lender: LenderNode) -> None:
    parts = parts_of(signed({**payload_of(TRIGGER.name), "note": "x" * MAX_GUESSED_BYTES}))
    signature = base64url_encode(lsp_key().sign(parts["payload"].encode()))
    detail = (await lender.send(dump_json({**parts, "signature": signature}))).ack(lender_key().public())["detail"]
    assert detail["found"] == "a signature by this key that does not verify: it is over other bytes than these"


async def test_who_signs_with_another_key_or_hash_is_told_so(lender: LenderNode) -> None:
    parts = parts_of(signed())
    text = f"{parts['header']}.{parts['payload']}".encode()
    found = []
    for key in (stranger_key(), lsp_key().bound_to("RS256")):
        body = dump_json({**parts, "signature": base64url_encode(key.sign(text))})
        found.append((await lender.send(body)).ack(lender_key().public())["detail"]["found"])
    assert found[0] == "256 bytes that do not verify: not a signature by this key"
    assert found[1] == "a signature by this key that does not verify: it is over SHA-256"
