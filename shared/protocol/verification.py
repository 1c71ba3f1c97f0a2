"""Judging one message: ordered tables of named checks, the verdict, which tells what each of them saw, and the ack.

The first check that fails ends it; what stands behind it in the table is not reached. A check that lacks what it needs
(offline there is no connection, and maybe no clock) is not judged, and says so.

A check that holds costs its test alone: what it expected and found is worked out when somebody looks.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from shared.protocol.encoding import dump_json, format_timestamp
from shared.protocol.problems import SUCCESS, Problem

T = TypeVar("T")

Text = str | Callable[[], str]
"""A text, or what writes it when it is wanted."""


class Outcome(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"
    NOT_JUDGED = "not judged"


class Need(Enum):
    """What a check needs beyond the bytes; the value completes the sentence "not judged: there is no ..."."""

    REQUEST = "HTTP request"
    CONNECTION = "TLS connection"
    KEY = "key to verify with"
    SIGNATURE = "signature, and none is demanded of this peer"
    ISSUER = "Auth Service whose tokens count"
    NETWORK = "registry that knows the product networks"
    DIRECTORY = "directory of participants"
    CLOCK = "time to judge by"
    MESSAGE_TYPE = "path that says which message this is"
    JOURNAL = "journal of earlier messages"
    SENT_MESSAGE = "message that this ack answers"
    HISTORY = "history of it"


ALL_OF_A_REQUEST = frozenset(Need) - {Need.SENT_MESSAGE}
"""What a node has by which to judge a message that comes in."""


class History(Enum):
    """What the journal knows of a message's nonce and requestId."""

    NEW = "not used before"
    REPEATED = "the same message again, with a new nonce"
    NONCE_USED = "a timestamp and traceId that were used before"
    CONFLICT = "a requestId that was used for other content or another message"


class Finding(NamedTuple):
    """What a check saw. `problem` replaces the check's own where the refusal has a more exact code."""

    passed: bool
    expected: Text
    found: Text
    problem: Problem | None = None


_CITATION = re.compile(r"^(?P<text>.*?)\s*\((?P<clause>[^()]*(?:\([^()]*\)[^()]*)*)\)\.?$", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class Check(Generic[T]):
    """A named condition. Its text and clause come from the docstring of its function, the only place that has them."""

    name: str
    text: str
    clause: str
    problem: Problem
    needs: frozenset[Need]
    judge: Callable[[T], Finding]


AnyCheck = Check[Any]


def check(problem: Problem, *needs: Need) -> Callable[[Callable[[T], Finding]], Check[T]]:
    """Make a check out of a function whose docstring ends with its clause in parentheses."""

    def make(judge: Callable[[T], Finding]) -> Check[T]:
        cited = _CITATION.match(" ".join((judge.__doc__ or "").split()))
        if cited is None:
            raise TypeError(f"the docstring of {judge.__name__} does not end with a clause in parentheses")
        return Check(judge.__name__, cited["text"], cited["clause"], problem, frozenset(needs), judge)

    return make


class Failure(NamedTuple):
    """The check that failed, with what it expected and found, and the code of the refusal."""

    check: AnyCheck
    expected: str
    found: str
    problem: Problem


class Step(NamedTuple):
    """One check and what became of it."""

    check: AnyCheck
    outcome: Outcome
    expected: str = ""
    found: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the step as a report shows it."""
        return {
            "check": self.check.name,
            "outcome": self.outcome,
            "text": self.check.text,
            "clause": self.check.clause,
            "expected": self.expected,
            "found": self.found,
        }


def first_failure(checks: Sequence[Check[T]], judged: T) -> Failure | None:
    """Judge something by these checks in turn; return the first that fails, None if all hold."""
    for one in checks:
        finding = one.judge(judged)
        if not finding.passed:
            return Failure(one, _text(finding.expected), _text(finding.found), finding.problem or one.problem)
    return None


class Phase(NamedTuple):
    """Checks, and what they judge; None as long as it is not known."""

    checks: Sequence[AnyCheck]
    judged: Any


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on one message, `failure` None if every check held; `provided` is what there was to judge by."""

    phases: Sequence[Phase]
    provided: frozenset[Need]
    failure: Failure | None

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return self.failure is None

    @property
    def problem(self) -> Problem | None:
        """The code of the refusal, None if there is none."""
        return self.failure.problem if self.failure else None

    @property
    def not_judged(self) -> dict[str, str]:
        """What was not judged, and why, by the names of the checks."""
        checks = [one for phase in self.phases for one in phase.checks if not one.needs <= self.provided]
        return {one.name: f"there is no {missing_for(one, self.provided)}" for one in checks}

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every check in order. What those that hold expected and found is worked out here."""
        steps: list[Step] = []
        is_over = False
        for phase in self.phases:
            for one in phase.checks:
                steps.append(Step(one, Outcome.NOT_REACHED) if is_over else self._step(one, phase.judged))
                is_over = is_over or steps[-1].outcome is Outcome.FAILED
        return tuple(steps)

    def _step(self, one: AnyCheck, judged: Any) -> Step:
        if self.failure is not None and one is self.failure.check:
            return Step(one, Outcome.FAILED, self.failure.expected, self.failure.found)
        if missing := missing_for(one, self.provided):
            return Step(one, Outcome.NOT_JUDGED, "", f"there is no {missing}")
        if judged is None:
            return Step(one, Outcome.NOT_REACHED)
        finding = one.judge(judged)
        return Step(one, Outcome.PASSED, _text(finding.expected), _text(finding.found))


@lru_cache
def judgeable(checks: Sequence[AnyCheck], provided: frozenset[Need]) -> Sequence[AnyCheck]:
    """Return those checks of a table that can be judged by what there is."""
    return [one for one in checks if one.needs <= provided]


def missing_for(one: AnyCheck, provided: frozenset[Need]) -> str:
    """Say what a check lacks; empty where it lacks nothing."""
    return min((need.value for need in one.needs - provided), default="")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What answers a message at once (OCEN v3 ack). `problem` None means accepted; `trace_id` echoes the message's.

    `timestamp` is aware; it is written in UTC with milliseconds. `is_wrapped`: it stands inside a member `ack` (P26).
    """

    trace_id: str
    timestamp: datetime
    problem: Problem | None = None
    detail: dict[str, str] | None = None
    is_wrapped: bool = False

    @property
    def status(self) -> int:
        """The HTTP status that carries it."""
        return self.problem.status if self.problem else 200

    def payload(self) -> bytes:
        """Write the payload that is signed."""
        members: dict[str, object] = {
            "error": self.problem.code if self.problem else SUCCESS,
            "traceId": self.trace_id,
            "timestamp": format_timestamp(self.timestamp),
        }
        if self.detail:
            members["detail"] = self.detail
        return dump_json({"ack": members} if self.is_wrapped else members)


def explain(problem: Problem, failure: Failure | None = None, reason: str = "") -> dict[str, str]:
    """Say why in words, for a sandbox only: a stranger who gets this much detail learns how to do better."""
    detail = {"meaning": problem.meaning}
    if failure is not None:
        check = failure.check
        detail |= {"check": check.name, "clause": check.clause, "expected": failure.expected, "found": failure.found}
    return detail | ({"reason": reason} if reason else {})


def _text(text: Text) -> str:
    return text if isinstance(text, str) else text()
