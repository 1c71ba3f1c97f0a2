"""What a drill has shown: what happened when, what was accepted and refused between, and whether that is right."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.drill.observation import Signature


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key, and what the drill calls it."""

    kid: str
    organisation_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done, or begun, at an aware moment."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that has to be refused, and what came of it.

    Attributes:
        what: the message.
        answer: what came back.
        seconds: from the operator's order to the answer.
        is_right: whether it was refused, for the right reason and in time.
    """

    what: str
    answer: str
    seconds: float
    is_right: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """An event, and how many signatures of each kid were accepted and refused from then until the next."""

    seconds: float
    event: str
    accepted: Counter[str]
    refused: Counter[str]


@dataclass(slots=True)
class Report:
    """A drill, while it goes on and when it has ended; `refused` are refusals that should not be, in words."""

    keys: list[Key] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    signatures: Sequence[Signature] = ()
    refusals: list[Refusal] = field(default_factory=list)
    provoked: list[Signature] = field(default_factory=list)
    sent: int = 0
    completed: int = 0
    repeated: int = 0
    lost: Sequence[str] = ()
    has_ended: bool = False

    @property
    def refused(self) -> list[str]:
        """What was refused of the traffic, though it should not be."""
        names = {key.kid: f"{key.organisation_id} {key.name}" for key in self.keys}
        return [f"{names.get(one.kid, one.kid)}: {one.problem}" for one in self.signatures if one.problem]

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, nothing refused that should not be, and everything refused that should be."""
        is_complete = self.has_ended and not self.lost and self.completed == self.sent > 0
        return is_complete and not self.refused and all(one.is_right for one in self.refusals)

    def stretches(self) -> list[Stretch]:
        """Return what happened, in the order of time, with what was signed between."""
        if not self.events:
            return []
        begin, signatures = self.events[0].at, [*self.signatures, *self.provoked]
        ends = [*(event.at for event in self.events[1:]), None]
        return [
            Stretch((event.at - begin).total_seconds(), event.text, *_counted(signatures, event.at, end))
            for event, end in zip(self.events, ends, strict=True)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the report for machines: moments in seconds since the first event, keys by kid."""
        return {
            "holds": self.holds,
            "requests": self.sent,
            "completed": self.completed,
            "lost": list(self.lost),
            "refused": self.refused,
            "tried_again": self.repeated,
            "refused_as_it_has_to_be": [
                {"what": one.what, "answer": one.answer, "seconds": one.seconds, "is_right": one.is_right}
                for one in self.refusals
            ],
            "keys": [{"kid": key.kid, "organisation_id": key.organisation_id, "name": key.name} for key in self.keys],
            "timeline": [
                {
                    "seconds": round(one.seconds, 3),
                    "event": one.event,
                    "accepted": dict(one.accepted),
                    "refused": dict(one.refused),
                }
                for one in self.stretches()
            ],
        }


def _counted(
    signatures: Iterable[Signature], begin: datetime, end: datetime | None
) -> tuple[Counter[str], Counter[str]]:
    within = [one for one in signatures if begin <= one.at and (end is None or one.at < end)]
    return Counter(one.kid for one in within if not one.problem), Counter(one.kid for one in within if one.problem)
