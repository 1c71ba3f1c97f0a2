"""The operator plane of the registry: plain HTTP with JSON on loopback, behind the operator's bearer token."""

from typing import Any, Final

from fastapi import APIRouter, FastAPI, Response, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

from registry_app.ops import participants, reports, resources, status
from registry_app.parts import Parts
from shared.node.ops.app import package_version
from shared.node.ops.docs_page import page_response
from shared.node.ops.errors import add_error_handlers
from shared.node.ops.guard import OperatorGuard
from shared.node.ops.views import Mistake

_DESCRIPTION: Final = """Who takes part in the network, in which products and networks; the keys that tokens are signed
with; what participants have reported. `/protocol/docs` describes what participants call themselves."""

_MISTAKES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Mistake} for status in (401, 404, 409, 421, 422, 503)
}

_operator_token = HTTPBearer(scheme_name="operatorToken", description="From the ops token file", auto_error=False)


def registry_ops_app(parts: Parts, plane: FastAPI) -> FastAPI:
    """Make the application of the operator plane, which also shows the documentation of the protocol `plane`.

    Raises:
        SettingsError: the token cannot be read, or is too short.
    """
    app = FastAPI(
        title="Operator plane of the registry",
        description=_DESCRIPTION,
        version=package_version(),
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    app.add_middleware(OperatorGuard, token=parts.settings.ops_token, listens_on=parts.settings.ops_host)
    add_error_handlers(app)
    app.include_router(status.public_routes)
    for routes in (status.routes, participants.routes, resources.routes, reports.routes):
        app.include_router(routes, responses=_MISTAKES, dependencies=[Security(_operator_token)])
    app.include_router(_documentation(app, plane))
    return app


def _documentation(app: FastAPI, plane: FastAPI) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def docs() -> Response:
        return page_response(app.openapi())

    @routes.get("/protocol/docs")
    async def protocol_docs() -> Response:
        return page_response(plane.openapi())

    @routes.get("/protocol/openapi.json")
    async def protocol_document() -> Response:
        return JSONResponse(plane.openapi())

    return routes
