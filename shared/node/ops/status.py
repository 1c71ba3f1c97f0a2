"""The operator plane's routes about the node itself: health, readiness and metrics."""

import os
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.node.ops.operated import TheNode
from shared.node.ops.views import NodeHealth, Readiness
from shared.node.send.outbox import OutboxState

public_routes: Final = APIRouter(tags=["node"])
routes: Final = APIRouter(tags=["node"])


@public_routes.get("/health")
async def health(node: TheNode, request: Request) -> NodeHealth:
    """Tell that the process lives, and whose it is."""
    identity, version = node.identity, request.app.version
    return NodeHealth(organisation_id=identity.organisation_id, role=identity.role, pid=os.getpid(), version=version)


@public_routes.get("/ready", response_model_exclude_none=True, responses={503: {"model": Readiness}})
async def ready(node: TheNode, response: Response) -> Readiness:
    """Tell whether messages can be taken: the protocol plane listens and the database has taken a change just now."""
    obstacle = await node.readiness.obstacle()
    response.status_code = 503 if obstacle else 200
    return Readiness.of(obstacle)


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(node: TheNode) -> Response:
    """Return counters in the text format of Prometheus; deliveries that are not finished are counted now."""
    backlog = await node.journal.backlog()
    for state in (OutboxState.WAITING, OutboxState.SENDING):
        node.telemetry.unfinished.labels(state.value).set(backlog.get(state, 0))
    return Response(generate_latest(node.telemetry.registry), media_type=CONTENT_TYPE_LATEST)
