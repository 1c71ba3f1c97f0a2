"""Sending on request: from a payload that somebody hands us to a row in the outbox."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared.catalogue.table import find_message, messages_sent_by
from shared.clock import Clock
from shared.node.counterparties import Counterparties, CounterpartiesUnavailable
from shared.node.identity import Identity
from shared.node.ids import new_id
from shared.node.journal import Dispatch, Journal
from shared.node.onboarding.record import first_error
from shared.node.rules import Outgoing
from shared.node.send.courier import Courier
from shared.node.send.outbox import OutboxEntry, new_entry
from shared.protocol.encoding import parse_json_object
from shared.protocol.messages import MessageType
from shared.protocol.profiles import PROFILES


class SendError(Exception):
    """A message that cannot be sent; the text says why and what to do."""


class UnknownReceiverError(SendError):
    """The receiver is not in the directory, or does not take this message."""


class Sender:
    """Puts our own messages on their way. What is returned is durable: the courier delivers it, now or later."""

    def __init__(
        self,
        *,
        journal: Journal,
        courier: Courier,
        directories: Mapping[str, Counterparties],
        identity: Identity,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._courier = courier
        self._directories = directories
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
        await self._check_receiver(message_type, receiver)
        request_id, rest = _taken_apart(content)
        if not PROFILES[message_type.version].id_in_metadata:
            rest = {"requestId": request_id, **rest}
        self._check_content(message_type, request_id, rest)
        now = self._clock.now()
        entry = new_entry(Outgoing(receiver, message_type, request_id, rest), now)
        place = self._courier.place_for(receiver, now)
        await self._journal.dispatch(Dispatch(entry, place.state, place.due_at))
        if place.is_direct:
            self._courier.take([entry])
        return entry

    def _message_type(self, message: str) -> MessageType:
        message_type = find_message(message)
        if message_type is None or self._identity.role not in message_type.senders:
            role, versions = self._identity.role, self._directories
            ours = ", ".join(sent.full_name for sent in messages_sent_by(role) if sent.version in versions)
            raise SendError(f"{message} is not a message that a {self._identity.role.value} sends; choose from {ours}")
        return message_type

    async def _check_receiver(self, message_type: MessageType, receiver: str) -> None:
        directory = self._directories.get(message_type.version)
        if directory is None:
            raise SendError(
                f"{message_type.full_name}: this node does not speak {message_type.version}; see docs/v4.md"
            )
        try:
            participant = await directory.receiver(receiver)
        except CounterpartiesUnavailable as error:
            raise SendError(f"{receiver} cannot be looked up now ({error}); try again") from error
        if participant is None:
            known = ", ".join(participant.id for participant in directory.participants())
            raise UnknownReceiverError(
                f"{receiver} is not in the directory; choose from {known or 'nobody yet'}, or onboard it"
            )
        if participant.role not in message_type.receivers:
            raise UnknownReceiverError(
                f"{receiver} is a {participant.role.value}, who does not take {message_type.name}"
            )

    def _check_content(self, message_type: MessageType, request_id: str, content: Mapping[str, Any]) -> None:
        profile = PROFILES[message_type.version]
        originator = self._identity.originators[profile.name]
        try:
            stamped = profile.stamp(content, originator, request_id, new_id(), self._clock.now())
            message_type.body.model_validate(parse_json_object(stamped))
        except ValidationError as error:
            raise SendError(f"content.{first_error(error)}") from error
        except ValueError as error:  # a number or a character that JSON cannot carry
            raise SendError(f"content: {error}") from error


def _taken_apart(content: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the requestId that a content asks for, or a new one, and the content without it and without metadata."""
    rest = {name: value for name, value in content.items() if name not in ("metadata", "requestId")}
    return content.get("requestId", new_id()), rest
