"""The reception: what becomes of a verified message, from its route to the committed journal."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.clock import Clock
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.receive.acceptance import Arrival
from shared.node.receive.middleware import MESSAGE, REFUSED, send_json
from shared.node.receive.verify import Refused
from shared.node.rules import Bound
from shared.node.send.courier import Courier
from shared.protocol.checks import JOURNAL_CHECKS
from shared.protocol.messages import MessageType
from shared.protocol.phases import VerifiedMessage
from shared.protocol.profiles import PROFILES, SignedBody
from shared.protocol.verification import Acknowledgement, History, first_failure


class Reception:
    """Hands verified messages to the journal, and the messages that its rule decides to send to the courier."""

    def __init__(self, journal: Journal, courier: Courier, identity: Identity, clock: Clock) -> None:
        self._journal = journal
        self._courier = courier
        self._identity = identity
        self._clock = clock
        self.listeners: list[Callable[[VerifiedMessage], None]] = []

    async def take(
        self, message: VerifiedMessage, message_type: MessageType, rule: Bound[VerifiedMessage] | None
    ) -> SignedBody | Refused:
        """Accept a message and return its signed ack, or say why not: a replay, a conflict, or its rule refuses it.

        The ack is signed before the transaction, so that the journal keeps the very bytes that will travel; it
        leaves only after the commit. Of a message that is repeated the journal keeps the first ack; each has its own.

        Raises:
            StorageUnavailable: nothing could be committed.
        """
        ack = self._signed_ack(message, message_type)
        place = self._courier.place_for(message.sender.id, message.received_at)  # for the callback
        acceptance = await self._journal.accept(Arrival(message, message_type, rule, ack, place.due_at, place.state))
        is_new = acceptance.history is History.NEW
        if not is_new and (failure := first_failure(JOURNAL_CHECKS, acceptance.history)):
            return Refused(failure.problem, failure, sender=message.sender)
        if acceptance.problem is not None:
            return Refused(acceptance.problem, reason=acceptance.reason, sender=message.sender)
        if place.is_direct:
            self._courier.take(acceptance.outbox)
        if is_new:
            for listener in self.listeners:
                listener(message)
        return ack

    def _signed_ack(self, message: VerifiedMessage, message_type: MessageType) -> SignedBody:
        ack = Acknowledgement(message.nonce.trace_id, self._clock.now(), is_wrapped=message_type.wraps_ack)
        profile = PROFILES[message_type.version]
        return profile.sign(ack.payload(), self._identity.signing_key, message.answer_variant)


@dataclass(frozen=True, slots=True)
class MessageEndpoint:
    """The ASGI endpoint of one message type: answers with the signed ack, which the middleware passes as it is."""

    reception: Reception
    message_type: MessageType
    rule: Bound[VerifiedMessage] | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the message that the middleware has verified."""
        outcome = await self.reception.take(scope["state"][MESSAGE], self.message_type, self.rule)
        if isinstance(outcome, Refused):
            scope["state"][REFUSED] = outcome
        else:
            await send_json(send, 200, outcome.body, outcome.headers)


class MessageRoute(APIRoute):
    """A route whose models are for the documentation alone: what answers is an ASGI application."""

    def served_by(self, app: ASGIApp) -> "MessageRoute":
        """Return this route with an application that answers."""
        route = copy.copy(self)
        route.app = app
        return route

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Compare path and method as they are: a message's path has no parameters, so no regular expression is run."""
        if scope["path"] != self.path:
            return Match.NONE, {}
        if scope["method"] not in (self.methods or ()):
            return super().matches(scope)
        return Match.FULL, {"endpoint": self.endpoint, "path_params": {}, "route": self}
