"""Peers built on the official starter: how they sign is taken from them alone, and their unsigned acks are marked."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.node.tables import ATTEMPTS, INBOX, OUTBOX
from shared.protocol.detached import signing_input
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.participants import Dialect
from shared.protocol.signing import SigningKey
from tests.equipment.asgi import Answer
from tests.equipment.member_pair import AGENT, BANK, MemberPair, body_of, member_pair
from tests.equipment.parties import LENDER_CERTIFICATE
from tests.equipment.scripted_registry import jwk_of, rs256
from tests.equipment.storage import rows


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemberPair]:
    """A pair in which each side knows the other as a starter."""
    async with member_pair(
        tmp_path, monkeypatch, dialects={AGENT: Dialect.AUTHSTARTER, BANK: Dialect.AUTHSTARTER}
    ) as pair:
        yield pair


def starter_signature(body: bytes, key: SigningKey, **header: Any) -> str:
    """What a starter signs: the body as it is, with b64 false and no crit."""
    told = base64url_encode(dump_json({"alg": "RS256", "b64": False, **header}))
    return f"{told}..{base64url_encode(key.sign(signing_input(told, body, is_unencoded=True)))}"


async def post(pair: MemberPair, **header: Any) -> Answer:
    """Send a message as a starter does."""
    headers = pair.headers(body_of())
    del headers["signature"]
    return await pair.post(headers={**headers, "x-jws-signature": starter_signature(body_of(), rs256("lsp"), **header)})


@pytest.mark.parametrize("header", [{"kid": "lsp-kid"}, {"kid": None}, {}])
async def test_a_signature_without_crit_and_without_kid_counts_from_a_starter_with_one_key(
    pair: MemberPair, header: dict[str, Any]
) -> None:
    answer = await post(pair, **header)
    assert answer.status == 200
    assert answer.headers["signature"] == answer.headers["x-jws-signature"]
    (row,) = rows(pair.bank.engine, INBOX)
    assert (row["kid"], row["signature"].count("..")) == ("lsp-kid", 1)


async def test_with_two_keys_a_starter_has_to_name_one(pair: MemberPair) -> None:
    pair.registry.keys[AGENT].append(jwk_of(rs256("lsp backup")))
    assert (await post(pair, kid=None)).status == 401
    assert (await post(pair, kid="lsp-kid")).status == 200


async def test_from_any_other_peer_the_same_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with member_pair(tmp_path, monkeypatch) as strict:
        assert (await post(strict, kid="lsp-kid")).status == 401
        assert (await post(strict, kid=None)).status == 401
        assert rows(strict.bank.engine, INBOX) == []


async def test_a_starter_gets_our_signature_under_both_names(pair: MemberPair) -> None:
    seen: list[httpx.Headers] = []

    async def weather(request: httpx.Request, carry: Any) -> httpx.Response:
        seen.append(request.headers)
        response: httpx.Response = await carry(request)
        return response

    pair.to_bank.weather = weather
    await pair.send()
    assert seen[0]["signature"] == seen[0]["x-jws-signature"]


def acking(change: Callable[[dict[str, Any]], Any], **headers: str) -> Any:
    """Answer as a starter does: with an ack that nobody has signed."""

    async def weather(request: httpx.Request, carry: Any) -> httpx.Response:
        trace_id = json.loads(request.content)["metadata"]["traceId"]
        ack = {"error": None, "traceId": trace_id, "timestamp": "2031-03-04T05:06:07.890"}
        extensions = {"tls_peer_certificate": LENDER_CERTIFICATE}
        return httpx.Response(200, json=change(ack), headers=headers, extensions=extensions)

    return weather


async def test_an_unsigned_ack_of_a_starter_counts_and_is_marked(pair: MemberPair) -> None:
    pair.to_bank.weather = acking(lambda ack: ack)
    await pair.send()
    (row,), (attempt,) = rows(pair.agent.engine, OUTBOX), rows(pair.agent.engine, ATTEMPTS)
    assert (row["state"], row["result"]) == ("DELIVERED", "acknowledged, unsigned")
    assert (attempt["outcome"], attempt["answer_signature"]) == ("ACCEPTED", "")
    assert "not judged" in attempt["steps"]


@pytest.mark.parametrize("signature", ["e30..AA", "junk"])
async def test_a_signature_that_a_starter_gives_has_to_hold(pair: MemberPair, signature: str) -> None:
    pair.to_bank.weather = acking(lambda ack: ack, signature=signature)
    await pair.send()
    (attempt,) = rows(pair.agent.engine, ATTEMPTS)
    assert attempt["outcome"] == "FAILED"


async def test_an_unsigned_ack_has_to_name_our_trace_id(pair: MemberPair) -> None:
    pair.to_bank.weather = acking(lambda ack: {**ack, "traceId": "another"})
    await pair.send()
    (attempt,) = rows(pair.agent.engine, ATTEMPTS)
    assert (attempt["outcome"], "ack_names_our_trace_id" in attempt["reason"]) == ("FAILED", True)


async def test_an_unsigned_ack_of_any_other_peer_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with member_pair(tmp_path, monkeypatch) as strict:
        strict.to_bank.weather = acking(lambda ack: {**ack, "error": "0"})
        await strict.send()
        (row,) = rows(strict.agent.engine, OUTBOX)
        assert (row["state"], "signature_header_is_given_once" in row["result"]) == ("WAITING", True)
