"""The signing middleware: verifies what comes in, signs what goes out. It is wrapped round the whole application.

Everything that leaves the node passes here: also what the application answers to an unknown path and what becomes of
an exception in it. The application behind it sees verified messages and plain payloads.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.node.clock import Clock
from shared.node.counterparties import Counterparties, CounterpartiesUnavailable
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.net.certificate_connections import OVER_LIMIT_EXTENSION
from shared.node.net.request import read_body, read_head, read_wanted_body
from shared.node.refusals import Refusal
from shared.node.store.writer import StorageUnavailable
from shared.node.telemetry import Telemetry
from shared.node.turns import Turns
from shared.protocol.acknowledgement import Acknowledgement, explain
from shared.protocol.messages import MessageType
from shared.protocol.nonces import FreshnessWindow
from shared.protocol.participants import Network
from shared.protocol.problems import Problem
from shared.protocol.profiles import V3, Dressed, Profile, Style
from shared.protocol.signing import SigningKey
from shared.protocol.tokens import challenge
from shared.protocol.verification import Examination, History, Outcome, Step, VerifiedMessage

MESSAGE_KEY = "ocen.message"
"""Key of the `VerifiedMessage` in the ASGI scope that the application sees."""

SEAL_KEY = "ocen.seal"
"""Key of a function in the scope: from an ack's payload to what will travel for it, signed."""

RETRY_AFTER_SECONDS = 5

_TOO_MANY_CONNECTIONS = "more connections show this certificate than are served; reuse those that are open"

_MAY_BE_OLD_NEWS = frozenset({Problem.SIGNATURE, Problem.SENDER})
"""What a message may be refused for only because something has changed since its sender was looked up."""


class MessageRefusedError(Exception):
    """Raised behind the middleware: the message is genuine, but it is not accepted."""

    def __init__(self, problem: Problem | None, reason: str = "", history: History = History.NEW) -> None:
        super().__init__(reason or history.value)
        self.problem = problem
        self.reason = reason
        self.history = history


@dataclass(slots=True)
class _Sealer:
    """Signs the answer to one message, in the shape of that message, and each payload only once."""

    profile: Profile
    key: SigningKey
    style: Style
    sealed: dict[bytes, Dressed] = field(default_factory=dict)

    def __call__(self, payload: bytes) -> Dressed:
        if payload not in self.sealed:
            self.sealed[payload] = self.profile.dress(payload, self.key, self.style)
        return self.sealed[payload]


@dataclass(slots=True)
class _Answer:
    """What goes back: status, the payload that is to be signed, and headers that HTTP asks for.

    `request_id` and `trace_id` are of the message that it answers: as verified, or as claimed where it is refused.
    """

    status: int = 500
    payload: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    trace_id: str = ""

    async def collect(self, message: Message) -> None:
        """Take the application's response instead of sending it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.payload += message.get("body", b"")


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

        `proxies` are believed when they say whom they were called by. Mounts of one node share their `turns`.
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
        """Take one request and send one signed answer."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served on the protocol plane")
        started = self._clock.elapsed()
        examination = self._open(scope)
        try:
            if OVER_LIMIT_EXTENSION in scope["extensions"]:
                examination.body = await read_body(receive) or b""  # which says what the answer is about
                await self._send_failure(examination, Problem.UNAVAILABLE, send, reason=_TOO_MANY_CONNECTIONS)
                return
            async with self._turns.of(examination):
                if examination.problem is None:
                    body = await read_wanted_body(receive, examination)
                    if body is None:
                        return
                    await self._examine(examination, body)
                sealer = self._sealer(self._profile.style_of(examination))
                answer = await self._answer(examination, scope, sealer)
        except Exception as error:  # a server's own page for a failure would leave the node unsigned
            self._telemetry.trouble("message not judged", error)
            await self._send_failure(examination, Problem.INTERNAL, send)
            return
        except asyncio.CancelledError:  # the server stops and waits no longer; its own page would be unsigned, too
            self._telemetry.say("message interrupted")
            await self._send_failure(examination, Problem.UNAVAILABLE, send)
            return
        await self._send(answer, sealer, send)
        self._tell(examination, answer, self._clock.elapsed() - started)

    def _open(self, scope: Scope) -> Examination:
        """Judge what the HTTP head alone tells."""
        wire = read_head(scope, self._proxies)
        message_type = self._messages.get(wire.path)
        methods = (message_type.method,) if message_type else ()
        examination = self._profile.open_head(wire, message_type, methods, self._clock.now(), self._window)
        examination.own_id = self._identity.originators[self._profile.name].participant_id
        return examination

    async def _examine(self, examination: Examination, body: bytes) -> None:
        """Judge the message once its body is there, and who sent it."""
        self._profile.open_body(examination, body)
        if examination.problem is not None:
            return
        before = examination.checkpoint()
        try:
            await self._judge(examination)
            if examination.problem in _MAY_BE_OLD_NEWS and await self._directory.renew(examination):
                examination.rewind(before)
                await self._judge(examination)
        except CounterpartiesUnavailable as error:
            self._telemetry.say("sender cannot be looked up", why=str(error))
            examination.problem = Problem.UNAVAILABLE

    async def _judge(self, examination: Examination) -> None:
        await self._directory.identify(self._profile, examination)
        self._profile.judge(examination, examination.holder)

    def _sealer(self, style: Style) -> _Sealer:
        return _Sealer(self._profile, self._identity.key_for(self._profile.algorithm), style)

    async def _send_failure(self, examination: Examination, problem: Problem, send: Send, **detail: str) -> None:
        claimed = self._profile.claimed(examination)
        ack = Acknowledgement(claimed.trace_id, self._clock.now(), problem, detail if self._explains else None)
        answer = _Answer(ack.status, ack.payload(), self._http_headers(examination, problem))
        await self._send(answer, self._sealer(claimed.style), send)

    async def _send(self, answer: _Answer, seal: Callable[[bytes], Dressed], send: Send) -> None:
        try:
            (body, signed), status = seal(answer.payload), answer.status
        except Exception as error:  # an answer that cannot be signed must not leave as anything that looks like one
            self._telemetry.trouble("answer not signed", error)
            body, signed, status = b"", {}, 500
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(name.encode(), value.encode()) for name, value in (*signed.items(), *answer.headers.items())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, examination: Examination, scope: Scope, sealer: _Sealer) -> _Answer:
        if examination.problem is not None:
            return await self._refuse(examination)
        message = self._profile.accept(examination)
        try:
            return await self._ask(message, scope, sealer)
        except MessageRefusedError as refused:
            self._profile.judge_history(examination, refused.history)
            examination.problem = examination.problem or refused.problem
            return await self._refuse(examination, refused.reason)
        except (StorageUnavailable, CounterpartiesUnavailable) as error:
            self._telemetry.trouble("not available", error)
            examination.problem = Problem.UNAVAILABLE
        except Exception as error:  # whatever it is, the counterparty gets a signed 500, and the log the rest
            self._telemetry.trouble("message not handled", error)
            examination.problem = Problem.INTERNAL
        return await self._refuse(examination)

    async def _ask(self, message: VerifiedMessage, scope: Scope, seal: Callable[[bytes], Dressed]) -> _Answer:
        """Let the application answer; it reads the plain payload as the body of its request."""
        answer = _Answer(request_id=message.request_id, trace_id=message.nonce.trace_id)

        async def payload() -> Message:
            return {"type": "http.request", "body": message.payload, "more_body": False}

        await self._app({**scope, MESSAGE_KEY: message, SEAL_KEY: seal}, payload, answer.collect)
        if answer.status != 200:
            raise RuntimeError(f"the application answered {message.message_type.name} with {answer.status}")
        return answer

    async def _refuse(self, examination: Examination, reason: str = "") -> _Answer:
        problem, wire = examination.problem, examination.wire
        assert problem is not None
        assert wire is not None
        request_id, trace_id, _ = self._profile.claimed(examination)
        detail = explain(problem, _failed_step(examination)) | ({"reason": reason} if reason else {})
        wraps = examination.message_type is not None and examination.message_type.wraps_ack
        ack = Acknowledgement(trace_id, self._clock.now(), problem, detail if self._explains else None, wraps)
        refusal = Refusal(
            received_at=self._clock.now(),
            peer=self._peer_name(examination),
            address=wire.peer.address,
            path=wire.path,
            request_id=request_id,
            trace_id=trace_id,
            problem=problem,
            steps=self._profile.verdict(examination).steps,
            raw=wire.body,
            signature=examination.signature_text,
            reason=reason,
        )
        if problem is not Problem.UNAVAILABLE:  # a storage that has just failed must not delay the answer once more
            await self._note(refusal)
        headers = self._http_headers(examination, problem)
        if examination.body == b"" and self._profile.head_checks:
            headers["connection"] = "close"  # for what has not been read of the body must not pass for a request
        return _Answer(problem.status, ack.payload(), headers, request_id, trace_id)

    async def _note(self, refusal: Refusal) -> None:
        try:
            await self._journal.note_refusal(refusal)
        except Exception as error:  # the note is for people; without it the answer is the same
            self._telemetry.trouble("refusal not written down", error)

    def _peer_name(self, examination: Examination) -> str:
        assert examination.peer is not None
        verified = examination.holder if examination.problem is None else None
        owner = verified or self._directory.owner(examination.peer.certificate)
        return owner.organisation_id if owner else ""

    def _http_headers(self, examination: Examination, problem: Problem) -> dict[str, str]:
        if problem is Problem.METHOD_NOT_ALLOWED:
            return {"allow": ", ".join(examination.allowed_methods)}
        if problem.status in (429, 503):
            return {"retry-after": str(RETRY_AFTER_SECONDS)}
        if self._profile.wants_token and problem.status in (401, 403):
            return {"www-authenticate": challenge(problem, examination.token_text != "")}
        return {}

    def _tell(self, examination: Examination, answer: _Answer, seconds: float) -> None:
        failed = _failed_step(examination)
        self._telemetry.received(
            message=examination.message_type.full_name if examination.message_type else "unknown",
            request_id=answer.request_id,
            trace_id=answer.trace_id,
            peer=self._peer_name(examination),
            verdict=examination.problem.code if examination.problem else "0",
            seconds=seconds,
            check=failed.check.name if failed else "",
        )


def _failed_step(examination: Examination) -> Step | None:
    return next((step for step in examination.steps if step.outcome is Outcome.FAILED), None)
