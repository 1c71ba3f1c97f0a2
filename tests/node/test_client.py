"""One try to deliver: what goes out, and what each kind of answer is taken for."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.catalogue.table import example_of, get_message
from shared.node.rules import Outgoing
from shared.node.send.client import LONGEST_RETRY_AFTER, MAX_ACK_BYTES, SignedClient
from shared.node.send.outbox import AttemptOutcome, DeliveryAttempt, OutboxEntry
from shared.protocol.encoding import base64url_decode, base64url_encode
from shared.protocol.participants import EnvelopeMember, KeyStatus, Participant, PublicKey
from shared.protocol.profiles import V3
from shared.protocol.verification import Outcome, Verification
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.counterparty import Reply, ScriptedTransport, acking, answering, failing
from tests.equipment.parties import (
    LENDER,
    LSP,
    STRANGER_CERTIFICATE,
    identity_of,
    lender,
    lender_key,
    lsp,
    lsp_backup_key,
    lsp_key,
    stranger_key,
)

MESSAGE = get_message("v3", "TriggerLoanAcceptanceRequest")
CONTENT = {"requestId": "request-1", **example_of(MESSAGE)}
ENTRY = OutboxEntry("entry-1", Outgoing(LENDER, MESSAGE, "request-1", CONTENT), NOW)


def verification(attempt: DeliveryAttempt) -> Verification:
    assert attempt.verification is not None
    return attempt.verification


async def deliver(transport: ScriptedTransport, receiver: Participant | None = None) -> DeliveryAttempt:
    client = SignedClient(transport, identity_of(lsp(), lsp_key()), FrozenClock())
    return await client.deliver(ENTRY, MESSAGE, receiver or lender(), V3)


async def outcome_of(reply: Reply) -> DeliveryAttempt:
    return await deliver(ScriptedTransport(reply))


async def test_the_message_goes_to_its_path_below_the_base_url_of_its_receiver() -> None:
    transport = ScriptedTransport(acking())
    await deliver(transport)
    (request,) = transport.requests
    assert (request.method, str(request.url)) == ("POST", f"https://lender.example/base{MESSAGE.path}")
    assert request.headers["content-type"] == request.headers["accept"] == "application/json"
    assert request.headers["host"] == "lender.example"
    assert request.headers["content-length"] == str(len(request.content))


async def test_no_answer_is_invited_that_has_to_be_unpacked() -> None:
    transport = ScriptedTransport(acking())
    await deliver(transport)
    assert transport.requests[0].headers.get("accept-encoding", "identity") == "identity"


async def test_the_ack_is_awaited_as_long_as_the_profile_says() -> None:
    transport = ScriptedTransport(acking())
    await deliver(transport)
    timeout = transport.requests[0].extensions["timeout"]
    assert (timeout["connect"], timeout["read"]) == (4.0, 4.0)


async def test_only_a_server_with_a_registered_certificate_may_get_it() -> None:
    transport = ScriptedTransport(acking())
    attempt = await deliver(transport)
    assert transport.requests[0].extensions["peer_certificates"] == lender().certificates
    assert {attempt.certificate} == lender().certificates


@pytest.mark.parametrize("member", list(EnvelopeMember))
async def test_the_envelope_is_signed_and_spelled_as_the_receiver_wants_it(member: EnvelopeMember) -> None:
    transport = ScriptedTransport(acking(member=member))
    attempt = await deliver(transport, lender(envelope_member=member))
    envelope = json.loads(transport.requests[0].content)
    assert set(envelope) == {"payload", member.value, "signature"}
    signing_input = f"{envelope[member.value]}.{envelope['payload']}".encode()
    assert lsp_key().public().verify(signing_input, base64url_decode(envelope["signature"]))
    assert attempt.sent == transport.requests[0].content


async def test_the_metadata_is_stamped_on_delivery() -> None:
    transport = ScriptedTransport(acking())
    attempt = await deliver(transport)
    (payload,) = transport.payloads
    assert payload == {
        "metadata": {
            "version": "1.0",
            "timestamp": "2031-03-04T05:06:07.890Z",
            "traceId": attempt.trace_id,
            "orgId": LSP,
        },
        **CONTENT,
    }


async def test_each_try_has_a_new_trace_id_and_timestamp_and_the_same_request_id_and_content() -> None:
    clock, transport = FrozenClock(), ScriptedTransport(acking())
    client = SignedClient(transport, identity_of(lsp(), lsp_key()), clock)
    for _ in range(3):
        await client.deliver(ENTRY, MESSAGE, lender(), V3)
        clock.advance(1)
    metadata = [payload.pop("metadata") for payload in transport.payloads]
    assert len({stamped["traceId"] for stamped in metadata}) == len({stamped["timestamp"] for stamped in metadata}) == 3
    assert [{key: payload[key] for key in CONTENT} for payload in transport.payloads] == [CONTENT] * 3


async def test_each_try_is_signed_with_the_key_of_its_moment() -> None:
    transport = ScriptedTransport(acking())
    for key in (lsp_key(), lsp_backup_key()):
        client = SignedClient(transport, identity_of(lsp(), key), FrozenClock())
        attempt = await client.deliver(ENTRY, MESSAGE, lender(), V3)
        header = json.loads(base64url_decode(json.loads(transport.requests[-1].content)["header"]))
        assert header["kid"] == attempt.kid == key.kid


@pytest.mark.parametrize("member", list(EnvelopeMember))
async def test_a_signed_ack_that_names_our_trace_id_is_accepted(member: EnvelopeMember) -> None:
    attempt = await outcome_of(acking(member=member))
    assert (attempt.outcome, attempt.status, attempt.reason) == (AttemptOutcome.ACCEPTED, 200, "acknowledged")
    assert attempt.answer
    assert {step.outcome for step in verification(attempt).steps} == {Outcome.PASSED}


async def test_an_ack_may_be_wrapped() -> None:
    attempt = await outcome_of(acking(change=lambda ack: {"ack": ack}))
    assert attempt.outcome is AttemptOutcome.ACCEPTED


async def test_an_ack_signed_by_the_back_up_key_of_the_receiver_counts() -> None:
    backup = PublicKey(lsp_backup_key().kid, lsp_backup_key().public(), KeyStatus.BACKUP)
    transport = ScriptedTransport(acking(key=lsp_backup_key()))
    attempt = await deliver(transport, lender(keys=(*lender().keys, backup)))
    assert attempt.outcome is AttemptOutcome.ACCEPTED


def _signature_of_another_ack(request: httpx.Request) -> Any:
    mine, other = json.loads(acking()(request).content), json.loads(acking(error="1")(request).content)
    return answering(json.dumps({**mine, "signature": other["signature"]}).encode())(request)


def _unsigned(request: httpx.Request) -> Any:
    return answering(base64url_decode(json.loads(acking()(request).content)["payload"]))(request)


def _with(**members: Any) -> Reply:
    return acking(change=lambda ack: {**ack, **members})


def _without(name: str) -> Reply:
    return acking(change=lambda ack: {member: value for member, value in ack.items() if member != name})


NO_ACKS: dict[str, tuple[Reply, str]] = {
    "an empty body": (answering(b""), "body_is_a_json_object"),
    "a web page": (answering(b"<html>OK</html>"), "body_is_a_json_object"),
    "an unsigned ack": (_unsigned, "one_signed_header"),
    "the signature of another ack": (_signature_of_another_ack, "signature_verifies"),
    "a signature by a stranger": (acking(key=stranger_key()), "kid_selects_a_key_that_counts"),
    "a signature by ourselves": (acking(key=lsp_key()), "kid_selects_a_key_that_counts"),
    "another algorithm": (acking(key=lender_key().bound_to("RS256")), "algorithm_is_the_agreed_one"),
    "another certificate": (acking(certificate=STRANGER_CERTIFICATE), "certificate_is_registered"),
    "no certificate": (acking(certificate=b""), "certificate_is_registered"),
    "another traceId": (_with(traceId="trace-of-another"), "ack_names_our_trace_id"),
    "no traceId": (_without("traceId"), "ack_has_its_members"),
    "no error": (_without("error"), "ack_has_its_members"),
    "an error that is a number": (_with(error=0), "ack_has_its_members"),
    "no timestamp": (_without("timestamp"), "ack_has_its_members"),
    "a payload that is no object": (acking(change=lambda ack: [ack]), "payload_is_a_json_object"),
    "an ack that is no object": (acking(change=lambda ack: {"ack": "0"}), "ack_has_its_members"),
}


@pytest.mark.parametrize(("reply", "check"), NO_ACKS.values(), ids=NO_ACKS)
async def test_what_is_no_valid_ack_says_nothing_whatever_its_status(reply: Reply, check: str) -> None:
    def with_status(status: int, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = reply(request)
        response.status_code = status
        return response

    for status in (200, 400, 500):
        attempt = await outcome_of(partial(with_status, status))
        assert attempt.outcome is AttemptOutcome.FAILED
        assert attempt.reason.startswith(f"HTTP {status} without a valid ack: {check}: ")
        failure = verification(attempt).failure
        assert failure is not None
        assert failure.check.name == check


async def test_an_ack_by_a_blocked_key_of_the_receiver_does_not_count() -> None:
    blocked = PublicKey(stranger_key().kid, stranger_key().public(), KeyStatus.BLOCKED)
    transport = ScriptedTransport(acking(key=stranger_key()))
    attempt = await deliver(transport, lender(keys=(*lender().keys, blocked)))
    assert attempt.outcome is AttemptOutcome.FAILED


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422])
async def test_a_signed_4xx_is_final(status: int) -> None:
    attempt = await outcome_of(acking(error="GEN5009", status=status))
    assert (attempt.outcome, attempt.status, attempt.reason) == (
        AttemptOutcome.REFUSED,
        status,
        "refused with GEN5009",
    )


async def test_the_detail_of_a_refusal_is_kept_in_its_reason() -> None:
    detail = {"meaning": "It is known.", "check": "request_id_is_new", "more": {"not": "text"}}
    attempt = await outcome_of(acking("GEN5009", 409, change=lambda ack: {**ack, "detail": detail}))
    assert attempt.reason == "refused with GEN5009: meaning It is known; check request_id_is_new"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_signed_429_or_5xx_is_tried_again(status: int) -> None:
    attempt = await outcome_of(acking(error="GEN5004", status=status))
    assert (attempt.outcome, attempt.reason) == (AttemptOutcome.FAILED, f"HTTP {status} with error GEN5004")


@pytest.mark.parametrize("status", [302, 400, 503])
async def test_an_ack_that_accepts_under_a_status_that_does_not_is_tried_again(status: int) -> None:
    attempt = await outcome_of(acking(status=status))
    assert attempt.outcome is AttemptOutcome.FAILED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    transport = ScriptedTransport(answering(b"", status, {"location": "https://elsewhere.example/v3"}))
    attempt = await deliver(transport)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("connection refused"),
        httpx.ConnectTimeout("no connection within 4 s"),
        httpx.ReadTimeout("no complete response within 4 s"),
        httpx.ReadError("broken"),
        httpx.WriteError("broken"),
        httpx.RemoteProtocolError("no HTTP"),
        httpx.PoolTimeout("all in use"),
        httpx.UnsupportedProtocol("http://"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_the_network_does_is_a_failed_try(error: Exception) -> None:
    attempt = await outcome_of(failing(error))
    assert (attempt.outcome, attempt.status, attempt.answer) == (AttemptOutcome.FAILED, None, b"")
    assert attempt.reason == f"no answer: {type(error).__name__}: {error}"
    assert attempt.sent


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("Tue, 04 Mar 2031 05:06:37 GMT", 29.11),
        ("Tue, 04 Mar 2031 05:06:37 -0000", 29.11),
        ("Tuesday, 04-Mar-31 05:06:37 GMT", 29.11),
        ("Tue, 04 Mar 2031 05:06:00 GMT", -7.89),
        ("9" * 30, LONGEST_RETRY_AFTER),
        ("9" * 400, LONGEST_RETRY_AFTER),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("Mon, 01 Jan 2024 00:00:00 +9999999999", None),
        ("", None),
        ("-3", None),
        ("1.5", None),
        ("soon", None),
    ],
)
async def test_retry_after_is_read_in_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    attempt = await outcome_of(acking("GEN5004", 503, headers={"retry-after": value}))
    assert attempt.retry_after == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("60", 60.0), ("86400", 60.0), ("9" * 400, 60.0)])
@pytest.mark.parametrize("reply", [answering, lambda *answer: acking(key=stranger_key(), headers=answer[2])])
async def test_retry_after_of_an_answer_that_proves_nothing_is_believed_up_to_a_minute(
    reply: Callable[..., Reply], value: str, seconds: float
) -> None:
    attempt = await outcome_of(reply(b"<html>Try later</html>", 503, {"retry-after": value}))
    assert (attempt.outcome, attempt.retry_after) == (AttemptOutcome.FAILED, seconds)


@pytest.mark.parametrize("status", [409, 503])
async def test_an_error_code_without_end_is_cut_in_the_reason(status: int) -> None:
    attempt = await outcome_of(acking("GEN5009" + "x" * 10_000, status))
    assert attempt.reason.endswith(f" {'GEN5009'.ljust(64, 'x')}")


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40))
async def test_no_text_in_retry_after_spoils_a_try(value: str) -> None:
    headers = httpx.Headers([(b"retry-after", value.encode("latin-1"))])
    attempt = await outcome_of(acking("GEN5004", 503, headers=headers))
    assert attempt.retry_after is None or attempt.retry_after <= LONGEST_RETRY_AFTER
    assert attempt.started_at + timedelta(seconds=attempt.retry_after or 0)


@settings(deadline=None)
@given(st.binary(max_size=200))
async def test_no_bytes_in_an_answer_spoil_a_try(body: bytes) -> None:
    attempt = await outcome_of(answering(body))
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.answer == body


def padded(reply: Reply, size: int) -> Reply:
    """The same answer with white space behind it, which changes nothing but its size."""

    def longer(request: httpx.Request) -> httpx.Response:
        response: httpx.Response = reply(request)
        body = response.content.ljust(size)
        return httpx.Response(response.status_code, content=body, extensions=response.extensions)

    return longer


async def test_an_ack_may_have_64_kib_and_not_a_byte_more() -> None:
    assert (await outcome_of(padded(acking(), MAX_ACK_BYTES))).outcome is AttemptOutcome.ACCEPTED
    attempt = await outcome_of(padded(acking(), MAX_ACK_BYTES + 1))
    assert (attempt.outcome, attempt.status) == (AttemptOutcome.FAILED, 200)
    found = "65537 bytes, and an ack has at most 65536; the first 65536 are kept"
    assert attempt.reason == f"HTTP 200 without a valid ack: {found}"
    assert len(attempt.answer) == MAX_ACK_BYTES == 65_536


async def test_of_an_answer_that_is_too_long_for_an_ack_nothing_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    decode = json.JSONDecoder.decode

    def counting(decoder: json.JSONDecoder, text: str) -> Any:
        parsed.append(len(text))
        return decode(decoder, text)

    body = b'{"payload":[' + b"1.0," * 250_000 + b"1]}"
    monkeypatch.setattr(json.JSONDecoder, "decode", counting)
    attempt = await outcome_of(answering(body, 503, {"retry-after": "17"}))
    assert parsed == []
    assert attempt.answer == body[:MAX_ACK_BYTES]
    assert (attempt.outcome, attempt.status, attempt.retry_after) == (AttemptOutcome.FAILED, 503, 17)
    assert attempt.verification is None


async def test_the_time_of_a_try_is_measured() -> None:
    clock = FrozenClock()

    def slowly(request: httpx.Request) -> httpx.Response:
        clock.advance(1.25)
        response: httpx.Response = acking()(request)
        return response

    client = SignedClient(ScriptedTransport(slowly), identity_of(lsp(), lsp_key()), clock)
    attempt = await client.deliver(ENTRY, MESSAGE, lender(), V3)
    assert (attempt.started_at, attempt.milliseconds) == (NOW, 1250)


async def test_closing_the_client_closes_its_connections() -> None:
    transport = ScriptedTransport(acking())
    await SignedClient(transport, identity_of(lsp(), lsp_key()), FrozenClock()).aclose()
    assert transport.is_closed


async def test_a_tampered_kid_in_an_ack_reaches_the_reason_without_harm() -> None:
    def reply(request: httpx.Request) -> Any:
        envelope = json.loads(acking()(request).content)
        header = base64url_encode(json.dumps({"alg": "RS512", "kid": "a\x00b"}).encode())
        return answering(json.dumps({**envelope, "header": header}).encode())(request)

    attempt = await outcome_of(reply)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert "kid_is_given" in attempt.reason
