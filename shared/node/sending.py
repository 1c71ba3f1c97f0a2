"""Sending on request: from a payload that somebody hands us to a row in the outbox."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared.catalogue.table import BY_NAME
from shared.catalogue.types import MessageType
from shared.node.clock import Clock
from shared.node.courier import Courier
from shared.node.directory import Directory
from shared.node.identity import Identity
from shared.node.ids import new_id
from shared.node.journal import Dispatch, Journal
from shared.node.journeys import Outgoing
from shared.node.onboarding.record import first_flaw
from shared.node.outbox import OutboxEntry, OutboxState, new_entry
from shared.protocol.encoding import dump_json, format_timestamp
from shared.protocol.profiles import PROFILES


class SendError(Exception):
    """A message that cannot be sent; the text says why and what to do."""


class UnknownReceiverError(SendError):
    """The receiver is not in the directory, or does not take this message."""


class Sender:
    """Puts our own messages on their way. What is returned is durable: the courier delivers it, now or later."""

    def __init__(
        self, *, journal: Journal, courier: Courier, directory: Directory, identity: Identity, clock: Clock
    ) -> None:
        self._journal = journal
        self._courier = courier
        self._directory = directory
        self._identity = identity
        self._clock = clock

    async def send(self, message: str, receiver: str, content: Mapping[str, Any]) -> OutboxEntry:
        """Send a message of the catalogue; without a requestId in `content` a new one is made.

        Raises:
            SendError: not a message of ours, or its content does not fit.
            UnknownReceiverError: nobody of that organisation id takes it.
            DuplicateRequestError: the requestId has been used towards this receiver.
            StorageUnavailable: nothing could be committed.
        """
        message_type = self._message_type(message)
        self._check_receiver(message_type, receiver)
        complete = {"requestId": new_id(), **{name: value for name, value in content.items() if name != "metadata"}}
        self._check_content(message_type, complete)
        now = self._clock.now()
        entry = new_entry(Outgoing(receiver, message, complete["requestId"], complete), now)
        direct = self._courier.has_room(receiver)
        state, due_at = (OutboxState.SENDING, now + self._journal.lease) if direct else (OutboxState.WAITING, now)
        await self._journal.dispatch(Dispatch(entry, state, due_at))
        if direct:
            self._courier.take([entry])
        return entry

    def _message_type(self, message: str) -> MessageType:
        message_type = BY_NAME.get(message)
        if message_type is None or message_type.sender is not self._identity.role:
            ours = ", ".join(one.name for one in BY_NAME.values() if one.sender is self._identity.role)
            raise SendError(f"{message} is not a message that a {self._identity.role.value} sends; choose from {ours}")
        return message_type

    def _check_receiver(self, message_type: MessageType, receiver: str) -> None:
        participant = self._directory.participant(receiver)
        if participant is None:
            known = ", ".join(one.organisation_id for one in self._directory.participants())
            raise UnknownReceiverError(
                f"{receiver} is not in the directory; choose from {known or 'nobody yet'}, or onboard it"
            )
        if participant.role is not message_type.receiver:
            raise UnknownReceiverError(
                f"{receiver} is a {participant.role.value}, who does not take {message_type.name}"
            )

    def _check_content(self, message_type: MessageType, content: Mapping[str, Any]) -> None:
        metadata = {
            "version": PROFILES[message_type.version].metadata_version,
            "timestamp": format_timestamp(self._clock.now()),
            "traceId": new_id(),
            "orgId": self._identity.organisation_id,
        }
        try:
            message_type.body.model_validate({"metadata": metadata, **content})
            dump_json(content)
        except ValidationError as error:
            raise SendError(f"content.{first_flaw(error)}") from error
        except ValueError as error:  # a number or a character that JSON cannot carry
            raise SendError(f"content: {error}") from error
