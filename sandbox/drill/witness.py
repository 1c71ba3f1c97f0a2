"""Somebody who has what the LSP has: its TLS certificate and signing keys. What the lender answers to him."""

from dataclasses import dataclass
from typing import Self

import httpx

from sandbox.caller import Caller
from sandbox.drill.traffic import MESSAGE, content_of
from shared.node.clock import Clock
from shared.node.identity import Identity
from shared.node.ids import new_id
from shared.node.net.tls import client_context
from shared.protocol.envelope import seal
from shared.protocol.participants import Participant
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.profiles import V3
from shared.protocol.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an HTTP status and the error of a signed ack, or neither, for `reason`."""

    status: int | None
    error: str
    reason: str
    on_open_connection: bool

    @property
    def is_accepted(self) -> bool:
        """Whether the lender took the message."""
        return self.error == SUCCESS

    def is_refused_by(self, check: str) -> bool:
        """Tell whether that check has refused it, in a signed answer over the connection that was open."""
        is_signature = (self.status, self.error) == (Problem.SIGNATURE.status, Problem.SIGNATURE.code)
        return is_signature and self.reason == check and self.on_open_connection

    def __str__(self) -> str:
        return f"{self.status} {self.error}, {self.reason}" if self.error else self.reason


class Witness:
    """Calls the lender with the certificate that the LSP had when he got hold of it.

    He repeats a request that the lender has accepted before, under new metadata: where it is accepted again, it has no
    second effect (docs/positions.md P8).
    """

    def __init__(self, lsp: Identity, lender: Participant, clock: Clock) -> None:
        self._lsp = lsp
        self._lender = lender
        self._clock = clock
        self._tls = client_context(lsp.tls_certificate, lsp.tls_private_key, lsp.trust)
        self._open = Caller(lender, self._tls)

    def __enter__(self) -> Self:
        self._open.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.__exit__(None, None, None)

    def send(self, request_id: str, key: SigningKey) -> Answer:
        """Send over the connection that stays open."""
        return self._post(self._open, request_id, key)

    def send_anew(self, request_id: str, key: SigningKey) -> Answer:
        """Send over a new connection."""
        with Caller(self._lender, self._tls) as caller:
            return self._post(caller, request_id, key)

    def _post(self, caller: Caller, request_id: str, key: SigningKey) -> Answer:
        before, trace_id = caller.connection, new_id()
        originator, now = self._lsp.originators[V3.name], self._clock.now()
        payload = V3.stamp(content_of(request_id), originator, request_id, trace_id, now)
        body = seal(payload, key, self._lender.envelope_member).to_bytes()
        try:
            status, judged = caller.post(MESSAGE.path, body, trace_id)
        except httpx.TransportError as error:
            return Answer(None, "", f"no connection ({str(error).rstrip('.')})", on_open_connection=False)
        if judged.verification.failure or judged.identified is None:
            return Answer(status, "", "an answer that is no signed ack", on_open_connection=False)
        reason = str(judged.identified.ack.get("detail", {}).get("check", ""))
        is_open = before is not None and caller.connection == before
        return Answer(status, str(judged.identified.ack["error"]), reason, on_open_connection=is_open)
