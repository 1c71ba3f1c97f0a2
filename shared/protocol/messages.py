"""Who takes part in OCEN, and what there is to say of its messages and of the exchanges that they belong to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel


class Parties(NamedTuple):
    """Who begins an exchange, and with whom: any one of `senders` with any one of `receivers`."""

    senders: frozenset["Role"]
    receivers: frozenset["Role"]


class Role(StrEnum):
    """What a participant does (OCEN registry, participantRole). OCEN 4's word for the LSP is Loan Agent.

    META_SERVICE, which looks up codes for all, is of OCEN v3 and in no registry.
    """

    LENDER = "LENDER"
    LOAN_AGENT = "LOAN_AGENT"
    DISBURSEMENT_PARTNER = "DISBURSEMENT_PARTNER"
    COLLECTIONS_PARTNER = "COLLECTIONS_PARTNER"
    DERIVED_DATA_PARTNER = "DERIVED_DATA_PARTNER"
    KYC_PARTNER = "KYC_PARTNER"
    ADMIN = "ADMIN"
    REGULATOR = "REGULATOR"
    META_SERVICE = "META_SERVICE"

    def __rshift__(self, receivers: "Role | Iterable[Role]") -> Parties:
        return Parties(frozenset({self}), _roles(receivers))

    def __rrshift__(self, senders: Iterable["Role"]) -> Parties:
        return Parties(_roles(senders), frozenset({self}))


def _roles(given: Role | Iterable[Role]) -> frozenset[Role]:
    return frozenset({given} if isinstance(given, Role) else given)


NETWORK_ROLES = tuple(role for role in Role if role is not Role.META_SERVICE)
"""What a participant may be in a product network (OCEN registry, participantRole)."""


def one_of(roles: Iterable[Role]) -> str:
    """Return roles as a sentence names them: `LENDER`, or `LENDER or LOAN_AGENT`."""
    return " or ".join(sorted(roles))


@dataclass(frozen=True, slots=True, eq=False)
class MessageType:
    """One message of an exchange. There is one object of each, so that they are compared by identity.

    Attributes:
        name: the OCEN message name, for example `TriggerLoanAcceptanceRequest`.
        path: where the receiver takes it, appended to the receiver's base URL.
        senders: the roles that may send it.
        receivers: the roles that may take it.
        body: the model of its payload.
        event: the heartbeat event that its sender reports; None where none is published.
        is_response: whether it is the callback of its exchange.
        wraps_ack: whether its ack stands inside a member `ack` (three messages of OCEN 4.0).
        may_come_unasked: whether it is taken though no request was sent that it would answer.
        method: its HTTP method.
        version: the profile that carries it (`v3`, `v4`).
        full_name: how texts call it (commands, operator plane, journal, log): in v3 by name, later `v4/` before it.
    """

    exchange: "Exchange" = field(repr=False)
    name: str
    path: str
    senders: frozenset[Role]
    receivers: frozenset[Role]
    body: type[BaseModel] = field(repr=False)
    event: str | None = None
    is_response: bool = False
    wraps_ack: bool = False
    may_come_unasked: bool = False
    method: str = "POST"
    version: str = field(init=False)
    full_name: str = field(init=False)

    def __post_init__(self) -> None:
        version = self.exchange.version
        object.__setattr__(self, "version", version)
        object.__setattr__(self, "full_name", self.name if version == "v3" else f"{version}/{self.name}")

    @property
    def stage(self) -> str:
        """The stage of the loan journey."""
        return self.exchange.stage

    @property
    def summary(self) -> str:
        """One sentence for people: the first paragraph of its body's docstring."""
        return " ".join((self.body.__doc__ or "").partition("\n\n")[0].split())

    @property
    def answered_by(self) -> "MessageType | None":
        """The callback that answers it later, if one does."""
        return None if self.is_response else self.exchange.response

    @property
    def answers(self) -> "MessageType | None":
        """The request that it answers, if it is a callback."""
        return self.exchange.request if self.is_response else None

    @property
    def event_of_receiver(self) -> str | None:
        """The heartbeat event that its receiver reports."""
        return f"{self.event}_ACK" if self.event else None


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """One row of the catalogue: a request and the callback that answers it later, or one message without a callback.

    Attributes:
        version: the profile that carries it (`v3`, `v4`).
        name: what the names of both messages begin with, before `Request` and `Response`; the whole name of one alone.
        path: what both paths begin with, before `Request` and `Response`, or both paths; the whole path of one alone.
        parties: who sends the request to whom; the callback goes the other way.
        request_body: the model of the request's payload.
        response_body: the model of the callback's payload; None if there is no callback.
        stage: the stage of the loan journey.
        event: what both heartbeat events begin with, before `_REQUEST` and `_RESPONSE`, or both; the whole event of a
            message alone; None where none is published (OCEN hb, eventType).
        wraps_response_ack: whether the ack of the callback stands inside a member `ack`.
        may_come_unasked: whether the callback is also sent though nobody has asked.
        request: the request.
        response: the callback, if there is one.
    """

    version: str
    name: str
    path: str | tuple[str, str]
    parties: Parties
    request_body: type[BaseModel]
    response_body: type[BaseModel] | None = None
    stage: str = field(kw_only=True)
    event: str | tuple[str, str] | None = field(default=None, kw_only=True)
    wraps_response_ack: bool = field(default=False, kw_only=True)
    may_come_unasked: bool = field(default=False, kw_only=True)
    request: MessageType = field(init=False, repr=False)
    response: MessageType | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ((senders, receivers), is_alone) = self.parties, self.response_body is None
        names = _pair(self.name, "Request", "Response", is_alone)
        paths = _pair(self.path, "Request", "Response", is_alone)
        events = _pair(self.event, "_REQUEST", "_RESPONSE", is_alone) if self.event else (None, None)
        request = MessageType(self, names[0], paths[0], senders, receivers, self.request_body, events[0])
        object.__setattr__(self, "request", request)
        response = self.response_body and MessageType(
            self,
            names[1],
            paths[1],
            receivers,
            senders,
            self.response_body,
            events[1],
            is_response=True,
            wraps_ack=self.wraps_response_ack,
            may_come_unasked=self.may_come_unasked,
        )
        object.__setattr__(self, "response", response)

    @property
    def messages(self) -> tuple[MessageType, ...]:
        """The request, and the callback if there is one."""
        return (self.request,) if self.response is None else (self.request, self.response)


def _pair(given: str | tuple[str, str], of_request: str, of_response: str, is_alone: bool) -> tuple[str, str]:
    """Return what is given of request and callback, or made of a common beginning."""
    if isinstance(given, tuple):
        return given
    return (given, given) if is_alone else (given + of_request, given + of_response)
