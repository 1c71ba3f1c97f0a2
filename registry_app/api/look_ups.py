"""The read operations of the registry (OCEN registry), and an extension of ours. All demand a bearer token.

Only approved participants are shown; any other id is answered with not found.
"""

from collections.abc import Callable
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Response
from sqlalchemy import Connection

from registry_app.answers import (
    credit_product,
    key_set,
    lender_filter,
    participant_detail,
    participants_of,
    served_role,
    whitelisting_item,
)
from registry_app.api.bearer import demand_token
from registry_app.api.refusals import refused_with
from registry_app.components import Components, TheRegistry
from registry_app.store.resources import find, list_rows
from registry_app.store.roles import StoredRole
from registry_app.store.tables import FILTERS, NETWORKS, PRODUCTS, WHITELISTING_ITEMS
from shared.catalogue.bodies.v4.registry import (
    NETWORK_PARTICIPANTS_PATH,
    PARTICIPANT_ADDRESSES_PATH,
    PARTICIPANT_KEYS_PATH,
    PARTICIPANT_PATH,
    CreditProductAnswer,
    IndexedProductNetworkParticipants,
    JsonWebKeySet,
    LenderNetworkFilter,
    ParticipantDetail,
    ServerWhitelistingItem,
)
from shared.node.ops.views import Mistake

T = TypeVar("T")

routes: Final = APIRouter(tags=["registry"], dependencies=[Depends(demand_token)], responses=refused_with(Mistake))

Number = Annotated[str, Path(pattern=r"^[1-9][0-9]{0,8}$")]


@routes.get("/service/products/{number}")
async def product(registry: TheRegistry, number: Number) -> CreditProductAnswer:
    """Return a credit product (GetProductByID)."""

    def query(connection: Connection) -> CreditProductAnswer | None:
        row = find(connection, PRODUCTS, int(number))
        return None if row is None else CreditProductAnswer(data=credit_product(connection, row))

    return await _found(registry, query)


@routes.get(NETWORK_PARTICIPANTS_PATH, response_model=IndexedProductNetworkParticipants)
async def network_participants(registry: TheRegistry, number: Number) -> Response:
    """Return who takes part in a network, by role (GetProductNetworkParticipantsByNetworkID).

    There is no paging: it is a KiB for each participant. It is written in the thread of the query, and nobody who
    reports or asks for a token meanwhile waits for it.
    """

    def query(connection: Connection) -> str | None:
        is_there = find(connection, NETWORKS, int(number)) is not None
        return participants_of(connection, int(number)).model_dump_json(by_alias=True) if is_there else None

    return Response(await _found(registry, query), media_type="application/json")


@routes.get("/service/lender-network-filters/{number}")
async def network_filter(registry: TheRegistry, number: Number) -> LenderNetworkFilter:
    """Return what a lender demands in a network (GetLenderNetworkFilterByID)."""

    def query(connection: Connection) -> LenderNetworkFilter | None:
        row = find(connection, FILTERS, int(number))
        return None if row is None else lender_filter(connection, row)

    return await _found(registry, query)


@routes.get("/service/server-whitelisting-items/{number}")
async def item(registry: TheRegistry, number: Number) -> ServerWhitelistingItem:
    """Return an address that a participant calls from (GetServerWhitelistingItemByID)."""

    def query(connection: Connection) -> ServerWhitelistingItem | None:
        row = find(connection, WHITELISTING_ITEMS, int(number))
        role = None if row is None else served_role(connection, row.role_id)
        return None if row is None or role is None else whitelisting_item(row, role)

    return await _found(registry, query)


# Before the route of one participant, whose id would otherwise be "server-whitelisting-items".
@routes.get(PARTICIPANT_ADDRESSES_PATH)
async def items_of_participant(registry: TheRegistry, number: Number) -> list[ServerWhitelistingItem]:
    """Return the addresses that a participant calls from (GetServerWhitelistingItemsByParticipantRoleID)."""

    def query(connection: Connection) -> list[ServerWhitelistingItem] | None:
        role = served_role(connection, int(number))
        rows = list_rows(connection, WHITELISTING_ITEMS, role_id=int(number))
        return None if role is None else [whitelisting_item(row, role) for row in rows]

    return await _found(registry, query)


@routes.get(PARTICIPANT_PATH)
async def participant(registry: TheRegistry, number: Number) -> ParticipantDetail:
    """Return a participant; the official starter asks for it, the API description lacks it.

    `tlsCertificates` is an extension: SHA-256 of the participant's TLS certificates, lower-case hex.
    """
    return participant_detail(await _served(registry, number))


@routes.get(PARTICIPANT_KEYS_PATH)
async def participant_keys(registry: TheRegistry, number: Number) -> JsonWebKeySet:
    """Return both keys of a participant (an extension: `publicKey` has room for one, a change of keys needs two)."""
    return key_set(await _served(registry, number))


async def _served(registry: Components, number: str) -> StoredRole:
    return await _found(registry, lambda connection: served_role(connection, int(number)))


async def _found(registry: Components, query: Callable[[Connection], T | None]) -> T:
    found = await registry.database.read(query)
    if found is None:
        raise HTTPException(404, "There is none of that id.")
    return found
