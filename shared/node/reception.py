"""The reception: what becomes of a verified message, from its route to the committed journal."""

from collections.abc import Callable

from shared.node.acceptance import Arrival
from shared.node.clock import Clock
from shared.node.courier import Courier
from shared.node.exchange import MessageRefusedError
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
