"""The phases of a message: `Opened`, its bytes; `Identified`, with its sender; `VerifiedMessage`, when all checks hold.

As far as a part cannot be read it is empty: what is wrong is for the checks to say. Nothing of the first two phases is
believed; they serve to judge a message, to refuse it in its own shape, and to find it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from shared.protocol.encoding import NOTHING, EncodingError, parse_timestamp
from shared.protocol.messages import MessageType
from shared.protocol.nonces import Nonce
from shared.protocol.opened import NO_PEER, Opened, OpenedCall, Peer, WireMessage
from shared.protocol.participants import Dialect, EnvelopeMember, Participant, PublicKey
from shared.protocol.problems import SUCCESS
from shared.protocol.tokens import AccessToken, Issuer, parse_token

Style = EnvelopeMember | Dialect
"""What differs between two messages of one profile: how v3 spells the signed header, how a v4 peer signs."""


@dataclass(frozen=True, slots=True)
class ShownToken:
    """The access token that a caller shows, and the Auth Service that it has to be of."""

    text: str = field(repr=False)
    issuer: Issuer
    now: datetime
    peer: Peer = NO_PEER

    @property
    def token(self) -> AccessToken:
        """The token, taken apart. Raises EncodingError: it is none."""
        return parse_token(self.text)


@dataclass(frozen=True, slots=True)
class KnownSender:
    """What a look-up has found out about the sender of a message.

    Attributes:
        holder: the participant whose key or token it shows; None where nobody holds them.
        certificate_of: whose certificate the connection has, where the look-up tells that.
        networks: the members of our product networks by their ids; none where membership is not judged.
    """

    holder: Participant | None
    certificate_of: str = ""
    networks: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Identified:
    """A message together with who seems to have sent it.

    Attributes:
        holder: the participant, once a check has found that there is one.
        key: the key that the kid selects; without a kid an official starter means its only key (C22).
    """

    def __init__(self, opened: Opened, sender: KnownSender) -> None:
        """Identify a message by what a look-up has found out."""
        self.opened = opened
        self.sender = sender
        self.holder = cast("Participant", sender.holder)
        self.key = _key_of(opened, sender.holder)

    @property
    def token(self) -> AccessToken:
        """The access token, which has been judged already."""
        assert isinstance(self.opened, OpenedCall)
        return parse_token(self.opened.token_text)

    @cached_property
    def instant(self) -> datetime | None:
        """The moment in the metadata, in UTC; None where it is none."""
        try:
            return parse_timestamp(self.opened.metadata["timestamp"])
        except (EncodingError, KeyError, TypeError):
            return None

    @cached_property
    def content(self) -> BaseModel | ValidationError:
        """The payload as its message's model reads it, or what is wrong with it."""
        try:
            return self.opened.expected.body.model_validate(self.opened.document)
        except ValidationError as error:
            return error.with_traceback(None)  # whose frames would keep the message until a garbage collection

    @cached_property
    def ack(self) -> Mapping[str, Any]:
        """The members of an ack, which may stand inside `ack`; a starter's null is success (C12)."""
        ack = self.opened.document.get("ack", self.opened.document)
        if not isinstance(ack, dict):
            return NOTHING
        is_starters = self.sender.holder is not None and self.sender.holder.dialect is Dialect.AUTHSTARTER
        return {**ack, "error": SUCCESS} if is_starters and ack.get("error") is None else ack


@dataclass(frozen=True, slots=True)
class VerifiedMessage:
    """A message for which every check held: the only form in which rules and journal ever meet one."""

    message_type: MessageType
    sender: Participant
    answer_style: Style
    kid: str
    payload: bytes
    document: Mapping[str, Any]
    content: BaseModel
    nonce: Nonce
    request_id: str
    wire: WireMessage
    received_at: datetime


def _key_of(opened: Opened, holder: Participant | None) -> PublicKey | None:
    if holder is None:
        return None
    if holder.dialect is Dialect.AUTHSTARTER and opened.header.get("kid") is None:
        return holder.counting_keys[0] if len(holder.counting_keys) == 1 else None
    return holder.key(opened.kid) if opened.kid else None  # a registry may give keys without a kid
