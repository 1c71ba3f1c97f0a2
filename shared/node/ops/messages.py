"""The operator plane's routes about messages: what was received, sent and refused, and what is to be sent."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Query, Response

from shared.catalogue.bodies.body import Identifier
from shared.node.evidence.bundle import evidence_bundle
from shared.node.ops.body import StrictRoute
from shared.node.ops.history import message_history
from shared.node.ops.ledger import list_messages, list_notices, list_refusals
from shared.node.ops.ledger_views import (
    MessageFilter,
    MessageHistory,
    MessageLine,
    NoticeView,
    RefusalFilter,
    RefusedMessage,
)
from shared.node.ops.operated import TheNode
from shared.node.ops.views import Items, MessageToSend, Mistake, Page, Underway
from shared.storage.reader import read

routes: Final = APIRouter(tags=["messages"], route_class=StrictRoute)


@routes.get("/messages")
async def messages(node: TheNode, wanted: Annotated[MessageFilter, Query()]) -> Page[MessageLine]:
    """List messages received and sent, newest first."""
    return await read(node.engine, partial(list_messages, wanted=wanted))


# Before the route of the whole history, whose path holds whatever a requestId may, slashes too.
@routes.get(
    "/messages/{request_id:path}/evidence",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}}, 404: {"model": Mistake}},
)
async def evidence(node: TheNode, request_id: Annotated[Identifier, Path()]) -> Response:
    """Return the evidence of all that was accepted and sent under a requestId, as a zip file.

    It holds the exact signed bytes, keys and certificates of then, a verdict on each, and `verify.sh`, which needs
    nothing but openssl. What does not hold any more is in it too, and it says so.
    """
    bundle = await read(node.engine, partial(evidence_bundle, request_id=request_id, own_ids=_own_ids(node)))
    if bundle is None:
        raise HTTPException(404, f"Nothing was accepted or sent under requestId {request_id}; GET /messages lists all.")
    headers = {"content-disposition": 'attachment; filename="evidence.zip"'}
    return Response(bundle, media_type="application/zip", headers=headers)


@routes.get("/messages/{request_id:path}", responses={404: {"model": Mistake}})
async def message(node: TheNode, request_id: Annotated[Identifier, Path()]) -> MessageHistory:
    """Show everything under a requestId: signed texts, checks, tries, refusals (of those the latest 50)."""
    history = await read(node.engine, partial(message_history, request_id=request_id, own_ids=_own_ids(node)))
    if history is None:
        raise HTTPException(404, f"Nothing is known of requestId {request_id}; GET /messages lists what is.")
    return history


@routes.post("/messages", status_code=202, responses={404: {"model": Mistake}, 409: {"model": Mistake}})
async def send_message(node: TheNode, requested: MessageToSend) -> Underway:
    """Send a message. When this is answered, the message is in the outbox and will be signed and delivered."""
    entry = await node.sender.send(requested.message, requested.to, requested.content)
    return Underway(id=entry.id, request_id=entry.outgoing.request_id)


@routes.post(
    "/messages/{sent_id}/redrive", status_code=202, responses={404: {"model": Mistake}, 409: {"model": Mistake}}
)
async def redrive(node: TheNode, sent_id: Annotated[Identifier, Path()]) -> Underway:
    """Try a delivery that was given up again, with a new budget of tries; `sent_id` is the `id` of a sent message."""
    entry = await node.journal.redrive(sent_id, node.clock.now())
    if entry is None:
        raise HTTPException(404, f"No sent message has the id {sent_id}; GET /messages?direction=sent lists them.")
    return Underway(id=entry.id, request_id=entry.outgoing.request_id)


@routes.get("/refusals")
async def refusals(node: TheNode, wanted: Annotated[RefusalFilter, Query()]) -> Page[RefusedMessage]:
    """List messages that were refused, newest first; the latest 10,000 are kept."""
    return await read(node.engine, partial(list_refusals, wanted=wanted))


@routes.get("/notices")
async def notices(node: TheNode, reference: Annotated[Identifier | None, Query()] = None) -> Items[NoticeView]:
    """List texts to persons that have not expired, such as the SMS with an OTP; `reference` is a requestId."""
    now = node.clock.now()
    return Items(items=await read(node.engine, partial(list_notices, reference=reference, now=now)))


def _own_ids(node: TheNode) -> dict[str, str]:
    return {profile: own.participant_id for profile, own in node.identity.originators.items()}
