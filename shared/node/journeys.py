"""What a rule is given and what it decides: the whole language between an app's rules and the node.

Rules are pure: from a verified message, the journeys that it names and the time they make a decision. The node carries
it out in the one transaction that also accepts the message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.protocol.messages import MessageType
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem


@dataclass(frozen=True, slots=True)
class Journey:
    """The state of one business process, kept under a key until it expires (aware, UTC).

    `state` holds what JSON can hold. `participant` is the organisation id of the party that it is shared with.
    """

    key: str
    kind: str
    participant: str
    state: Mapping[str, Any]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent: everything but the metadata, which is stamped on delivery."""

    receiver: str
    message: MessageType
    request_id: str
    content: Mapping[str, Any]


def callback_to(message: VerifiedMessage, content: Mapping[str, Any]) -> Outgoing:
    """Return the callback that answers a request, to whoever sent it and under its requestId."""
    callback = message.message_type.answered_by
    assert callback is not None, f"nothing answers {message.message_type.full_name}"
    return Outgoing(message.sender.organisation_id, callback, message.request_id, content)


@dataclass(frozen=True, slots=True)
class Notice:
    """A text to a person outside the protocol, such as the SMS with an OTP; forgotten when it expires."""

    recipient: str
    reference: str
    text: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a message. With a `problem` it is refused, nothing else happens, and `reason` says why."""

    problem: Problem | None = None
    reason: str = ""
    journeys: Sequence[Journey] = ()
    outgoing: Sequence[Outgoing] = ()
    notices: Sequence[Notice] = ()


class Rule(Protocol):
    """What a participant does about one message type."""

    def journey_keys(self, message: VerifiedMessage) -> Sequence[str]:
        """Return the keys of the journeys that the decision needs, as far as the message tells them."""

    def further_keys(self, message: VerifiedMessage, journeys: Mapping[str, Journey]) -> Sequence[str]:
        """Return the keys of others that the decision needs, as those first journeys tell them: mostly none."""
        return ()

    def decide(self, message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
        """Decide; a journey that is missing or has expired by `now` is not among `journeys`."""


class TakeNote(Rule):
    """The rule for messages that need no action of their own: to have them in the journal is all."""

    def journey_keys(self, message: VerifiedMessage) -> Sequence[str]:
        """Need no journey."""
        return ()

    def decide(self, message: VerifiedMessage, journeys: Mapping[str, Journey], now: datetime) -> Decision:
        """Accept, and do nothing else."""
        return Decision()
