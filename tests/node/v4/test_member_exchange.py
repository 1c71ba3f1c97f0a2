"""Two members of the network talk v4: tokens, detached signatures, signed acks, callbacks, and the evidence of it."""

import json
from typing import Any

import pytest
from httpx import Request, Response

from shared.node.send.outbox import OutboxState
from shared.node.send.sender import SendError
from shared.node.tables import ATTEMPTS, INBOX, OUTBOX, REFUSALS
from shared.protocol.detached import signing_input
from shared.protocol.encoding import base64url_decode
from shared.protocol.signing import VerificationKey
from shared.transport.tls import thumbprint
from tests.equipment.asgi import Answer
from tests.equipment.member_pair import AGENT, BANK, CREATE, CREATED, GRANT, MemberPair, body_of
from tests.equipment.pair import Way
from tests.equipment.parties import LENDER_CERTIFICATE, LSP_CERTIFICATE
from tests.equipment.scripted_registry import ROLES, TOKEN_PATH, jwk_of, rs256
from tests.equipment.storage import rows


def holds(signature: str, body: bytes, key: VerificationKey) -> bool:
    """Whether a detached signature is that of a body, in the form that we send."""
    header, middle, signed = signature.split(".")
    told = json.loads(base64url_decode(header))
    assert (middle, told["alg"], told["b64"], told["crit"]) == ("", "RS256", False, ["b64"])
    return key.verify(signing_input(header, body, is_unencoded=True), base64url_decode(signed))


def ack_of(answer: Answer) -> dict[str, Any]:
    """The ack of the lender, which it has signed in the HTTP header."""
    assert holds(answer.headers["signature"], answer.body, rs256("LENDER01").public())
    ack: dict[str, Any] = json.loads(answer.body)
    return ack


def state_of(pair: MemberPair, outbox_id: str) -> tuple[str, str]:
    """State and result of an entry in the loan agent's outbox."""
    (row,) = [row for row in rows(pair.agent.engine, OUTBOX) if row["id"] == outbox_id]
    return row["state"], row["result"]


async def test_a_request_is_acknowledged_and_answered_by_a_callback(pair: MemberPair) -> None:
    entry = await pair.send()
    (taken,) = rows(pair.bank.engine, INBOX)
    (called_back,) = rows(pair.agent.engine, INBOX)
    assert (taken["message"], taken["sender"], taken["request_id"]) == (
        CREATE.full_name,
        AGENT,
        entry.outgoing.request_id,
    )
    assert (called_back["message"], called_back["sender"]) == (CREATED.full_name, BANK)
    assert called_back["request_id"] == entry.outgoing.request_id
    for node in (pair.agent, pair.bank):
        assert [row["state"] for row in rows(node.engine, OUTBOX)] == [OutboxState.DELIVERED]
        assert node.telemetry.troubles == []


async def test_metadata_names_us_as_registry_and_token_do(pair: MemberPair) -> None:
    await pair.send()
    (row,) = rows(pair.bank.engine, INBOX)
    metadata = json.loads(row["raw"])["metadata"]
    ids = {"originatorOrgId": "900", "originatorParticipantId": AGENT, "orgId": "900", "participantId": AGENT}
    assert metadata.items() >= ids.items()


async def test_all_bytes_and_signatures_that_travelled_are_kept_on_both_sides(pair: MemberPair) -> None:
    await pair.send()
    (taken,), (attempt,) = rows(pair.bank.engine, INBOX), rows(pair.agent.engine, ATTEMPTS)
    assert (taken["raw"], taken["signature"]) == (attempt["sent"], attempt["signature"])
    assert (taken["ack"], taken["ack_signature"]) == (attempt["answer"], attempt["answer_signature"])
    assert holds(taken["signature"], taken["raw"], rs256("lsp").public())
    assert holds(taken["ack_signature"], taken["ack"], rs256("LENDER01").public())
    assert attempt["reason"] == "acknowledged"


@pytest.mark.check("OCEN-TOK-07")
async def test_each_side_shows_its_own_token_which_it_has_fetched_once(pair: MemberPair) -> None:
    seen: list[tuple[str, str]] = []

    def watch(link: Any, name: str) -> None:
        async def weather(request: Any, carry: Any) -> Any:
            seen.append((name, request.headers["authorization"]))
            return await carry(request)

        link.weather = weather

    watch(pair.to_bank, "agent")
    watch(pair.to_agent, "bank")
    for _ in range(3):
        await pair.send()
    tokens = {name: {token for side, token in seen if side == name} for name in ("agent", "bank")}
    assert len(seen) == 6
    assert {name: len(found) for name, found in tokens.items()} == {"agent": 1, "bank": 1}
    assert tokens["agent"] != tokens["bank"]
    assert pair.registry.asked(TOKEN_PATH) == 2


async def test_an_ack_names_the_trace_id_and_is_signed_in_the_header(pair: MemberPair) -> None:
    answer = await pair.post()
    assert (answer.status, ack_of(answer)) == (
        200,
        {"error": "0", "traceId": "trace-1", "timestamp": "2031-03-04T05:06:07.890Z"},
    )


async def test_an_ack_stands_inside_a_member_where_the_message_wants_that(pair: MemberPair) -> None:
    await pair.send()
    (called_back,) = rows(pair.agent.engine, INBOX)
    assert set(json.loads(called_back["ack"])) == {"ack"}
    (attempt,) = rows(pair.bank.engine, ATTEMPTS)
    assert (attempt["outcome"], attempt["reason"]) == ("ACCEPTED", "acknowledged")


async def test_a_callback_goes_to_the_base_url_of_the_registry_whatever_the_message_says(pair: MemberPair) -> None:
    called: list[str] = []

    async def weather(request: Any, carry: Any) -> Any:
        called.append(str(request.url))
        return await carry(request)

    pair.to_agent.weather = weather
    body = body_of(callbackUrl="https://elsewhere.example", baseUrl="https://elsewhere.example")
    assert (await pair.post(body)).status == 200
    await pair.settle()
    assert called == [f"https://{AGENT}.example{CREATED.path}"]


async def test_a_message_is_written_only_to_a_server_that_the_registry_names_for_its_receiver(pair: MemberPair) -> None:
    wanted: list[object] = []

    async def noting(request: Request, onwards: Way) -> Response:
        wanted.append(request.extensions["peer_certificates"])
        return await onwards(request)

    pair.to_bank.weather = pair.to_agent.weather = noting
    await pair.send()
    assert wanted == [{thumbprint(LENDER_CERTIFICATE)}, {thumbprint(LSP_CERTIFICATE)}]


async def test_a_callback_that_nobody_asked_for_is_refused(pair: MemberPair) -> None:
    body = body_of()
    await pair.post(body)
    await pair.settle()
    (attempt,) = rows(pair.bank.engine, ATTEMPTS)
    assert (attempt["outcome"], attempt["status"]) == ("REFUSED", 422)
    assert "GEN5011" in attempt["reason"]
    assert rows(pair.agent.engine, INBOX) == []


async def test_a_repeated_request_has_the_same_ack_and_no_second_effect(pair: MemberPair) -> None:
    await pair.post()
    pair.clock.advance(1)
    again = body_of(traceId="trace-2")
    assert ack_of(await pair.post(again))["error"] == "0"
    await pair.settle()
    assert len(rows(pair.bank.engine, INBOX)) == len(rows(pair.bank.engine, OUTBOX)) == 1


async def test_a_message_that_comes_again_at_another_path_is_a_replay(pair: MemberPair) -> None:
    body = body_of()
    headers = pair.headers(body)
    assert (await pair.post(body, headers=headers)).status == 200
    for path in (CREATE.path, GRANT.path):
        answer = await pair.post(body, path=path, headers=headers)
        assert (answer.status, ack_of(answer)["error"]) == (409, "AUTH1002")


async def test_a_request_id_that_was_used_at_another_path_is_a_conflict(pair: MemberPair) -> None:
    assert (await pair.post()).status == 200
    answer = await pair.post(body_of(traceId="trace-2"), path=GRANT.path)
    assert (answer.status, ack_of(answer)["error"]) == (409, "GEN5009")


async def test_a_lender_that_does_not_take_our_token_gets_the_message_again_with_another(pair: MemberPair) -> None:
    await pair.send()
    pair.clock.advance(3600)
    pair.registry.key = rs256("auth service 2")  # what the former key has signed counts no more
    pair.registry.jwks = [jwk_of(pair.registry.key)]
    entry = await pair.send()
    attempts = [row for row in rows(pair.agent.engine, ATTEMPTS) if row["outbox_id"] == entry.id]
    assert [row["outcome"] for row in attempts] == ["ACCEPTED"]
    assert len(rows(pair.bank.engine, REFUSALS)) == 1
    assert pair.registry.asked(TOKEN_PATH) == 4  # both sides' former ones, and both sides' new ones


async def test_a_token_that_no_renewal_makes_good_leaves_the_message_waiting(pair: MemberPair) -> None:
    await pair.send()
    pair.clock.advance(3600)
    pair.registry.jwks = [jwk_of(rs256("auth service 2"))]
    entry = await pair.send()
    assert state_of(pair, entry.id) == (OutboxState.WAITING, "HTTP 401 with error AUTH1005")


async def test_a_message_that_cannot_be_judged_now_waits_and_goes_through_later(pair: MemberPair) -> None:
    await pair.send()
    pair.clock.advance(1000)
    pair.registry.replies = {f"{ROLES}{AGENT}": lambda _: Response(503)}
    entry = await pair.send()
    assert state_of(pair, entry.id) == (OutboxState.WAITING, "HTTP 503 with error GEN5004")
    pair.registry.replies = {}
    pair.clock.advance(60)
    await pair.agent.courier.sweep()
    await pair.settle()
    assert state_of(pair, entry.id) == (OutboxState.DELIVERED, "acknowledged")


async def test_a_node_that_has_left_the_network_gives_its_deliveries_up_in_plain_sight(pair: MemberPair) -> None:
    pair.to_bank.callee = None
    entry = await pair.send()
    del pair.agent.directories["v4"]
    for _ in range(8):
        pair.clock.advance(200)
        await pair.agent.courier.sweep()
        await pair.settle()
    assert state_of(pair, entry.id) == (OutboxState.DEAD, "this node does not speak v4; see OCEN_REGISTRY_URL")
    assert pair.agent.telemetry.troubles == []


async def test_without_a_token_nothing_goes_out_and_the_reason_is_in_plain_sight(pair: MemberPair) -> None:
    await pair.send()
    pair.registry.is_down = True
    pair.clock.advance(86_500)
    with pytest.raises(SendError, match="3051 cannot be looked up now"):
        await pair.send()
