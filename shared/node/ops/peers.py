"""The operator plane's routes about peers of OCEN 4.0: how they sign, which no registry tells."""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict

from shared.catalogue.body import Identifier
from shared.node.ops.body import StrictRoute
from shared.node.ops.operated import OperatedNode, TheNode
from shared.node.ops.views import Mistake
from shared.node.registry.member import Member
from shared.node.registry.peers import save_peer
from shared.protocol.participants import Dialect

_NO_MEMBER: Final[dict[int | str, dict[str, Any]]] = {409: {"model": Mistake}}

routes: Final = APIRouter(tags=["peers"], route_class=StrictRoute, responses=_NO_MEMBER)


class Peer(BaseModel):
    """A peer and its dialect; name and base URL are there once it has been looked up in the registry."""

    participant_id: str
    dialect: Dialect
    name: str = ""
    base_url: str = ""


class KnownPeers(BaseModel):
    """All peers that are known or settled, in the order of their ids."""

    items: list[Peer]


class PeerSetting(BaseModel):
    """How a peer is to be understood from now on."""

    model_config = ConfigDict(extra="forbid")

    dialect: Dialect


@routes.get("/peers")
async def peers(node: TheNode) -> KnownPeers:
    """List the peers of OCEN 4.0 that have been looked up, or whose dialect somebody has settled."""
    return KnownPeers(items=_peers(_member(node)))


@routes.put("/peers/{participant_id}")
async def set_peer(node: TheNode, participant_id: Annotated[Identifier, Path()], wish: PeerSetting) -> Peer:
    """Settle how a peer signs; it counts from its next message on, and outlives a restart."""
    member = _member(node)
    now = node.clock.now()
    await node.journal.act(partial(save_peer, participant_id=participant_id, dialect=wish.dialect, now=now))
    await member.follow(node.engine)
    return next(one for one in _peers(member) if one.participant_id == participant_id)


def _member(node: OperatedNode) -> Member:
    if node.member is None:
        raise HTTPException(409, "This node does not speak OCEN 4.0; set OCEN_REGISTRY_URL to have it join a network.")
    return node.member


def _peers(member: Member) -> list[Peer]:
    known = {one.organisation_id: one for one in member.directory.participants()}
    return [
        Peer(
            participant_id=participant_id,
            dialect=member.peers.dialect_of(participant_id),
            name=known[participant_id].name if participant_id in known else "",
            base_url=known[participant_id].base_url if participant_id in known else "",
        )
        for participant_id in sorted({*known, *member.peers.settled()})
    ]
