"""A profile is one way in which OCEN signs a message: what is signed, how, and which checks judge it.

The mount (`/v3`, `/v4.0.0alpha`) picks the profile, never the message itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.protocol.participants import Participant
from shared.protocol.phases import Identified, KnownSender, Opened, ShownToken, SignatureVariant
from shared.protocol.signing import SigningKey
from shared.protocol.tokens import Issuer
from shared.protocol.verification import (
    AnyCheck,
    History,
    Need,
    Phase,
    Verification,
    first_failure,
    judgeable,
)


class SignedBody(NamedTuple):
    """A payload as it travels: the exact bytes of the body, and the HTTP headers that belong to it."""

    body: bytes
    headers: Mapping[str, str]


class Originator(NamedTuple):
    """Who a message is from: the id that is judged, and in v4 the organisation whose role that is."""

    participant_id: str
    organisation_id: str = ""


HolderOf = Callable[[str], Participant | None]
"""Gives the participant that has a kid."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A signed text that was judged as a whole: what could be drawn out of it, and the verdict."""

    opened: Opened
    identified: Identified | None
    verification: Verification

    @property
    def holder(self) -> Participant | None:
        """Who has signed it, as far as anybody is known."""
        return self.identified.sender.holder if self.identified else None

    @property
    def kid(self) -> str:
        """The kid of the key that it was verified with, or else the one that it names; empty where there is none."""
        key = self.identified.key if self.identified else None
        return key.kid if key else self.opened.kid


@dataclass(frozen=True, slots=True)
class Profile(ABC):
    """One way to sign messages.

    Attributes:
        mount: first segment of every path of the profile.
        opened: how its messages are opened; this has the only JWS algorithm, bound to each key under this profile.
        metadata_version: what `metadata.version` says in messages that we send.
        ack_timeout: how long an ack is awaited.
        sender_member: the member of the metadata that names the sender.
        head_checks: what is judged before the body is read.
        opening_checks: what can be judged once the body is there, before anybody is looked up.
        token_checks: what is judged once the Auth Service's keys are known.
        verdict_checks: what is judged once it is known who the sender is.
        journal_checks: what is judged inside the transaction that accepts the message.
    """

    name: str
    mount: str
    opened: type[Opened]
    metadata_version: str
    ack_timeout: timedelta
    sender_member: str
    head_checks: Sequence[AnyCheck]
    opening_checks: Sequence[AnyCheck]
    token_checks: Sequence[AnyCheck]
    verdict_checks: Sequence[AnyCheck]
    journal_checks: Sequence[AnyCheck]
    ack_opening_checks: Sequence[AnyCheck]
    ack_verdict_checks: Sequence[AnyCheck]

    @property
    def algorithm(self) -> str:
        """The JWS algorithm of all its messages."""
        return self.opened.algorithm

    @property
    def id_in_metadata(self) -> bool:
        """Whether the requestId stands in the metadata rather than beside it."""
        return self.opened.id_in_metadata

    @property
    def wants_token(self) -> bool:
        """Whether every call carries an access token."""
        return bool(self.token_checks)

    @property
    def request_checks(self) -> tuple[AnyCheck, ...]:
        """All checks of a message, in order."""
        return tuple(one for phase in self.phases() for one in phase.checks)

    @property
    def ack_checks(self) -> tuple[AnyCheck, ...]:
        """All checks of an ack, in order."""
        return (*self.ack_opening_checks, *self.ack_verdict_checks)

    @abstractmethod
    def sign(self, payload: bytes, key: SigningKey, variant: SignatureVariant) -> SignedBody:
        """Return what travels for these payload bytes, signed with the key by the algorithm of the profile."""

    @abstractmethod
    def stamp(
        self, content: Mapping[str, Any], sender: Originator, request_id: str, trace_id: str, now: datetime
    ) -> bytes:
        """Write the payload of a message: its content under fresh metadata (`now` aware)."""

    @abstractmethod
    def variant_for(self, receiver: Participant) -> SignatureVariant:
        """Return how a message that we begin is signed for a participant."""

    @abstractmethod
    def variant_of(self, opened: Opened, sender: Participant | None) -> SignatureVariant:
        """Return how an answer to this message is signed, whatever is wrong with the message."""

    def phases(
        self,
        opened: Opened | None = None,
        shown: ShownToken | None = None,
        identified: Identified | None = None,
        history: History | None = None,
    ) -> tuple[Phase, ...]:
        """Return the checks of a message in their phases, each with what it judges as far as that is known."""
        return (
            Phase((*self.head_checks, *self.opening_checks), opened),
            Phase(self.token_checks, shown),
            Phase(self.verdict_checks, identified),
            Phase(self.journal_checks, history),
        )

    def judge_offline(
        self,
        opened: Opened,
        holder_of: HolderOf,
        provided: frozenset[Need],
        issuer: Issuer | None = None,
    ) -> Judged:
        """Judge a message by what is `provided`, without a node: `holder_of` gives the participant that has a kid.

        An access token is judged with the `issuer` whose it has to be.
        """
        first, *_ = self.phases(opened)
        failure = first_failure(judgeable(first.checks, provided), opened)
        shown, identified = None, None
        if failure is None and issuer is not None:
            shown = ShownToken(opened.token_text, issuer, opened.now, opened.peer)
            failure = first_failure(judgeable(self.token_checks, provided), shown)
        if failure is None:
            identified = Identified(opened, KnownSender(holder_of(opened.kid)))
            failure = first_failure(judgeable(self.verdict_checks, provided), identified)
        return Judged(opened, identified, Verification(self.phases(opened, shown, identified), provided, failure))

    def judge_ack(self, opened: Opened, holder_of: HolderOf, provided: frozenset[Need]) -> Judged:
        """Judge the answer to a message of ours: `holder_of` gives the participant that has a kid."""
        identified = None
        failure = first_failure(judgeable(self.ack_opening_checks, provided), opened)
        if failure is None:
            identified = Identified(opened, KnownSender(holder_of(opened.kid)))
            failure = first_failure(judgeable(self.ack_verdict_checks, provided), identified)
        phases = (Phase(self.ack_opening_checks, opened), Phase(self.ack_verdict_checks, identified))
        return Judged(opened, identified, Verification(phases, provided, failure))

    def may_be_unsigned(self, callee: Participant, opened: Opened) -> bool:
        """Tell whether an answer of this peer gets by without a signature."""
        return False

    def answerer(self, callee: Participant, kid: str) -> Participant | None:
        """Return whose answer it is: the party that we called, if the kid is one of its own."""
        return callee if callee.by_kid.get(kid) is not None else None
