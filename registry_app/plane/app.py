"""The application of the protocol plane: the Auth Service, the registry and the heartbeat's sink at one address."""

from fastapi import FastAPI

from registry_app.parts import Parts
from registry_app.plane import heartbeat, look_ups, realm
from registry_app.plane.refusals import add_refusals
from registry_app.plane.request_limits import RequestLimits
from shared.node.ops.documentation import package_version

_DESCRIPTION = """Auth Service, participant registry and heartbeat of OCEN 4.0. A client gets its token at the realm's
token endpoint and shows it as bearer token everywhere else. Extensions of ours say so."""


def plane_app(parts: Parts) -> FastAPI:
    """Make the application."""
    app = plane_api()
    app.state.parts = parts
    app.add_middleware(RequestLimits, telemetry=parts.telemetry, clock=parts.clock)
    add_refusals(app)
    return app


def plane_api() -> FastAPI:
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
