"""The reception: what becomes of a verified message, from the application's route to the committed journal."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from shared.catalogue.types import MessageType
from shared.node.acceptance import Arrival
from shared.node.clock import Clock
from shared.node.courier import Courier
from shared.node.exchange import MESSAGE_KEY, SEAL_KEY, MessageRefusedError
from shared.node.journal import Journal
from shared.node.journeys import Rule
from shared.node.outbox import OutboxState
from shared.protocol.acknowledgement import Acknowledgement
from shared.protocol.verification import History, VerifiedMessage

Seal = Callable[[bytes], bytes]


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
        payload = Acknowledgement(message.nonce.trace_id, self._clock.now()).payload()
        direct = self._courier.has_room()
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


def protocol_app(reception: Reception, messages: Mapping[str, MessageType], rules: Mapping[str, Rule]) -> FastAPI:
    """Make the application of the protocol plane: a route per message of the catalogue that this role takes.

    The routes are plain ones, without body models: the middleware has judged the payload already, and FastAPI would
    parse it a second time. Documentation is served on the operator plane.
    """
    app = FastAPI(openapi_url=None)
    for path, message_type in messages.items():
        app.add_route(path, _route(reception, message_type, rules[message_type.name]), methods=[message_type.method])
    return app


def _route(reception: Reception, message_type: MessageType, rule: Rule) -> Callable[[Request], Awaitable[Response]]:
    async def take(request: Request) -> Response:
        message: VerifiedMessage = request.scope[MESSAGE_KEY]
        payload = await reception.take(message, message_type, rule, request.scope[SEAL_KEY])
        return Response(payload, media_type="application/json")

    return take
