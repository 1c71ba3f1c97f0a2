"""What the lender answers to somebody inside the LSP, who has its TLS certificate and a signing key of it."""

from datetime import datetime
from typing import NamedTuple

import httpx

from sandbox.drill.traffic import MESSAGE, content_of
from sandbox.insider import Caller
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.signing import SigningKey


class Answer(NamedTuple):
    """What came back: an HTTP status and the error of a signed ack, or neither, for `reason`."""

    status: int | None
    error: str
    reason: str
    on_open_connection: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether the lender took the message."""
        return self.error == SUCCESS

    def is_refused_by(self, check: str) -> bool:
        """Tell whether that check has refused it, in a signed answer over the connection that was open."""
        problem = Problem.SIGNATURE
        return self == (problem.status, problem.code, check, True)

    def __str__(self) -> str:
        return f"{self.status} {self.error}, {self.reason}" if self.error else self.reason


def repeat_request(caller: Caller, request_id: str, key: SigningKey, now: datetime) -> Answer:
    """Send a request that the lender has accepted before, signed anew at an aware moment.

    Where it is accepted again, it has no second effect (docs/positions.md P8).
    """
    before = caller.connection
    try:
        status, judged = caller.send(MESSAGE, content_of(request_id), request_id, key, now)
    except httpx.TransportError as error:
        return Answer(None, "", f"no connection ({str(error).rstrip('.')})")
    if judged.verification.failure or judged.identified is None:
        return Answer(status, "", "an answer that is no signed ack")
    reason = str(judged.identified.ack.get("detail", {}).get("check", ""))
    is_open = before is not None and caller.connection == before
    return Answer(status, str(judged.identified.ack["error"]), reason, is_open)
