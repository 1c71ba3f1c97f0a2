"""The operator plane: what people and tools on this machine see of the node, and tell it to do.

Plain HTTP with JSON, on a port of its own that listens on loopback, behind a bearer token. Nothing of it is OCEN; the
protocol plane has no part in it.
"""

from collections.abc import Collection
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.routing import BaseRoute

from shared.node.ops import identity, messages, participants, peers, rules, status
from shared.node.ops.documentation import documentation_routes, package_version
from shared.node.ops.errors import add_error_handlers
from shared.node.ops.guard import OperatorGuard
from shared.node.ops.operated import OperatedNode
from shared.node.ops.views import Mistake
from shared.protocol.messages import Role

_DESCRIPTION: Final = """What this node has received, sent and refused, with every signed text and every check; how to
send a message and to onboard a counterparty. What the node takes from its counterparties:
[/protocol/docs](/protocol/docs)."""

_MISTAKES: Final[dict[int | str, dict[str, Any]]] = {status: {"model": Mistake} for status in (401, 421, 503)}

# The guard demands the token, of this and of all else that is not public. This tells the documentation.
_operator_token = HTTPBearer(scheme_name="operatorToken", description="From the ops token file", auto_error=False)


def ops_app(node: OperatedNode) -> FastAPI:
    """Make the application of the operator plane.

    Raises:
        SettingsError: the token cannot be read, or is too short.
    """
    app, own = operator_api(), node.identity
    app.state.node = node
    app.add_middleware(OperatorGuard, token=node.settings.ops_token, listens_on=node.settings.ops_host)
    add_error_handlers(app)
    protocol = protocol_document_name(own.role, own.originators)
    app.include_router(documentation_routes(__package__, "operator.json", protocol, own.organisation_id))
    return app


def operator_api() -> FastAPI:
    """Return the routes of the operator plane, without a node: what its OpenAPI document is written from."""
    app = FastAPI(
        title="Operator plane of a node", description=_DESCRIPTION, version=package_version(), openapi_url=None
    )
    app.router.routes.extend(_routes())
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Return the routes, made once: FastAPI takes a tenth of a second for them."""
    router = APIRouter()
    router.include_router(status.public_routes)
    for routes in (status.routes, messages.routes, participants.routes, peers.routes, identity.routes, rules.routes):
        router.include_router(routes, responses=_MISTAKES, dependencies=[Security(_operator_token)])
    return router.routes


def protocol_document_name(role: Role, versions: Collection[str]) -> str:
    """Return the file of the document that says what a participant of this role takes, if it speaks these versions."""
    return f"{role.value.lower()}-{'-'.join(sorted(versions))}.json"
