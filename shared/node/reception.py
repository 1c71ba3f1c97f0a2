"""The reception: what becomes of a verified message, from the application's route to the committed journal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from shared.node.acceptance import Arrival
from shared.node.clock import Clock
from shared.node.courier import Courier
from shared.node.exchange import MESSAGE_KEY, SEAL_KEY, MessageRefusedError
from shared.node.journal import Journal
from shared.node.journeys import Rule
from shared.node.outbox import OutboxState
from shared.protocol.acknowledgement import Acknowledgement
from shared.protocol.messages import MessageType
from shared.protocol.profiles import Dressed
from shared.protocol.verification import History, VerifiedMessage

Seal = Callable[[bytes], Dressed]


class Reception:
    """Takes verified messages to the journal, and what the journal decided to send to the courier."""

    def __init__(self, journal: Journal, courier: Courier, clock: Clock) -> None:
        self._journal = journal
        self._courier = courier
        self._clock = clock
        self.listeners: list[Callable[[VerifiedMessage], None]] = []

    async def take(self, message: VerifiedMessage, message_type: MessageType, rule: Rule, seal: Seal) -> bytes:
        """Accept a message and return the payload of its ack.

        The ack is signed before the transaction, so that the journal keeps the very bytes that will travel; it
        leaves only after the commit.

        Raises:
            MessageRefusedError: a replay, a conflict, or the rule's refusal.
            StorageUnavailable: nothing could be committed.
        """
        now = self._clock.now()
        payload = Acknowledgement(message.nonce.trace_id, now, is_wrapped=message_type.wraps_ack).payload()
        direct = self._courier.has_room(message.sender.organisation_id)  # to whom the callback goes
        arrival = Arrival(
            message=message,
            message_type=message_type,
            rule=rule,
            ack=seal(payload),
            first_due=message.received_at + self._journal.lease if direct else message.received_at,
            state=OutboxState.SENDING if direct else OutboxState.WAITING,
        )
        acceptance = await self._journal.accept(arrival)
        if acceptance.history in (History.NONCE_USED, History.CONFLICT) or acceptance.problem is not None:
            raise MessageRefusedError(acceptance.problem, acceptance.reason, acceptance.history)
        if direct:
            self._courier.take(acceptance.outbox)
        if acceptance.history is History.NEW:
            for listener in self.listeners:
                listener(message)
        return payload


def protocol_app(
    reception: Reception, messages: Mapping[str, MessageType], rules: Mapping[MessageType, Rule]
) -> FastAPI:
    """Make the application of the protocol plane: a route per message of the catalogue that this role takes.

    The routes are ASGI endpoints without body models: the middleware has judged the payload already, and FastAPI
    would parse it a second time. Documentation is served on the operator plane.
    """
    app = FastAPI(openapi_url=None)
    for path, message_type in messages.items():
        endpoint = MessageEndpoint(reception, message_type, rules[message_type])
        app.router.routes.append(Route(path, endpoint, methods=[message_type.method]))
    return app


@dataclass(frozen=True, slots=True)
class MessageEndpoint:
    """The ASGI endpoint of one message type: answers with the plain payload of the ack, which the middleware signs."""

    reception: Reception
    message_type: MessageType
    rule: Rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the message that the middleware has verified."""
        payload = await self.reception.take(scope[MESSAGE_KEY], self.message_type, self.rule, scope[SEAL_KEY])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": payload})
