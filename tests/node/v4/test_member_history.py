"""What the operator plane shows of messages of OCEN 4.0: bodies, detached signatures, and what both say."""

import json
import re

from sqlalchemy import Engine

from shared.node.ops.history import message_history
from shared.node.ops.ledger_views import MessageHistory, SignedTextView
from shared.node.tables import ATTEMPTS, INBOX, REFUSALS
from shared.protocol.profiles import V4
from tests.equipment.member_pair import MemberPair, body_of
from tests.equipment.storage import rows
from tests.equipment.v4_messages import AGENT


def history(engine: Engine, request_id: str) -> MessageHistory:
    with engine.connect() as connection:
        found = message_history(connection, request_id, {"v3": "LSP123", "v4": AGENT})
    assert found is not None
    return found


def is_shown(text: SignedTextView, body: bytes, signature: str, kid: str) -> bool:
    """Whether a text is shown as it travelled, and read: the header of the JWS, and the body."""
    assert text.decoded is not None
    assert (text.decoded.header["kid"], text.decoded.header["alg"]) == (kid, "RS256")
    return (text.envelope.encode(), text.signature, text.decoded.payload) == (body, signature, json.loads(body))


async def test_a_request_shows_its_body_and_its_detached_signature_and_so_does_its_ack(pair: MemberPair) -> None:
    entry = await pair.send()
    (sent,) = history(pair.agent.engine, entry.outgoing.request_id).sent
    (attempt,), (row,) = sent.attempts, rows(pair.agent.engine, ATTEMPTS)
    assert is_shown(attempt.sent, row["sent"], row["signature"], row["kid"])
    assert attempt.answer is not None
    (taken,) = rows(pair.bank.engine, INBOX)
    assert attempt.answer.signature == row["answer_signature"] == taken["ack_signature"]
    assert attempt.answer.decoded is not None
    assert attempt.answer.decoded.payload["error"] == "0"
    (received,) = history(pair.bank.engine, entry.outgoing.request_id).received
    assert is_shown(received, taken["raw"], taken["signature"], taken["kid"])
    assert received.ack == attempt.answer


async def test_no_token_is_shown(pair: MemberPair) -> None:
    entry = await pair.send()
    for node in (pair.agent, pair.bank):
        shown = history(node.engine, entry.outgoing.request_id).model_dump_json()
        assert re.search(r"eyJ[\w-]+\.\.[\w-]+", shown)  # a detached signature has nothing between its dots
        assert not re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", shown)


async def test_a_refused_body_is_shown_with_the_signature_that_came_with_it(pair: MemberPair) -> None:
    signed = body_of()
    answer = await pair.post(signed.replace(b"trace-1", b"trace-2"), headers=pair.headers(signed))
    assert answer.status == 401
    (row,) = rows(pair.bank.engine, REFUSALS)
    (refused,) = history(pair.bank.engine, row["request_id"]).refused
    assert (refused.raw.encode(), refused.signature) == (row["raw"], row["signature"])
    assert refused.signature == pair.headers(signed)["signature"]


def test_an_answer_that_nobody_signed_is_shown_with_an_empty_header() -> None:
    text = SignedTextView.of(b'{"error":"0"}', "", V4)
    assert text.decoded is not None
    assert (text.decoded.header, text.decoded.payload, text.signature) == ({}, {"error": "0"}, "")


def test_what_cannot_be_read_is_shown_undecoded() -> None:
    for body, signature in ((b"<html>", ""), (b"{}", "no header at all"), (b"[]", "e30..c2ln")):
        text = SignedTextView.of(body, signature, V4)
        assert (text.envelope.encode(), text.signature, text.decoded) == (body, signature, None)
