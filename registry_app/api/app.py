"""The application of the protocol plane: the Auth Service, the registry and the heartbeat's sink at one address."""

from fastapi import FastAPI

from registry_app.api import heartbeat, look_ups, realm
from registry_app.api.refusals import add_refusals
from registry_app.api.request_limits import RequestLimits
from registry_app.components import Components
from shared.node.ops.documentation import package_version

_DESCRIPTION = """Auth Service, participant registry and heartbeat of OCEN 4.0. A client gets its token at the realm's
token endpoint and shows it as bearer token everywhere else. Extensions of ours say so."""


def api_app(components: Components) -> FastAPI:
    """Make the application."""
    app = api_routes()
    app.state.components = components
    app.add_middleware(RequestLimits, telemetry=components.telemetry, clock=components.clock)
    add_refusals(app)
    return app


def api_routes() -> FastAPI:
    """Return the routes of the protocol plane, without a registry: what its OpenAPI document is written from."""
    app = FastAPI(
        title="OCEN 4.0 registry",
        description=_DESCRIPTION,
        version=package_version(),
        openapi_url=None,
        # A redirect would go to whatever host the caller names, and ask for no token.
        redirect_slashes=False,
    )
    for routes in (realm.routes, look_ups.routes, heartbeat.routes):
        app.router.routes.extend(routes.routes)
    return app
