"""What the operator plane answers when it cannot do what it was asked: one sentence with what to do, under `detail`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.node.business_clock import ClockSetBackError
from shared.node.identity import IdentityError
from shared.node.journal import DuplicateRequestError, NotFinishedError
from shared.node.onboarding.record import OnboardingError, TakenError, UnknownError
from shared.node.onboarding.registrar import NotInForceError
from shared.node.ops.views import Mistake
from shared.node.orders import OrderRefusedError
from shared.node.rules import UnknownOrderError
from shared.node.send.sender import SendError, UnknownReceiverError
from shared.storage.writer import StorageUnavailable
from shared.transport.tls_files import TlsConfigurationError

_STATUSES: Final[Mapping[type[Exception], int]] = {
    UnknownReceiverError: 404,
    DuplicateRequestError: 409,
    NotFinishedError: 409,
    SendError: 422,
    UnknownError: 404,
    TakenError: 409,
    OnboardingError: 422,
    IdentityError: 409,
    TlsConfigurationError: 409,
    ClockSetBackError: 409,
    OrderRefusedError: 409,
    UnknownOrderError: 404,
    NotInForceError: 500,
    StorageUnavailable: 503,
}
"""The HTTP status of what the node may answer; its text goes out as it is."""


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error with its status and a sentence."""
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    for kind in _STATUSES:
        app.add_exception_handler(kind, _answered_no)


async def _unfit(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or first["loc"][0]
    return _mistake(422, f"{place}: {first['msg']}.")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.detail != HTTPStatus(error.status_code).phrase:
        return _mistake(error.status_code, error.detail, error.headers)
    sentence = f"{request.method} {request.url.path} is not served here; GET /docs shows what is."
    return _mistake(error.status_code, sentence, error.headers)


async def _answered_no(_: Request, error: Exception) -> Response:
    return _mistake(next(status for kind, status in _STATUSES.items() if isinstance(error, kind)), str(error))


async def _failed(_: Request, __: Exception) -> Response:
    return _mistake(500, "Something failed here; the node's log has the cause.")


def _mistake(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(Mistake(detail=sentence).model_dump(), status, dict(headers or {}))
