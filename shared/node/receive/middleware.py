"""The signing middleware: verifies requests, signs refusals, passes on the acks that `Reception` has signed.

It is wrapped round the whole application, and everything that leaves the node passes here. The application sees
verified messages only; whatever it raises becomes a signed refusal.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Clock
from shared.ip_addresses import Network
from shared.node.counterparties import Counterparties, CounterpartiesUnavailable
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.receive.request import read_body, read_head, read_wanted_body
from shared.node.receive.turns import Turns
from shared.node.receive.verify import ReadBody, Refused, verify
from shared.node.refusals import Refusal
from shared.node.telemetry import Telemetry
from shared.protocol.acknowledgement import Acknowledgement, explain
from shared.protocol.detached import OpenedCall
from shared.protocol.messages import MessageType
from shared.protocol.nonces import FreshnessWindow
from shared.protocol.participants import Participant
from shared.protocol.phases import Opened, VerifiedMessage
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.profiles import V3, Profile
from shared.protocol.tokens import challenge
from shared.storage.writer import StorageUnavailable
from shared.transport.certificate_connections import OVER_LIMIT_EXTENSION

RETRY_AFTER_SECONDS: Final = 5

_TOO_MANY_CONNECTIONS: Final = "more connections show this certificate than are served; reuse those that are open"


MESSAGE: Final = "message"
"""Where in `scope["state"]` the application finds the `VerifiedMessage`."""

REFUSED: Final = "refused"
"""Where it puts a `Refused`, if it does not accept the message; whatever it sends is then discarded."""


class _Answer(NamedTuple):
    """The application's answer to a message, and the participant that it goes back to."""

    sender: Participant
    parts: Sequence[Message]


class SignedExchange:
    """The middleware. One instance serves one mount, and thereby one profile."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        messages: Mapping[str, MessageType],
        identity: Identity,
        directory: Counterparties,
        journal: Journal,
        clock: Clock,
        telemetry: Telemetry,
        window: FreshnessWindow,
        explains: bool,
        proxies: Sequence[Network] = (),
        profile: Profile = V3,
        turns: Turns | None = None,
    ) -> None:
        """Wrap `app`; `messages` are those taken here, by path; `explains` puts `detail` into refusals.

        `proxies` are the networks of our own reverse proxies, whose header is believed for the address of the caller.
        Mounts of one node share their `turns`.
        """
        self._app = app
        self._messages = messages
        self._identity = identity
        self._directory = directory
        self._journal = journal
        self._clock = clock
        self._telemetry = telemetry
        self._window = window
        self._explains = explains
        self._proxies = proxies
        self._profile = profile
        self._turns = turns or Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request and send one signed answer; none if the client disconnects before its body is complete."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served on the protocol plane")
        started = self._clock.elapsed()
        opened = self._open(scope)
        try:
            outcome = await self._outcome(opened, scope, receive)
        except Exception as error:  # a server's own page for a failure would leave the node unsigned
            self._telemetry.trouble("message not judged", error)
            outcome = Refused(Problem.INTERNAL)
        except asyncio.CancelledError:  # the server shuts down and waits no longer; its own page would be unsigned, too
            self._telemetry.say("message interrupted")
            outcome = Refused(Problem.UNAVAILABLE)
        if isinstance(outcome, Refused):
            await self._send_refusal(opened, outcome, send)
            self._tell(opened, outcome, started)
        elif outcome is not None:
            for part in outcome.parts:
                await send(part)
            self._tell(opened, None, started, outcome.sender)

    def _open(self, scope: Scope) -> Opened:
        wire = read_head(scope, self._proxies)
        own_id = self._identity.originators[self._profile.name].participant_id
        return self._profile.opened(wire, self._messages.get(wire.path), self._clock.now(), self._window, own_id=own_id)

    async def _outcome(self, opened: Opened, scope: Scope, receive: Receive) -> _Answer | Refused | None:
        """Return the application's answer, why the message is refused, or None if the client has disconnected."""
        if OVER_LIMIT_EXTENSION in scope["extensions"]:
            async with self._turns.of(opened):  # the body is read for the traceId that the refusal has to repeat
                opened.receive(await read_body(receive) or b"")
            return Refused(Problem.UNAVAILABLE, reason=_TOO_MANY_CONNECTIONS)
        async with AsyncExitStack() as held_until_committed:

            async def read() -> bytes | None:
                await held_until_committed.enter_async_context(self._turns.of(opened))
                body = await read_wanted_body(receive, opened)
                opened.now = self._clock.now()  # a slow body must not be judged by the time of its head
                return body

            outcome = await self._take(opened, scope, read)
            if isinstance(outcome, Refused):
                await self._note(opened, outcome)
            return outcome

    async def _take(self, opened: Opened, scope: Scope, read: ReadBody) -> _Answer | Refused | None:
        """Verify a message and hand it on to the application."""
        try:
            verdict = await verify(opened, read, self._profile, self._directory)
        except CounterpartiesUnavailable as error:
            self._telemetry.say("sender cannot be looked up", why=str(error))
            return Refused(Problem.UNAVAILABLE)
        if not isinstance(verdict, VerifiedMessage):
            return verdict
        try:
            return await self._hand_on(verdict, scope)
        except (StorageUnavailable, CounterpartiesUnavailable) as error:
            self._telemetry.trouble("not available", error)
            return Refused(Problem.UNAVAILABLE, sender=verdict.sender)
        except Exception as error:  # whatever it is, the counterparty gets a signed 500, and the log the rest
            self._telemetry.trouble("message not handled", error)
            return Refused(Problem.INTERNAL, sender=verdict.sender)

    async def _hand_on(self, message: VerifiedMessage, scope: Scope) -> _Answer | Refused:
        """Let the application answer a message; it reads the plain payload as the body of its request."""
        answer: list[Message] = []

        async def payload() -> Message:
            return {"type": "http.request", "body": message.payload, "more_body": False}

        async def collect(part: Message) -> None:
            answer.append(part)

        state: dict[str, Any] = {MESSAGE: message}
        await self._app({**scope, "state": state}, payload, collect)
        if REFUSED in state:
            refused: Refused = state[REFUSED]
            return refused
        if not answer or answer[0]["status"] != 200:
            raise RuntimeError(f"the application does not answer {message.message_type.name} with an ack")
        return _Answer(message.sender, answer)

    async def _send_refusal(self, opened: Opened, refused: Refused, send: Send) -> None:
        """Send a signed refusal in the form of the request; if signing fails, an empty 500."""
        problem = refused.problem
        try:
            wraps = opened.message_type is not None and opened.message_type.wraps_ack
            detail = explain(problem, refused.failure, refused.reason) if self._explains else None
            ack = Acknowledgement(opened.claims.trace_id, self._clock.now(), problem, detail, wraps)
            key, style = self._identity.key_for(self._profile.algorithm), self._profile.style_of(opened, refused.sender)
            (body, signed), status = self._profile.dress(ack.payload(), key, style), problem.status
        except Exception as error:
            self._telemetry.trouble("answer not signed", error)
            body, signed, status = b"", {}, 500
        await send_json(send, status, body, {**signed, **self._http_headers(opened, problem)})

    async def _note(self, opened: Opened, refused: Refused) -> None:
        if refused.problem is Problem.UNAVAILABLE:  # a storage that has just failed must not delay the answer once more
            return
        try:
            await self._journal.note_refusal(
                Refusal(
                    received_at=self._clock.now(),
                    peer=self._peer_name(opened),
                    address=opened.peer.address,
                    path=opened.wire.path,
                    request_id=opened.claims.request_id,
                    trace_id=opened.claims.trace_id,
                    problem=refused.problem,
                    failure=refused.failure,
                    raw=opened.body,
                    signature=opened.signature_text,
                    reason=refused.reason,
                )
            )
        except Exception as error:  # the note is for people; without it the answer is the same
            self._telemetry.trouble("refusal not written down", error)

    def _peer_name(self, opened: Opened) -> str:
        owner = self._directory.owner(opened.peer.certificate)
        return owner.id if owner else ""

    def _http_headers(self, opened: Opened, problem: Problem) -> dict[str, str]:
        headers = {}
        if problem is Problem.METHOD_NOT_ALLOWED:
            headers["allow"] = opened.expected.method
        elif problem.status in (429, 503):
            headers["retry-after"] = str(RETRY_AFTER_SECONDS)
        elif isinstance(opened, OpenedCall) and problem.status in (401, 403):
            headers["www-authenticate"] = challenge(problem, opened.token_text != "")
        if not opened.body and self._profile.head_checks:
            headers["connection"] = "close"  # else what was not read of the body would be parsed as the next request
        return headers

    def _tell(self, opened: Opened, refused: Refused | None, started: float, sender: Participant | None = None) -> None:
        failure = refused.failure if refused else None
        self._telemetry.received(
            message=opened.message_type.full_name if opened.message_type else "unknown",
            request_id=opened.claims.request_id,
            trace_id=opened.claims.trace_id,
            peer=sender.id if sender else self._peer_name(opened),
            verdict=refused.problem.code if refused else SUCCESS,
            seconds=self._clock.elapsed() - started,
            check=failure.check.name if failure else "",
        )


async def send_json(send: Send, status: int, body: bytes, further: Mapping[str, str]) -> None:
    """Send a response as it is, with these headers besides its type and its length."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in further.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
