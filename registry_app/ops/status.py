"""The operator plane's routes about the registry itself: health, readiness, metrics and keys."""

import os
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from registry_app.auth.signing_keys import published_keys
from registry_app.components import TheRegistry
from registry_app.ops.views import Health, SigningKeyView
from shared.node.ops.views import Items, Readiness

public_routes: Final = APIRouter(tags=["registry"])
routes: Final = APIRouter(tags=["registry"])


@public_routes.get("/health")
async def health(registry: TheRegistry, request: Request) -> Health:
    """Tell that the process lives."""
    return Health(issuer=registry.auth.issuer, pid=os.getpid(), version=request.app.version)


@public_routes.get("/ready", response_model_exclude_none=True, responses={503: {"model": Readiness}})
async def ready(registry: TheRegistry, response: Response) -> Readiness:
    """Tell whether calls can be answered: the protocol plane listens and the database has taken a change just now."""
    obstacle = await registry.readiness.obstacle()
    response.status_code = 503 if obstacle else 200
    return Readiness.of(obstacle)


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(registry: TheRegistry) -> Response:
    """Return counters in the text format of Prometheus."""
    return Response(generate_latest(registry.telemetry.registry), media_type=CONTENT_TYPE_LATEST)


@routes.get("/signing-keys")
async def signing_keys(registry: TheRegistry) -> Items[SigningKeyView]:
    """List the keys of the JWKS: the one that signs tokens, and those of tokens not yet expired."""
    now = registry.clock.now()
    published = await registry.database.read(lambda connection: published_keys(connection, now))
    return Items(items=[SigningKeyView.of(key) for key in published])


@routes.post("/signing-keys/rotate", status_code=201)
async def rotate(registry: TheRegistry) -> SigningKeyView:
    """Sign tokens with a new key from now on; the former one stays in the JWKS until its tokens have expired."""
    return SigningKeyView.of(await registry.auth.rotate())
