"""The catalogue of messages. It is data: routes, clients, documentation and correlation are all read from it."""

import json
from importlib.resources import files
from typing import Any, Final

from shared.catalogue import v3, v4
from shared.protocol.messages import Exchange, MessageType, Role

EXCHANGES: Final[tuple[Exchange, ...]] = (*v3.EXCHANGES, *v4.EXCHANGES)

CATALOGUE: Final[tuple[MessageType, ...]] = tuple(message for exchange in EXCHANGES for message in exchange.messages)
"""All messages, each request before its callback."""

_BY_VERSION_AND_NAME: Final = {(message.version, message.name): message for message in CATALOGUE}
_BY_FULL_NAME: Final = {message.full_name: message for message in CATALOGUE}


def get_message(version: str, name: str) -> MessageType:
    """Return the message of that name in a version of OCEN.

    Raises:
        KeyError: the catalogue has none.
    """
    return _BY_VERSION_AND_NAME[version, name]


def find_message(full_name: str) -> MessageType | None:
    """Return the message that a text calls by its full name, `Name` or `v4/Name`; None if there is none."""
    return _BY_FULL_NAME.get(full_name)


def messages_received_by(role: Role, version: str | None = None) -> tuple[MessageType, ...]:
    """Return the messages that a participant of this role takes, of one version or all, in the order of the journey."""
    return tuple(message for message in CATALOGUE if role in message.receivers and version in (None, message.version))


def messages_sent_by(role: Role) -> tuple[MessageType, ...]:
    """Return the messages that a participant of this role sends, in the order of the journey."""
    return tuple(message for message in CATALOGUE if role in message.senders)


def example_of(message: MessageType) -> dict[str, Any]:
    """Return an example of its payload, without the metadata that the sender's node stamps on delivery."""
    text = files("shared.catalogue").joinpath("examples", message.version, f"{message.name}.json").read_text("utf-8")
    example: dict[str, Any] = json.loads(text)
    return example
