"""The signed client: one try to deliver a message, from fresh metadata to the verified ack."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from typing import Any, TypeAlias

import httpx

from shared.clock import Clock
from shared.node.counterparties import Access
from shared.node.identity import Identity
from shared.node.ids import new_id
from shared.node.refusals import MAX_RAW_BYTES
from shared.node.send.outbox import AttemptOutcome, DeliveryAttempt, OutboxEntry
from shared.protocol.detached import signature_in
from shared.protocol.messages import MessageType
from shared.protocol.participants import Participant
from shared.protocol.phases import Peer, WireMessage
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.profiles import Judged, Profile
from shared.protocol.verification import Need
from shared.transport.tls import thumbprint
from shared.transport.transport import UnregisteredCertificateError

LONGEST_RETRY_AFTER = 86_400.0
"""Seconds; a receiver that asks for more is taken to ask for a day. It must not reach beyond what dates can hold."""

LONGEST_UNSIGNED_RETRY_AFTER = 60.0
"""Seconds; a gateway before the receiver cannot sign when to come again, and is believed within reason."""

UNSIGNED = "acknowledged, unsigned"
"""How a try is noted that only a peer may answer so which is built on an official starter."""

_UNSIGNED_ACK = frozenset({Need.CONNECTION, Need.KEY, Need.DIRECTORY, Need.SENT_MESSAGE, Need.HISTORY})
_ACK = _UNSIGNED_ACK | {Need.SIGNATURE}

MAX_CODE_LENGTH = 64
"""Characters of an ack's `error` that are kept and logged; a code of the catalogue has eight."""

MAX_ACK_BYTES = MAX_RAW_BYTES
"""A longer answer is no ack: nothing of it is parsed, and of it is kept what is kept of a refused message."""

UNAUTHORIZED = 401

AskAnew: TypeAlias = Callable[[Participant], Awaitable[Participant | None]]
"""Returns a receiver with other keys or certificates than were known; see `Counterparties.receiver_anew`."""


async def _know_no_other(_: Participant) -> None:
    return None


_HEADERS = httpx.Headers(
    # Not compressed: the size of an answer has to be known before anything is done with it.
    {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
)


class SignedClient:
    """Delivers messages to counterparties.

    It never raises for what a counterparty or the network does: whatever happens becomes a `DeliveryAttempt`.

    It hands its requests to an httpx transport, without an httpx client between: of what the client adds, cookies,
    redirects, authentication and proxies have no place here, and they cost a third of a signature per message.
    """

    def __init__(
        self, transport: httpx.AsyncBaseTransport, identity: Identity, clock: Clock, access: Access | None = None
    ) -> None:
        """Deliver over `transport`; `access` gives the tokens of the profiles that want one."""
        self._transport = transport
        self._identity = identity
        self._clock = clock
        self._access = access

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def deliver(
        self,
        entry: OutboxEntry,
        message_type: MessageType,
        receiver: Participant,
        profile: Profile,
        ask_anew: AskAnew = _know_no_other,
    ) -> DeliveryAttempt:
        """Make one try; where the receiver does not take our token, another with a new token.

        Where the receiver's certificate or ack is not what is known of it, `ask_anew` is asked once, and what it says
        counts: the receiver may have changed them since it was looked up.

        The metadata is stamped and the message signed here and now: requestId and content stay the same over all tries,
        timestamp and traceId are new each time (docs/positions.md P8, P10), so that a repetition is no replay, and keys
        may have changed since the last try.

        Raises:
            CounterpartiesUnavailable: no token can be had now.
        """
        if not profile.wants_token or self._access is None:
            return await self._try(entry, message_type, receiver, profile, _HEADERS, ask_anew=ask_anew)
        token = await self._access.token()
        attempt = await self._try(entry, message_type, receiver, profile, _authorized(token), ask_anew=ask_anew)
        if attempt.status == UNAUTHORIZED and (renewed := await self._access.renew(token)) != token:
            attempt = await self._try(entry, message_type, receiver, profile, _authorized(renewed), ask_anew=ask_anew)
        return attempt

    async def _try(
        self,
        entry: OutboxEntry,
        message_type: MessageType,
        receiver: Participant,
        profile: Profile,
        headers: httpx.Headers,
        *,
        ask_anew: AskAnew,
    ) -> DeliveryAttempt:
        key, trace_id, outgoing = self._identity.signing_key, new_id(), entry.outgoing
        started_at, started = self._clock.now(), self._clock.elapsed()
        originator = self._identity.originators[profile.name]
        payload = profile.stamp(outgoing.content, originator, outgoing.request_id, trace_id, started_at)
        body, signed = profile.sign(payload, key, profile.variant_for(receiver))
        seconds = profile.ack_timeout.total_seconds()
        request = httpx.Request(
            message_type.method,
            _url(receiver.base_url, message_type.path),
            headers=_with(headers, signed) if signed else headers,
            content=body,
            extensions={
                "timeout": {"connect": seconds, "read": seconds, "write": seconds, "pool": None},
                "peer_certificates": receiver.certificates or None,
            },
        )
        verdict = await self._exchange(request, receiver, trace_id, profile, ask_anew)
        return DeliveryAttempt(
            entry=entry,
            started_at=started_at,
            milliseconds=round((self._clock.elapsed() - started) * 1000, 2),
            trace_id=trace_id,
            kid=key.kid,
            sent=body,
            signature=signature_in(signed),
            **verdict,
        )

    async def _exchange(
        self, request: httpx.Request, receiver: Participant, trace_id: str, profile: Profile, ask_anew: AskAnew
    ) -> Mapping[str, Any]:
        try:
            response, receiver = await self._send(request, receiver, ask_anew)
        except httpx.TransportError as error:
            reason = f"no answer: {type(error).__name__}: {error}"[:500]
            return {"outcome": AttemptOutcome.FAILED, "reason": reason}
        peer = Peer(thumbprint(response.extensions.get("tls_peer_certificate", b"")), receiver.base_url)
        if len(response.content) > MAX_ACK_BYTES:
            return self._told(response, peer, AttemptOutcome.FAILED, _too_long(response), LONGEST_UNSIGNED_RETRY_AFTER)
        judged = judge_answer(response, peer, receiver, trace_id, profile)
        if judged.verification.failure and judged.holder is not None and (now := await ask_anew(receiver)) is not None:
            judged = judge_answer(response, peer, now, trace_id, profile)
        outcome, reason = _meaning_of(response.status_code, judged)
        longest = LONGEST_UNSIGNED_RETRY_AFTER if judged.verification.failure else LONGEST_RETRY_AFTER
        return self._told(response, peer, outcome, reason, longest) | {
            "answer_signature": judged.opened.signature_text,
            "verification": judged.verification,
        }

    def _told(
        self, response: httpx.Response, peer: Peer, outcome: AttemptOutcome, reason: str, longest: float
    ) -> dict[str, Any]:
        return {
            "outcome": outcome,
            "reason": reason,
            "certificate": peer.certificate,
            "status": response.status_code,
            "answer": response.content[:MAX_ACK_BYTES],
            "retry_after": _retry_after(response.headers.get("retry-after"), self._clock.now(), longest),
        }

    async def _send(
        self, request: httpx.Request, receiver: Participant, ask_anew: AskAnew
    ) -> tuple[httpx.Response, Participant]:
        """Send to a server that shows a certificate of the receiver, as it is known now."""
        try:
            return await self._transport.handle_async_request(request), receiver
        except UnregisteredCertificateError:
            now = await ask_anew(receiver)
            if now is None or now.base_url != receiver.base_url:
                raise
            request.extensions["peer_certificates"] = now.certificates or None
            return await self._transport.handle_async_request(request), now


@lru_cache(maxsize=16)
def _authorized(token: str) -> httpx.Headers:
    """Make the headers of calls with this token once (RFC 6750 s2.1)."""
    return httpx.Headers({**_HEADERS, "authorization": f"Bearer {token}"})


def _with(headers: httpx.Headers, signed: Mapping[str, str]) -> httpx.Headers:
    """Add headers without taking those apart that are there already."""
    return httpx.Headers([*headers.raw, *((name.encode(), value.encode()) for name, value in signed.items())])


@lru_cache(maxsize=1024)
def _url(base_url: str, path: str) -> httpx.URL:
    """Parse a URL once: parsing takes longer than writing the request does."""
    return httpx.URL(base_url + path)


def judge_answer(response: httpx.Response, peer: Peer, callee: Participant, trace_id: str, profile: Profile) -> Judged:
    """Judge the answer to our message with that traceId: only a key of the party that we called counts."""
    headers = {name.lower(): value for name, value in response.headers.items()} if profile.wants_token else {}
    opened = profile.opened(WireMessage("", "", headers, response.content, peer), answers=trace_id)
    provided = _UNSIGNED_ACK if profile.may_be_unsigned(callee, opened) else _ACK
    return profile.judge_ack(opened, partial(profile.answerer, callee), provided)


def _meaning_of(status: int, judged: Judged) -> tuple[AttemptOutcome, str]:
    """Read an answer: only a signed ack that names our traceId says anything (docs/positions.md P9, P10)."""
    failure, identified = judged.verification.failure, judged.identified
    if failure is not None or identified is None:
        found = f"{failure.check.name}: {failure.found}" if failure else ""
        return AttemptOutcome.FAILED, f"HTTP {status} without a valid ack: {found}"
    error = identified.ack["error"][:MAX_CODE_LENGTH]
    if error == SUCCESS and status < 300:
        return AttemptOutcome.ACCEPTED, "acknowledged" if judged.opened.signature else UNSIGNED
    # A token that is refused says nothing of the message: it comes again with another token.
    if error in (SUCCESS, Problem.TOKEN.code) or status == 429 or status >= 500:
        return AttemptOutcome.FAILED, f"HTTP {status} with error {error}"
    detail = identified.ack.get("detail")
    return AttemptOutcome.REFUSED, f"refused with {error}" + (f": {_words(detail)}" if isinstance(detail, dict) else "")


def _too_long(response: httpx.Response) -> str:
    found = f"{len(response.content)} bytes, and an ack has at most {MAX_ACK_BYTES}"
    return f"HTTP {response.status_code} without a valid ack: {found}; the first {MAX_ACK_BYTES} are kept"


def _words(detail: dict[str, Any]) -> str:
    return "; ".join(f"{name} {value.rstrip('.')}" for name, value in detail.items() if isinstance(value, str))[:400]


def _retry_after(value: str | None, now: datetime, longest: float) -> float | None:
    """Read Retry-After, seconds or an HTTP date (RFC 9110 s10.2.3); None where there is none that can be read."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.isdecimal() else (_utc(parsedate_to_datetime(value)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(seconds, longest)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
