"""The operator plane's routes about peers of OCEN 4.0: how they sign, which no registry tells."""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, BeforeValidator, ConfigDict

from shared.catalogue.bodies.body import Identifier
from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.ops.body import StrictRoute
from shared.node.ops.operated import OperatedNode, TheNode
from shared.node.ops.views import Items, Mistake
from shared.node.registry.member import Member
from shared.node.registry.peers import remove_peer, save_peer
from shared.node.settings import dialect_named
from shared.protocol.participants import Dialect, Participant

_NO_MEMBER: Final[dict[int | str, dict[str, Any]]] = {409: {"model": Mistake}}

routes: Final = APIRouter(tags=["peers"], route_class=StrictRoute, responses=_NO_MEMBER)


class PeerView(BaseModel):
    """A peer and its dialect; name and base URL are there once it has been looked up in the registry."""

    participant_id: str
    dialect: Dialect
    name: str = ""
    base_url: str = ""


class PeerSetting(BaseModel):
    """How a peer is to be understood from now on."""

    model_config = ConfigDict(extra="forbid")

    dialect: Annotated[Dialect, BeforeValidator(dialect_named)]


@routes.get("/peers")
async def peers(node: TheNode) -> Items[PeerView]:
    """List the peers of OCEN 4.0 that have been looked up, or whose dialect was set."""
    return Items(items=_peers(_member(node)))


@routes.put("/peers/{participant_id}", responses={404: {"model": Mistake}, 503: {"model": Mistake}})
async def set_peer(node: TheNode, participant_id: Annotated[Identifier, Path()], requested: PeerSetting) -> PeerView:
    """Set how a peer signs; it counts from its next message on, and after a restart too."""
    member = _member(node)
    known = await _registered(member, participant_id)
    now = node.clock.now()
    await node.journal.act(partial(save_peer, participant_id=participant_id, dialect=requested.dialect, now=now))
    await member.follow(node.engine)
    return _peer(member, participant_id, known)


@routes.delete("/peers/{participant_id}", responses={404: {"model": Mistake}})
async def unset_peer(node: TheNode, participant_id: Annotated[Identifier, Path()]) -> PeerView:
    """Remove what was set here for a peer, registered or not; the settings count again."""
    member = _member(node)
    if not await node.journal.act(partial(remove_peer, participant_id=participant_id)):
        raise HTTPException(404, f"Nothing was settled here about {participant_id}; GET /peers lists what was.")
    await member.follow(node.engine)
    known = (participant for participant in member.directory.participants() if participant.id == participant_id)
    return _peer(member, participant_id, next(known, None))


def _member(node: OperatedNode) -> Member:
    if node.member is None:
        raise HTTPException(409, "This node does not speak OCEN 4.0; set OCEN_REGISTRY_URL to have it join a network.")
    return node.member


def _peers(member: Member) -> list[PeerView]:
    known = {participant.id: participant for participant in member.directory.participants()}
    ids = sorted({*known, *member.peers.settled()})
    return [_peer(member, participant_id, known.get(participant_id)) for participant_id in ids]


def _peer(member: Member, participant_id: str, known: Participant | None) -> PeerView:
    return PeerView(
        participant_id=participant_id,
        dialect=member.peers.dialect_of(participant_id),
        name=known.name if known is not None else "",
        base_url=known.base_url if known is not None else "",
    )


async def _registered(member: Member, participant_id: str) -> Participant:
    """Look a peer up: the setting of a mistyped id would be kept, and count for nobody."""
    try:
        known = await member.directory.receiver(participant_id)
    except CounterpartiesUnavailable as error:
        raise HTTPException(503, f"{participant_id} cannot be looked up now ({error}); try again.") from error
    if known is None:
        raise HTTPException(404, f"The registry serves no participant {participant_id}; give the id of one it serves.")
    return known
