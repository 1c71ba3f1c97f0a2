"""Judging one message: an ordered table of named checks, and the steps that tell what each one saw.

The first check that fails ends the examination; what stands behind it in the table is not reached. A check that
lacks what it needs (offline there is no connection, and maybe no clock) is not judged, and says so.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel

from shared.protocol.encoding import JsonTexts
from shared.protocol.envelope import Envelope
from shared.protocol.messages import MessageType
from shared.protocol.nonces import DEFAULT_WINDOW, FreshnessWindow, Nonce
from shared.protocol.participants import Participant, PublicKey
from shared.protocol.problems import Problem
from shared.protocol.tokens import AccessToken, Issuer


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


_SIGNED = frozenset({Need.SIGNATURE})


class History(Enum):
    """What the journal knows of a message's nonce and requestId."""

    NEW = "not used before"
    REPEATED = "the same message again, with a new nonce"
    NONCE_USED = "a timestamp and traceId that were used before"
    CONFLICT = "a requestId that was used for other content or another message"


class Finding(NamedTuple):
    """What a check saw. `problem` replaces the check's own where the refusal has a more exact code."""

    passed: bool
    expected: str
    found: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of the connection: its certificate's thumbprint and the address it calls from."""

    certificate: str
    address: str


@dataclass(frozen=True, slots=True)
class WireMessage:
    """One HTTP request as it arrived: nothing decoded, nothing believed. `headers` has lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)  # an access token is among them, and no log may have it
    body: bytes
    peer: Peer


@dataclass(slots=True)
class Examination:
    """One message while it is judged: first what is given, then what the checks draw out of it, in their order."""

    body: bytes
    algorithm: str
    wire: WireMessage | None = None
    peer: Peer | None = None
    message_type: MessageType | None = None
    allowed_methods: tuple[str, ...] = ()
    holder: Participant | None = None
    now: datetime | None = None
    window: FreshnessWindow = DEFAULT_WINDOW
    sent_trace_id: str | None = None
    history: History = History.NEW
    provided: frozenset[Need] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    id_in_metadata: bool = False
    may_be_unsigned: bool = False
    issuer: Issuer | None = None
    networks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    own_id: str = ""
    shown_by: str = ""

    texts: JsonTexts = field(default_factory=JsonTexts, repr=False)
    outer: dict[str, Any] = field(default_factory=dict)
    envelope: Envelope | None = None
    token_text: str = field(default="", repr=False)
    token: AccessToken | None = field(default=None, repr=False)
    signature_text: str = ""
    header_text: str = ""
    header_bytes: bytes = b""
    payload: bytes = b""
    signature: bytes = b""
    signing_input: bytes = b""
    key: PublicKey | None = None
    header: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    instant: datetime | None = None
    content: BaseModel | None = None
    steps: "list[Step]" = field(default_factory=list)
    problem: Problem | None = None

    def checkpoint(self) -> int:
        """Return where the examination stands, for `rewind`; nothing may have failed yet."""
        return len(self.steps)

    def rewind(self, checkpoint: int) -> None:
        """Go back to a checkpoint, because what it was judged by has changed since."""
        del self.steps[checkpoint:]
        self.problem = self.holder = self.key = None

    @property
    def kid(self) -> str | None:
        """The kid of the signed header once it has been read."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None

    @property
    def identified(self) -> dict[str, Any]:
        """The object in which this profile's messages have their requestId."""
        return self.metadata if self.id_in_metadata else self.document

    @property
    def request_id(self) -> Any:
        """What stands in place of the requestId; None where nothing does."""
        return self.identified.get("requestId")

    @property
    def metadata(self) -> dict[str, Any]:
        """The payload's `metadata`, empty where it is none."""
        metadata = self.document.get("metadata")
        return metadata if isinstance(metadata, dict) else {}


_CITATION = re.compile(r"^(?P<text>.*?)\s*\((?P<clause>[^()]*(?:\([^()]*\)[^()]*)*)\)\.?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Check:
    """A named condition. Its text and clause come from the docstring of its function, the only place that has them."""

    name: str
    text: str
    clause: str
    problem: Problem
    needs: frozenset[Need]
    judge: Callable[[Examination], Finding]


def check(problem: Problem, *needs: Need) -> Callable[[Callable[[Examination], Finding]], Check]:
    """Make a check out of a function whose docstring ends with its clause in parentheses."""

    def make(judge: Callable[[Examination], Finding]) -> Check:
        cited = _CITATION.match(" ".join((judge.__doc__ or "").split()))
        if cited is None:
            raise TypeError(f"the docstring of {judge.__name__} does not end with a clause in parentheses")
        return Check(judge.__name__, cited["text"], cited["clause"], problem, frozenset(needs), judge)

    return make


class Step(NamedTuple):
    """One check and what became of it. (A tuple, because a message has a score of them.)"""

    check: Check
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


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on one message: every step in order; `problem` is None if nothing failed."""

    steps: tuple[Step, ...]
    problem: Problem | None

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return self.problem is None

    @property
    def failure(self) -> Step | None:
        """The step that failed, if one did."""
        return next((step for step in self.steps if step.outcome is Outcome.FAILED), None)


@dataclass(frozen=True, slots=True)
class VerifiedMessage:
    """A message for which every check held: the only form in which rules and journal ever meet one."""

    message_type: MessageType
    sender: Participant
    kid: str
    payload: bytes
    document: dict[str, Any]
    content: BaseModel
    nonce: Nonce
    request_id: str
    wire: WireMessage
    received_at: datetime
    verification: Verification


def examine(examination: Examination, checks: Sequence[Check]) -> None:
    """Run the checks in order, adding a step for each; stop at the first that fails and note its problem.

    An examination that has failed goes no further, whoever calls.
    """
    if examination.problem is not None:
        return
    steps, provided = examination.steps, examination.provided
    if not examination.may_be_unsigned:
        provided |= _SIGNED  # so that nobody has to think of it: only who says so gets by without a signature
    for one in checks:
        if not one.needs <= provided:
            missing = min(need.value for need in one.needs - provided)
            steps.append(Step(one, Outcome.NOT_JUDGED, "", f"there is no {missing}"))
            continue
        finding = one.judge(examination)
        if not finding.passed:
            steps.append(Step(one, Outcome.FAILED, finding.expected, finding.found))
            examination.problem = finding.problem or one.problem
            return
        steps.append(Step(one, Outcome.PASSED, finding.expected, finding.found))


def conclude(examination: Examination, checks: Sequence[Check]) -> Verification:
    """Close an examination: the checks of the table that no step was made for were not reached."""
    reached = {step.check.name for step in examination.steps}
    rest = (Step(one, Outcome.NOT_REACHED) for one in checks if one.name not in reached)
    return Verification((*examination.steps, *rest), examination.problem)
