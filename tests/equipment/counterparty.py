"""A counterparty that answers by a script, instead of a network."""

from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any

import httpx

from shared.protocol.encoding import dump_json
from shared.protocol.envelope import seal
from shared.protocol.participants import EnvelopeMember
from shared.protocol.signing import SigningKey
from tests.equipment.envelopes import payload_inside
from tests.equipment.parties import LENDER_CERTIFICATE, lender_key

Reply = Callable[[httpx.Request], Any]
"""Makes the response to a request, or something that is awaited for it; what it raises is what the network does."""


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Answers each request with the next reply of the script, and at its end again and again with the last."""

    def __init__(self, *script: Reply) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        response = reply(request)
        answer: httpx.Response = await response if isawaitable(response) else response
        return answer

    async def aclose(self) -> None:
        self.is_closed = True

    @property
    def payloads(self) -> list[dict[str, Any]]:
        """The payloads of all requests."""
        return [payload_inside(request.content) for request in self.requests]


def acking(
    error: str = "0",
    status: int = 200,
    *,
    key: SigningKey | None = None,
    member: EnvelopeMember = EnvelopeMember.HEADER,
    headers: Mapping[str, str] | None = None,
    change: Callable[[dict[str, Any]], Any] = lambda ack: ack,
    certificate: bytes = LENDER_CERTIFICATE,
) -> Reply:
    """Answer with a signed ack; `change` is given the payload before it is signed."""

    def reply(request: httpx.Request) -> httpx.Response:
        trace_id = payload_inside(request.content)["metadata"]["traceId"]
        ack = change({"error": error, "traceId": trace_id, "timestamp": "2031-03-04T05:06:07.890Z"})
        body = seal(dump_json(ack), key or lender_key(), member).to_bytes()
        return answer(body, status, headers, certificate)

    return reply


def answering(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, certificate: bytes = LENDER_CERTIFICATE
) -> Reply:
    """Answer with these bytes."""
    return lambda request: answer(body, status, headers, certificate)


def failing(error: Exception) -> Reply:
    """Fail as the network does."""

    def reply(request: httpx.Request) -> httpx.Response:
        raise error

    return reply


def answer(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, certificate: bytes = LENDER_CERTIFICATE
) -> httpx.Response:
    """A response as the pooled transport gives it."""
    extensions = {"tls_peer_certificate": certificate}
    return httpx.Response(status, headers=headers, content=body, extensions=extensions)
