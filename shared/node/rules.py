"""What a rule is given and what it replies: the whole interface between an app's rules and the node.

A rule is a pure function `(asked, records, policy, now) -> Reply`. The node carries the reply out in one transaction:
the one that accepts the message, fires the timer or takes the operator's order that the rule is about. A rule may be
run more than once for one reply, so it must do nothing but reply, and ask for the same records each time: for none
under an id that it has just drawn.

There are two clocks (docs/positions.md P33), and `now` tells both: business time, which an operator may set forward,
and protocol time, which is always real.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from shared.catalogue.table import CATALOGUE
from shared.protocol.messages import MessageType
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem


class Moment(NamedTuple):
    """One moment on both clocks (aware, UTC)."""

    protocol: datetime
    business: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One stored state of an app's rules: an application, a consent, an OTP session.

    Attributes:
        id: under which it is kept; the rules make it.
        kind: what it is a record of.
        participant: the counterparty that it is shared with.
        state: what JSON can hold.
        expires_at: protocol time (aware, UTC) from which on it is as if it were not there; None: never.
        other_ids: further ids under which it is found from now on; those that it had already stay.
    """

    id: str
    kind: str
    participant: str
    state: Mapping[str, Any]
    expires_at: datetime | None = None
    other_ids: Sequence[str] = field(default=(), compare=False)


Records = Mapping[str, Record]
"""The records by id, as they are in the open transaction; those that have expired are not among them.

Each is read when a rule asks for it. Tests hand in a dict.
"""


def find_records(records: Records, ids: Iterable[str]) -> list[Record | None]:
    """Return the records of these ids in their order, None for each that is not there; all are read at once."""
    ids = list(ids)
    if isinstance(records, Readable):
        records.read_all(ids)
    return [records.get(id_) for id_ in ids]


class Readable(Mapping[str, Record]):
    """Records that are read from a database."""

    def read_all(self, ids: Iterable[str]) -> None:
        """Read these together."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent: everything but the metadata, which is stamped on delivery.

    It leaves at once, or when `due_at` (business time, aware, UTC) has come.
    """

    receiver: str
    message: MessageType
    request_id: str
    content: Mapping[str, Any]
    due_at: datetime | None = None


class TimerClock(StrEnum):
    """By which clock a timer comes due."""

    BUSINESS = "BUSINESS"
    PROTOCOL = "PROTOCOL"


@dataclass(frozen=True, slots=True)
class Timer:
    """Something to be done at a time: the rule of this kind runs once.

    `due_at` (aware, UTC) is the business time of that run, also where it comes later by the real clock. `id` is made by
    the rules: a timer that is set again under its id replaces the one before.
    """

    id: str
    kind: str
    due_at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    clock: TimerClock = TimerClock.BUSINESS


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message of ours that was given up: refused for good by its receiver, or dead after the last try."""

    outgoing: Outgoing
    is_refused: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator, or a person through an operator, has told this node to do; each id is carried out once."""

    id: str
    kind: str
    data: Mapping[str, Any]


class UnknownOrderError(LookupError):
    """There is no rule for orders of this kind."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A text to a person outside the protocol, such as the SMS with an OTP; forgotten when it expires."""

    recipient: str
    reference: str
    text: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """What follows from a message, a timer, an order. With a `problem` it is refused, `reason` says why, and nothing
    else happens; a timer cannot be refused.

    Attributes:
        records: as they are from now on.
        outgoing: messages to send.
        timers: to be set.
        cancelled: ids of timers that are no longer needed.
        notices: texts to people.
    """

    problem: Problem | None = None
    reason: str = ""
    records: Sequence[Record] = ()
    outgoing: Sequence[Outgoing] = ()
    timers: Sequence[Timer] = ()
    cancelled: Sequence[str] = ()
    notices: Sequence[Notice] = ()


def all_of(replies: Iterable[Reply]) -> Reply:
    """Return what follows from all of these; the first that refuses refuses it all."""
    replies = list(replies)
    for reply in replies:
        if reply.problem is not None:
            return reply
    return Reply(
        records=[record for reply in replies for record in reply.records],
        outgoing=[outgoing for reply in replies for outgoing in reply.outgoing],
        timers=[timer for reply in replies for timer in reply.timers],
        cancelled=[id_ for reply in replies for id_ in reply.cancelled],
        notices=[notice for reply in replies for notice in reply.notices],
    )


Subject = TypeVar("Subject")
Policy = TypeVar("Policy")
Bound = Callable[[Subject, Records, Moment], Reply]
"""A rule that has its policy: from the subject, the records and now to a reply."""

_Rule = Callable[[Any, Records, Policy, Moment], Reply]
_Decorator = Callable[[_Rule[Policy]], _Rule[Policy]]


@dataclass(frozen=True, slots=True)
class BoundRules:
    """The rules of a participant: about messages by type, timers by kind, undelivered messages by type, orders by kind.

    A message without a rule is accepted, and to have it in the journal is all.
    """

    messages: Mapping[MessageType, Bound[VerifiedMessage]] = field(default_factory=dict)
    timers: Mapping[str, Bound[Timer]] = field(default_factory=dict)
    undelivered: Mapping[MessageType, Bound[Undelivered]] = field(default_factory=dict)
    orders: Mapping[str, Bound[Order]] = field(default_factory=dict)


NO_RULES = BoundRules()


class Rules(Generic[Policy]):
    """The place where a participant's rules are gathered, by decorators, before they are bound to a policy."""

    def __init__(self) -> None:
        self._messages: dict[MessageType, _Rule[Policy]] = {}
        self._timers: dict[str, _Rule[Policy]] = {}
        self._undelivered: dict[MessageType, _Rule[Policy]] = {}
        self._orders: dict[str, _Rule[Policy]] = {}

    def answers(self, exchange: str, *versions: str) -> _Decorator[Policy]:
        """Give the rule to the requests of an exchange: in these versions of OCEN, or in all that have it."""
        return self._keep(self._messages, [message for message in _named(exchange, versions) if not message.answers])

    def hears(self, exchange: str, *versions: str) -> _Decorator[Policy]:
        """Give the rule to the callbacks of an exchange."""
        return self._keep(self._messages, [message for message in _named(exchange, versions) if message.answers])

    def when_due(self, kind: str) -> _Decorator[Policy]:
        """Give the rule to the timers of a kind."""
        return self._keep(self._timers, [kind])

    def when_undelivered(self, exchange: str, *versions: str) -> _Decorator[Policy]:
        """Give the rule to the messages of an exchange that were given up."""
        return self._keep(self._undelivered, _named(exchange, versions))

    def when_ordered(self, kind: str) -> _Decorator[Policy]:
        """Give the rule to the operator's orders of a kind."""
        return self._keep(self._orders, [kind])

    def with_policy(self, policy: Policy) -> BoundRules:
        """Return the rules as the node runs them."""
        tables: Any = (self._messages, self._timers, self._undelivered, self._orders)
        return BoundRules(*({about: _bound(rule, policy) for about, rule in table.items()} for table in tables))

    def _keep(self, table: dict[Any, _Rule[Policy]], about: Sequence[Any]) -> _Decorator[Policy]:
        def keep(rule: _Rule[Policy]) -> _Rule[Policy]:
            for name in about:
                if name in table:
                    raise ValueError(f"two rules for {name}")
                table[name] = rule
            return rule

        return keep


def _named(exchange: str, versions: Sequence[str]) -> list[MessageType]:
    found = [
        message
        for message in CATALOGUE
        if message.exchange.name == exchange and (not versions or message.version in versions)
    ]
    if not found:
        raise LookupError(f"the catalogue has no exchange {exchange}")
    return found


def _bound(rule: _Rule[Policy], policy: Policy) -> Bound[Any]:
    return partial(_call, rule, policy)


def _call(rule: _Rule[Policy], policy: Policy, subject: Any, records: Records, now: Moment) -> Reply:
    return rule(subject, records, policy, now)
