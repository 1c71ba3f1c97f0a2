"""The operator plane of the registry: plain HTTP with JSON on loopback, behind the operator's bearer token."""

from functools import cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.routing import BaseRoute

from registry_app.components import Components
from registry_app.ops import participants, reports, resources, status
from shared.node.ops.documentation import documentation_routes, package_version
from shared.node.ops.errors import add_error_handlers
from shared.node.ops.guard import OperatorGuard
from shared.node.ops.views import Mistake

_DESCRIPTION: Final = """Who takes part in the network, in which products and networks; the keys that tokens are signed
with; what participants have reported. What participants call themselves: [/protocol/docs](/protocol/docs)."""

_MISTAKES: Final[dict[int | str, dict[str, Any]]] = {status: {"model": Mistake} for status in (401, 404, 409, 421, 503)}

_operator_token = HTTPBearer(scheme_name="operatorToken", description="From the ops token file", auto_error=False)


def registry_ops_app(components: Components) -> FastAPI:
    """Make the application of the operator plane, which also shows the documentation of the protocol plane.

    Raises:
        SettingsError: the token cannot be read, or is too short.
    """
    app = registry_operator_api()
    app.state.components = components
    app.add_middleware(OperatorGuard, token=components.settings.ops_token, listens_on=components.settings.ops_host)
    add_error_handlers(app)
    app.include_router(documentation_routes(__package__, "registry-operator.json", "registry.json", "the registry"))
    return app


def registry_operator_api() -> FastAPI:
    """Return the routes of the operator plane, without a registry: what its OpenAPI document is written from."""
    app = FastAPI(
        title="Operator plane of the registry", description=_DESCRIPTION, version=package_version(), openapi_url=None
    )
    app.router.routes.extend(_routes())
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Return the routes, made once: FastAPI takes a tenth of a second for them."""
    router = APIRouter()
    router.include_router(status.public_routes)
    for routes in (status.routes, participants.routes, resources.routes, reports.routes):
        router.include_router(routes, responses=_MISTAKES, dependencies=[Security(_operator_token)])
    return router.routes
