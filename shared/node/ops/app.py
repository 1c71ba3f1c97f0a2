"""The operator plane: what people and tools on this machine see of the node, and tell it to do.

Plain HTTP with JSON, on a port of its own that listens on loopback, behind a bearer token. Nothing of it is OCEN; the
protocol plane has no part in it.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Response, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

from shared.catalogue.table import messages_received_by
from shared.node.ops import identity, messages, participants, peers, status
from shared.node.ops.docs_page import page_response
from shared.node.ops.errors import add_error_handlers
from shared.node.ops.guard import OperatorGuard
from shared.node.ops.openapi import protocol_openapi
from shared.node.ops.operated import OperatedNode
from shared.node.ops.views import Mistake

_DESCRIPTION: Final = """What this node has received, sent and refused, with every signed text and every check; how to
send a message and to onboard a counterparty. `/protocol/docs` describes what the node takes from its counterparties."""

_MISTAKES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Mistake} for status in (401, 413, 415, 421, 422, 503)
}

# The guard demands the token, of this and of all else that is not public. This tells the documentation.
_operator_token = HTTPBearer(scheme_name="operatorToken", description="From the ops token file", auto_error=False)


def ops_app(node: OperatedNode) -> FastAPI:
    """Make the application of the operator plane.

    Raises:
        SettingsError: the token cannot be read, or is too short.
    """
    app = FastAPI(
        title=f"Operator plane of {node.identity.organisation_id}",
        description=_DESCRIPTION,
        version=package_version(),
        docs_url=None,
        redoc_url=None,
    )
    app.state.node = node
    app.add_middleware(OperatorGuard, token=node.settings.ops_token, listens_on=node.settings.ops_host)
    add_error_handlers(app)
    app.include_router(status.public_routes)
    for routes in (status.routes, messages.routes, participants.routes, peers.routes, identity.routes):
        app.include_router(routes, responses=_MISTAKES, dependencies=[Security(_operator_token)])
    app.include_router(_documentation(app, node))
    return app


def _documentation(app: FastAPI, node: OperatedNode) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    spoken = [one for one in messages_received_by(node.identity.role) if one.version in node.identity.originators]
    protocol = protocol_openapi(spoken, app.version)

    @routes.get("/docs")
    async def docs() -> Response:
        return page_response(app.openapi())

    @routes.get("/protocol/docs")
    async def protocol_docs() -> Response:
        return page_response(protocol)

    @routes.get("/protocol/openapi.json")
    async def protocol_document() -> Response:
        return JSONResponse(protocol)

    return routes


def package_version() -> str:
    """Return the version of this package as it is installed."""
    try:
        return version("ocen-reference-pair")
    except PackageNotFoundError:
        return "not installed"
