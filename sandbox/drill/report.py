"""The report of a drill: its events, what was accepted and refused after each, and whether that is right."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple


class Signature(NamedTuple):
    """A message or an ack, signed with the key `kid` at an aware moment; `problem` is why it was refused, if it was."""

    kid: str
    at: datetime
    problem: str = ""


class Key(NamedTuple):
    """A signing key, and what the drill calls it."""

    kid: str
    organisation_id: str
    name: str


class DrillEvent(NamedTuple):
    """Something that was done, or begun, at an aware moment."""

    at: datetime
    text: str


class DrillRefusal(NamedTuple):
    """A message that has to be refused: what came back so many seconds after the operator's order.

    `is_right` says whether it was refused, for the right reason and in time.
    """

    what: str
    answer: str
    seconds: float
    is_right: bool


class Stretch(NamedTuple):
    """An event, and how many signatures of each kid were accepted and refused from then until the next."""

    seconds: float
    event: str
    accepted: Counter[str]
    refused: Counter[str]


@dataclass(slots=True)
class DrillReport:
    """A drill, while it goes on and when it has ended.

    Attributes:
        signatures: of all messages and acks of the exchanges that have ended, in no order.
        provoked: of the messages that had to be refused.
        completed: how many exchanges are complete: request and callback delivered, both acks verified.
        repeated: how many tries found nobody or got no answer, and were made again.
        lost: the requestIds of those that will never be complete.
    """

    keys: list[Key] = field(default_factory=list)
    events: list[DrillEvent] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)
    refusals: list[DrillRefusal] = field(default_factory=list)
    provoked: list[Signature] = field(default_factory=list)
    sent: int = 0
    completed: int = 0
    repeated: int = 0
    lost: list[str] = field(default_factory=list)
    has_ended: bool = False

    @property
    def refused(self) -> list[str]:
        """What was refused of the traffic, though it should not be."""
        names = {key.kid: f"{key.organisation_id} {key.name}" for key in self.keys}
        return [f"{names.get(kid, kid)}: {problem}" for kid, _, problem in self.signatures if problem]

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, nothing refused that should not be, and everything refused that should be."""
        is_complete = self.has_ended and not self.lost and self.completed == self.sent > 0
        return is_complete and not self.refused and all(refusal.is_right for refusal in self.refusals)

    def stretches(self) -> list[Stretch]:
        """Return what happened, in the order of time, with what was signed between."""
        ends = [*(event.at for event in self.events[1:]), None]
        return [self._stretch(event, end) for event, end in zip(self.events, ends, strict=False)]

    def as_dict(self) -> dict[str, Any]:
        """Return the report for machines: moments in seconds since the first event, keys by kid."""
        return {
            "holds": self.holds,
            "requests": self.sent,
            "completed": self.completed,
            "lost": self.lost,
            "refused": self.refused,
            "tried_again": self.repeated,
            "refused_as_it_has_to_be": [refusal._asdict() for refusal in self.refusals],
            "keys": [key._asdict() for key in self.keys],
            "timeline": [{**stretch._asdict(), "seconds": round(stretch.seconds, 3)} for stretch in self.stretches()],
        }

    def _stretch(self, event: DrillEvent, end: datetime | None) -> Stretch:
        every = (*self.signatures, *self.provoked)
        within = [signature for signature in every if event.at <= signature.at and (end is None or signature.at < end)]
        accepted = Counter(signature.kid for signature in within if not signature.problem)
        refused = Counter(signature.kid for signature in within if signature.problem)
        return Stretch((event.at - self.events[0].at).total_seconds(), event.text, accepted, refused)
