"""The guard of the operator plane: a call without the token reaches no route, and cannot learn which there are."""

import hmac
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PAGE_FILES: Final = tuple(f"/docs/{name}" for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"))
"""What a page of documentation loads."""

OPEN_PATHS: Final = frozenset(
    {"/health", "/ready", "/docs", "/openapi.json", "/protocol/docs", "/protocol/openapi.json", *PAGE_FILES}
)
"""All that is answered without the token; nothing there is secret. What is not listed here is closed."""

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class OperatorGuard:
    """ASGI middleware that checks the Host header, then the bearer token (RFC 6750 s2.1).

    The Host header is checked where the plane listens on loopback only: a web page may let its own name resolve to
    127.0.0.1 and so reach us from a browser on this machine, but the browser then names that page's host.
    """

    def __init__(self, app: ASGIApp, *, token: str, listens_on: str) -> None:
        """Guard `app`, which listens on the host `listens_on`."""
        self._app = app
        self._token = token.encode()
        self._hosts = _LOOPBACK_NAMES | {listens_on} if _is_loopback(listens_on) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer 421 (foreign host) or 401 (no token, or a wrong one)."""
        headers = Headers(scope=scope)
        if self._hosts is not None and _name(headers.get("host", "")) not in self._hosts:
            refusal = _refusal(421, "The Host header names another host; call this plane as 127.0.0.1 or localhost.")
            await refusal(scope, receive, send)
        elif scope["path"] not in OPEN_PATHS and not self._holds_token(headers.get("authorization", "")):
            await self._demand_token(headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _holds_token(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        is_bearer = scheme.lower() == "bearer"
        return hmac.compare_digest(given.strip().encode(), self._token) and is_bearer

    def _demand_token(self, headers: Headers) -> JSONResponse:
        if "authorization" not in headers:
            sentence = "This needs the operator's token; send the header Authorization: Bearer TOKEN."
            return _refusal(401, sentence, "Bearer")
        sentence = "The operator's token is another one; read it from the file that OCEN_OPS_TOKEN_FILE names."
        return _refusal(401, sentence, 'Bearer error="invalid_token"')


def _refusal(status: int, sentence: str, challenge: str | None = None) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status, {"www-authenticate": challenge} if challenge else None)


def _name(host: str) -> str:
    """Return the host of a Host header without its port, empty where it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
