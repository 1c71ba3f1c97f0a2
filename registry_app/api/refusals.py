"""How the protocol plane refuses: as in RFC 6749 at the realm, as `ResponseMessage` at the heartbeat, and elsewhere,
where the API description names no body, with a sentence.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from registry_app.auth.errors import OAuthError, TokenRefused
from registry_app.components import Components
from shared.catalogue.bodies.v4.heartbeat import ResponseMessage
from shared.catalogue.bodies.v4.registry import REALM, as_json
from shared.protocol.problems import Problem
from shared.storage.writer import StorageUnavailable

HEARTBEAT = "/ocen/v4/"

NO_STORE = {"cache-control": "no-store"}

_CODES = {
    400: Problem.MALFORMED.code,
    401: Problem.TOKEN.code,
    403: Problem.SENDER.code,
    404: Problem.NO_SUCH_PATH.code,
    405: Problem.METHOD_NOT_ALLOWED.code,
    413: Problem.TOO_LARGE.code,
    415: Problem.MEDIA_TYPE.code,
    500: Problem.INTERNAL.code,
    503: Problem.UNAVAILABLE.code,
}
_OAUTH = {500: "server_error", 503: "temporarily_unavailable"}


class ReportRefused(Exception):  # noqa: N818 - it is the report that is at fault
    """A report that is not taken: its HTTP status, an error code, a sentence, and what headers the answer has."""

    def __init__(self, status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.headers = headers


class TokenRefusal(BaseModel):
    """Why a call to the realm is refused (RFC 6749 s5.2)."""

    error: str
    error_description: str


def refused_with(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return what routes document of their refusals: every one has this body."""
    return {"default": {"model": model, "description": "Refused; status and text say why."}}


def add_refusals(app: FastAPI) -> None:
    """Give every refusal its status and its form."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def _refused_token_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, OAuthError)
    content = {"error": error.error, "error_description": error.description}
    return JSONResponse(content, error.status, {**NO_STORE, **error.headers})


async def _refused_token(request: Request, error: Exception) -> Response:
    assert isinstance(error, TokenRefused)
    return refusal(request, 401, str(error), {"www-authenticate": error.challenge})


async def _refused_report(request: Request, error: Exception) -> Response:
    assert isinstance(error, ReportRefused)
    return refusal(request, error.status, str(error), error.headers, error.code)


async def _unfit(request: Request, _: Exception) -> Response:
    return refusal(request, 400, "An id is a number from 1 to 999999999.")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if sentence == HTTPStatus(error.status_code).phrase:
        sentence = f"{request.method} is not served at this path."
    return refusal(request, error.status_code, sentence, error.headers)


async def _gone(request: Request, _: Exception) -> Response:
    """Answer a caller that has closed the connection amid its body, as a node that stops does: no failure of ours."""
    return refusal(request, 400, "The call ended before its body was complete.")


async def _unavailable(request: Request, _: Exception) -> Response:
    return refusal(request, 503, "The registry's database does not answer; try again.", {"retry-after": "2"})


async def _failed(request: Request, error: Exception) -> Response:
    components: Components = request.app.state.components
    components.telemetry.trouble("a call failed", error)
    return refusal(request, 500, "Something failed here; the registry's log has the cause.")


_HANDLERS = {
    OAuthError: _refused_token_request,
    TokenRefused: _refused_token,
    ReportRefused: _refused_report,
    RequestValidationError: _unfit,
    HTTPException: _refused,
    ClientDisconnect: _gone,
    StorageUnavailable: _unavailable,
    Exception: _failed,
}


def refusal(
    request: Request, status: int, sentence: str, headers: Mapping[str, str] | None = None, code: str = ""
) -> Response:
    """A refusal, in the form that its path requires."""
    components: Components = request.app.state.components
    content: dict[str, Any] = {"detail": sentence}
    if request.url.path.startswith(HEARTBEAT):
        now = int(components.clock.now().timestamp() * 1000)
        code = code or _CODES.get(status, Problem.MALFORMED.code)
        content = as_json(ResponseMessage(message=sentence, timestamp=now, error_code=code))
    elif request.url.path.startswith(REALM):
        content = {"error": _OAUTH.get(status, "invalid_request"), "error_description": sentence}
    return JSONResponse(content, status, {**NO_STORE, **(headers or {})})
