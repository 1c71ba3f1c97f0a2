"""The limits of a request on the protocol plane, and how long it took to answer."""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry_app.api.refusals import refusal
from registry_app.telemetry import RegistryTelemetry
from shared.clock import Clock
from shared.protocol.phases import declared_size
from shared.transport.certificate_connections import OVER_LIMIT_EXTENSION

MAX_BODY_BYTES: Final = 65_536


class RequestLimits:
    """ASGI middleware: a body has at most 64 KiB, and every answer is measured."""

    def __init__(self, app: ASGIApp, *, telemetry: RegistryTelemetry, clock: Clock) -> None:
        self._app = app
        self._telemetry = telemetry
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; reading a body beyond the limit ends in 413."""
        began, status, received = self._clock.elapsed(), 500, 0

        async def receive_bounded() -> Message:
            nonlocal received
            is_declared_larger = declared_size(Headers(scope=scope)) > MAX_BODY_BYTES
            message = {} if is_declared_larger else await receive()
            received += len(message.get("body", b""))
            if is_declared_larger or received > MAX_BODY_BYTES:
                raise HTTPException(413, f"The body is larger than {MAX_BODY_BYTES} bytes.", {"connection": "close"})
            return message

        async def send_observed(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            if OVER_LIMIT_EXTENSION in scope.get("extensions", ()):
                while (await receive()).get("more_body"):
                    pass  # a caller that is still writing would not read the answer
                sentence = "More connections show this certificate than are served at a time."
                response = refusal(Request(scope), 503, sentence, {"retry-after": "5"})
                await response(scope, receive, send_observed)
            else:
                await self._app(scope, receive_bounded, send_observed)
        finally:
            operation = getattr(scope.get("route"), "path", "")
            peer = (scope.get("client") or ("",))[0]
            self._telemetry.answered(operation, status, self._clock.elapsed() - began, peer)
