"""The signing middleware: verifies requests, signs refusals, passes on the acks that `Reception` has signed.

It is wrapped round the whole application, and everything that leaves the node passes here. The application sees
verified messages only; whatever it raises becomes a signed refusal.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Clock
from shared.ip_addresses import Network
from shared.node.counterparties import Counterparties, CounterpartiesUnavailable
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.receive.refusing import Refusals
from shared.node.receive.verify import ReadBody, Refused, verify
from shared.node.telemetry import Telemetry
from shared.protocol.messages import MessageType
from shared.protocol.nonces import FreshnessWindow
from shared.protocol.participants import Participant
from shared.protocol.phases import MAX_BODY_BYTES, Opened, Peer, VerifiedMessage, WireMessage
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.profiles import V3, Profile
from shared.storage.writer import StorageUnavailable
from shared.transport.certificate_connections import OVER_LIMIT_EXTENSION
from shared.transport.peer_protocol import PEER_EXTENSION
from shared.transport.source_address import source_address

_TOO_MANY_CONNECTIONS: Final = "more connections show this certificate than are served; reuse those that are open"


MESSAGE: Final = "message"
"""Where in `scope["state"]` the application finds the `VerifiedMessage`."""

REFUSED: Final = "refused"
"""Where it puts a `Refused`, if it does not accept the message; whatever it sends is then discarded."""


LARGE_BODY_BYTES: Final = 16_384
"""A longer body waits for its turn, and so does one whose length is not known before it has been read. (Ordinary
messages have a KiB or two; 64 KiB of small values already take 10 ms.)"""

_NO_WAIT: Final = nullcontext()


class _Answer(NamedTuple):
    """The application's answer to a message, and the participant that it goes back to."""

    sender: Participant
    parts: Sequence[Message]


class Turns:
    """Lets the large messages of each certificate be read and judged one after another.

    Whoever sends many must not keep others from being answered.

    A turn begins before the body is read, so that what waits holds no more memory than the server has read ahead.
    Whoever lets us wait for the rest of a body delays only the large messages of its own certificate, until the server
    drops the connection.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, message: Opened) -> AbstractAsyncContextManager[object]:
        """Return what has to be entered before this message is read; a small one need not wait."""
        if message.declared_size <= LARGE_BODY_BYTES and "transfer-encoding" not in message.wire.headers:
            return _NO_WAIT
        certificate = message.peer.certificate
        lock = self._locks.get(certificate)
        if lock is None:  # the weak dictionary drops it when nobody has or awaits the turn
            lock = self._locks[certificate] = asyncio.Lock()
        return lock


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
        self._clock = clock
        self._telemetry = telemetry
        self._window = window
        self._proxies = proxies
        self._profile = profile
        self._turns = turns or Turns()
        self._refusals = Refusals(
            identity=identity,
            directory=directory,
            journal=journal,
            clock=clock,
            telemetry=telemetry,
            explains=explains,
            profile=profile,
        )

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
            await send_json(send, *self._refusals.answer(opened, outcome))
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
                await self._refusals.note(opened, outcome)
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

    def _tell(self, opened: Opened, refused: Refused | None, started: float, sender: Participant | None = None) -> None:
        failure = refused.failure if refused else None
        self._telemetry.received(
            message=opened.message_type.full_name if opened.message_type else "unknown",
            request_id=opened.claims.request_id,
            trace_id=opened.claims.trace_id,
            peer=sender.id if sender else self._refusals.peer_name(opened),
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


def read_head(scope: Scope, proxies: Sequence[Network] = ()) -> WireMessage:
    """Read the head of a request; of a header that is there several times the values are joined (RFC 9110 s5.3).

    `proxies` are the networks of our own reverse proxies: see `source_address`.
    """
    values: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    headers = {name: ", ".join(given) for name, given in values.items()}
    address = scope["client"][0]
    if proxies:
        address = source_address(address, scope["headers"], proxies)
    peer = Peer(scope["extensions"][PEER_EXTENSION].thumbprint, address)
    return WireMessage(scope["method"], scope["path"], headers, b"", peer)


async def read_body(receive: Receive) -> bytes | None:
    """Read a body, and no further than the piece that passes what is accepted; None if the client disconnects."""
    pieces: list[bytes] = []
    size = 0
    while True:
        event: Message = await receive()
        if event["type"] != "http.request":
            return None
        pieces.append(bytes(event.get("body", b"")))
        size += len(pieces[-1])
        if size > MAX_BODY_BYTES or not event.get("more_body", False):
            return b"".join(pieces)


async def read_wanted_body(receive: Receive, message: Opened) -> bytes | None:
    """Read a body like `read_body`, but none that the head alone rules out.

    A caller may wait for our word before it sends the body (Expect: 100-continue, RFC 9110 s10.1.1). It gets the answer
    at once where the head alone tells that the message is refused.
    """
    headers, expected = message.wire.headers, message.message_type
    is_taken = expected is not None and message.wire.method == expected.method
    is_refused = not is_taken or message.declared_size > MAX_BODY_BYTES
    if is_refused and headers.get("expect", "").lower() == "100-continue":
        return b""
    return await read_body(receive)
