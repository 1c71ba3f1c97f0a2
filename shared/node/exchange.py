"""The signing middleware: verifies what comes in, signs what goes out. It is wrapped round the whole application.

An ASGI class, because everything that leaves the node passes here: also what the application answers to an unknown
path and what becomes of an exception in it. The application behind it sees verified messages and plain payloads.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.catalogue.types import MessageType
from shared.node.clock import Clock
from shared.node.directory import Directory
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.net.peer_protocol import PEER_EXTENSION
from shared.node.net.source_address import source_address
from shared.node.refusals import Refusal
from shared.node.store.writer import StorageUnavailable
from shared.node.telemetry import Telemetry
from shared.protocol.acknowledgement import Acknowledgement, explain
from shared.protocol.checks.connection import MAX_BODY_BYTES
from shared.protocol.claims import claimed_ids, claimed_member
from shared.protocol.nonces import FreshnessWindow
from shared.protocol.participants import EnvelopeMember, Network
from shared.protocol.problems import Problem
from shared.protocol.profiles import V3, Profile
from shared.protocol.signing import SigningKey
from shared.protocol.verification import Examination, History, Outcome, Peer, Step, VerifiedMessage, WireMessage

MESSAGE_KEY = "ocen.message"
"""Key of the `VerifiedMessage` in the ASGI scope that the application sees."""

SEAL_KEY = "ocen.seal"
"""Key of a function in the scope: from an ack's payload to the signed bytes that will travel for it."""

RETRY_AFTER_SECONDS = 5


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
    member: EnvelopeMember
    sealed: dict[bytes, bytes] = field(default_factory=dict)

    def __call__(self, payload: bytes) -> bytes:
        if payload not in self.sealed:
            self.sealed[payload] = self.profile.dress(payload, self.key, self.member)
        return self.sealed[payload]


@dataclass(slots=True)
class _Answer:
    """What goes back: status, the payload that is to be signed, and headers that HTTP asks for."""

    status: int = 500
    payload: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

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
        directory: Directory,
        journal: Journal,
        clock: Clock,
        telemetry: Telemetry,
        window: FreshnessWindow,
        explains: bool,
        proxies: Sequence[Network] = (),
        profile: Profile = V3,
    ) -> None:
        """Wrap `app`; `messages` are those taken here, by path; `explains` puts `detail` into refusals.

        `proxies` are believed when they say whom they were called by.
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request and send one signed answer."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served on the protocol plane")
        started = self._clock.elapsed()
        wire = None
        try:
            wire = await read_wire(scope, receive, self._proxies)
            if wire is None:
                return
            examination = await self._examine(wire)
            sealer = _Sealer(self._profile, self._identity.signing_key, _member(examination))
            answer = await self._answer(examination, scope, sealer)
        except Exception as error:  # a server's own page for a failure would leave the node unsigned
            self._telemetry.trouble("message not judged", error)
            await self._send_failure(wire, Problem.INTERNAL, send)
            return
        except asyncio.CancelledError:  # the server stops and waits no longer; its own page would be unsigned, too
            self._telemetry.say("message interrupted")
            await self._send_failure(wire, Problem.UNAVAILABLE, send)
            return
        await self._send(answer, sealer, send)
        self._tell(examination, wire, self._clock.elapsed() - started)

    async def _send_failure(self, wire: WireMessage | None, problem: Problem, send: Send) -> None:
        body = wire.body if wire else b""
        sealer = _Sealer(self._profile, self._identity.signing_key, claimed_member(body))
        ack = Acknowledgement(claimed_ids(body)[1], self._clock.now(), problem)
        await self._send(_Answer(ack.status, ack.payload(), _http_headers(problem, ())), sealer, send)

    async def _send(self, answer: _Answer, seal: Callable[[bytes], bytes], send: Send) -> None:
        try:
            body, status = seal(answer.payload), answer.status
        except Exception as error:  # an answer that cannot be signed must not leave as anything that looks like one
            self._telemetry.trouble("answer not signed", error)
            body, status = b"", 500
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _examine(self, wire: WireMessage) -> Examination:
        message_type = self._messages.get(wire.path)
        methods = (message_type.method,) if message_type else ()
        examination = self._profile.open(wire, message_type, methods, self._clock.now(), self._window)
        if examination.problem is None:
            self._profile.judge(examination, await self._directory.holder(examination.kid or ""))
        return examination

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
        except StorageUnavailable as error:
            self._telemetry.trouble("journal not available", error)
            examination.problem = Problem.UNAVAILABLE
        except Exception as error:  # whatever it is, the counterparty gets a signed 500, and the log the rest
            self._telemetry.trouble("message not handled", error)
            examination.problem = Problem.INTERNAL
        return await self._refuse(examination)

    async def _ask(self, message: VerifiedMessage, scope: Scope, seal: Callable[[bytes], bytes]) -> _Answer:
        """Let the application answer; it reads the plain payload as the body of its request."""
        answer = _Answer()

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
        request_id, trace_id = claimed_ids(examination.body)
        detail = explain(problem, _failed_step(examination)) | ({"reason": reason} if reason else {})
        ack = Acknowledgement(trace_id, self._clock.now(), problem, detail if self._explains else None)
        refusal = Refusal(
            received_at=self._clock.now(),
            peer=self._peer_name(wire.peer),
            address=wire.peer.address,
            path=wire.path,
            request_id=request_id,
            trace_id=trace_id,
            problem=problem,
            steps=self._profile.verdict(examination).steps,
            raw=wire.body,
            reason=reason,
        )
        if problem is not Problem.UNAVAILABLE:  # a storage that has just failed must not delay the answer once more
            await self._note(refusal)
        return _Answer(problem.status, ack.payload(), _http_headers(problem, examination.allowed_methods))

    async def _note(self, refusal: Refusal) -> None:
        try:
            await self._journal.note_refusal(refusal)
        except Exception as error:  # the note is for people; without it the answer is the same
            self._telemetry.trouble("refusal not written down", error)

    def _peer_name(self, peer: Peer) -> str:
        owner = self._directory.owner(peer.certificate)
        return owner.organisation_id if owner else ""

    def _tell(self, examination: Examination, wire: WireMessage, seconds: float) -> None:
        refused = examination.problem is not None
        failed = _failed_step(examination) if refused else None
        ids = claimed_ids(wire.body) if refused else ("", "")
        self._telemetry.received(
            message=examination.message_type.name if examination.message_type else "unknown",
            request_id=ids[0] if refused else examination.document["requestId"],
            trace_id=ids[1] if refused else examination.metadata["traceId"],
            peer=self._peer_name(wire.peer),
            verdict=examination.problem.code if examination.problem else "0",
            seconds=seconds,
            check=failed.check.name if failed else "",
        )


async def read_wire(scope: Scope, receive: Receive, proxies: Sequence[Network] = ()) -> WireMessage | None:
    """Read a request with at most one byte more of body than is accepted; None if the peer went away.

    `proxies` are ours: see `source_address`.
    """
    body = b""
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        body += event.get("body", b"")
        if len(body) > MAX_BODY_BYTES or not event.get("more_body", False):
            break
    certificate = scope["extensions"][PEER_EXTENSION].thumbprint
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    address = source_address(scope["client"][0], scope["headers"], proxies)
    return WireMessage(scope["method"], scope["path"], headers, body, Peer(certificate, address))


def _member(examination: Examination) -> EnvelopeMember:
    """Return the spelling that the message has; what was refused before its envelope was judged is asked again."""
    return examination.envelope.member if examination.envelope else claimed_member(examination.body)


def _failed_step(examination: Examination) -> Step | None:
    return next((step for step in examination.steps if step.outcome is Outcome.FAILED), None)


def _http_headers(problem: Problem, allowed_methods: tuple[str, ...]) -> dict[str, str]:
    if problem is Problem.METHOD_NOT_ALLOWED:
        return {"allow": ", ".join(allowed_methods)}
    if problem.status in (429, 503):
        return {"retry-after": str(RETRY_AFTER_SECONDS)}
    return {}
