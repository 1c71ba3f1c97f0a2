"""The messages of a drill: steady requests of the LSP, and those of an insider who has its certificate."""

import threading
from datetime import datetime
from typing import Final, NamedTuple, Self

import httpx

from sandbox.errors import SandboxError
from sandbox.insider import Caller
from sandbox.ops_client import OpsClient
from shared.catalogue.table import example_of, get_message
from shared.clock import Clock
from shared.node.ids import new_id
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.signing import SigningKey

MESSAGE: Final = get_message("v3", "TriggerLoanAcceptanceRequest")


class Request(NamedTuple):
    """A request that was begun at an aware moment."""

    request_id: str
    begun_at: datetime


class Traffic:
    """Sends requests from a thread of its own, through the LSP's operator plane, until its `with` block ends."""

    def __init__(self, lsp: OpsClient, receiver: str, rate: float, clock: Clock) -> None:
        """Send `rate` requests a second to the organisation `receiver`."""
        self.requests: list[Request] = []
        self._lsp, self._receiver = lsp, receiver
        self._interval = 1 / rate
        self._clock = clock
        self._over = threading.Event()
        self._failure: SandboxError | None = None
        self._thread = threading.Thread(target=self._run, name="traffic")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Make sure that requests still go out. Raises SandboxError if the LSP takes none any more."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        begun = self._clock.elapsed()
        try:
            while not self._over.wait(begun + len(self.requests) * self._interval - self._clock.elapsed()):
                request = Request(new_id(), self._clock.now())
                self.requests.append(request)
                self._lsp.send(MESSAGE.full_name, self._receiver, content_of(request.request_id))
        except SandboxError as error:
            self._failure = error


def content_of(request_id: str) -> dict[str, object]:
    """Return the content of a request, the same each time."""
    return {"requestId": request_id, **example_of(MESSAGE)}


class Answer(NamedTuple):
    """What the lender answers: an HTTP status and the error of a signed ack, or neither, for `reason`."""

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
