"""Steady traffic: requests of the LSP to the lender, so many a second, for as long as a drill lasts."""

import threading
from datetime import datetime
from typing import Final, NamedTuple, Self

from sandbox.errors import SandboxError
from sandbox.ops_client import OpsClient
from shared.catalogue.table import example_of, get_message
from shared.clock import Clock
from shared.node.ids import new_id

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
