"""The acknowledgement: error, traceId, timestamp (OCEN v3 ack), and `detail` where a sandbox explains a refusal."""

from dataclasses import dataclass
from datetime import datetime

from shared.protocol.encoding import dump_json, format_timestamp
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.verification import Failure


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What answers a message at once. `problem` None means accepted; `trace_id` echoes the message's.

    `timestamp` is aware; it is written in UTC with milliseconds. `is_wrapped`: it stands inside a member `ack` (C12).
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
