"""The operator plane's routes about products, product networks, whitelisting items and lender network filters."""

from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from sqlalchemy import Connection, Row, Table

from registry_app.components import Components, TheRegistry
from registry_app.ops.views import (
    FilterForm,
    FilterView,
    Id,
    NetworkForm,
    NetworkView,
    ProductForm,
    ProductView,
    WhitelistingForm,
    WhitelistingView,
)
from registry_app.store.resources import add_member, create, demand, list_rows, members_of, remove, remove_member
from registry_app.store.tables import FILTERS, NETWORKS, PRODUCTS, WHITELISTING_ITEMS
from shared.node.onboarding.fields import checked_addresses, collected_errors
from shared.node.ops.body import StrictRoute
from shared.node.ops.views import Items

routes: Final = APIRouter(tags=["resources"], route_class=StrictRoute)

Number = Annotated[Id, Path()]
View = TypeVar("View", bound=BaseModel)


@routes.get("/products")
async def products(registry: TheRegistry) -> Items[ProductView]:
    """List the credit products."""
    rows = await registry.database.read(lambda connection: list_rows(connection, PRODUCTS))
    return Items(items=[_view(ProductView, row) for row in rows])


@routes.post("/products", status_code=201)
async def create_product(registry: TheRegistry, form: ProductForm) -> ProductView:
    """Create a credit product."""
    return _view(ProductView, await _create(registry, PRODUCTS, form))


@routes.delete("/products/{number}", status_code=204)
async def remove_product(registry: TheRegistry, number: Number) -> None:
    """Remove a credit product that no network is made for."""
    await registry.database.change(lambda connection: remove(connection, PRODUCTS, int(number)))


@routes.get("/networks")
async def networks(registry: TheRegistry) -> Items[NetworkView]:
    """List the product networks with their members."""

    def query(connection: Connection) -> list[NetworkView]:
        return [_network(connection, row) for row in list_rows(connection, NETWORKS)]

    return Items(items=await registry.database.read(query))


@routes.post("/networks", status_code=201)
async def create_network(registry: TheRegistry, form: NetworkForm) -> NetworkView:
    """Create a product network, with its first members if they are named."""

    def work(connection: Connection) -> NetworkView:
        row = create(connection, NETWORKS, _columns(form, without={"members"}))
        for member in form.members:
            add_member(connection, row.id, int(member))
        return _network(connection, row)

    return await registry.database.change(work)


@routes.delete("/networks/{number}", status_code=204)
async def remove_network(registry: TheRegistry, number: Number) -> None:
    """Remove a product network with its memberships and filters."""
    await registry.database.change(lambda connection: remove(connection, NETWORKS, int(number)))


@routes.put("/networks/{number}/members/{participant_id}")
async def join(registry: TheRegistry, number: Number, participant_id: Number) -> NetworkView:
    """Add a participant to a network; a repetition changes nothing."""

    def work(connection: Connection) -> NetworkView:
        add_member(connection, int(number), int(participant_id))
        return _network(connection, demand(connection, NETWORKS, int(number)))

    return await registry.database.change(work)


@routes.delete("/networks/{number}/members/{participant_id}")
async def leave(registry: TheRegistry, number: Number, participant_id: Number) -> NetworkView:
    """Remove a participant from a network."""

    def work(connection: Connection) -> NetworkView:
        remove_member(connection, int(number), int(participant_id))
        return _network(connection, demand(connection, NETWORKS, int(number)))

    return await registry.database.change(work)


@routes.get("/whitelisting-items")
async def items(registry: TheRegistry, participant_id: Annotated[Id | None, Query()] = None) -> Items[WhitelistingView]:
    """List the addresses that participants call from, of one participant or of all."""
    role_id = None if participant_id is None else int(participant_id)
    rows = await registry.database.read(lambda connection: list_rows(connection, WHITELISTING_ITEMS, role_id=role_id))
    return Items(items=[_view(WhitelistingView, row) for row in rows])


@routes.post("/whitelisting-items", status_code=201)
async def create_item(registry: TheRegistry, form: WhitelistingForm) -> WhitelistingView:
    """Add an address or network that a participant calls from; it may have three."""
    with collected_errors() as errors:
        checked = checked_addresses([form.ip_address], errors)
    checked_form = form.model_copy(update={"ip_address": checked[0]})
    return _view(WhitelistingView, await _create(registry, WHITELISTING_ITEMS, checked_form))


@routes.delete("/whitelisting-items/{number}", status_code=204)
async def remove_item(registry: TheRegistry, number: Number) -> None:
    """Remove an address."""
    await registry.database.change(lambda connection: remove(connection, WHITELISTING_ITEMS, int(number)))


@routes.get("/lender-network-filters")
async def filters(registry: TheRegistry, network_id: Annotated[Id | None, Query()] = None) -> Items[FilterView]:
    """List the lenders' filters, of one network or of all."""
    wanted = None if network_id is None else int(network_id)
    rows = await registry.database.read(lambda connection: list_rows(connection, FILTERS, network_id=wanted))
    return Items(items=[_view(FilterView, row) for row in rows])


@routes.post("/lender-network-filters", status_code=201)
async def create_filter(registry: TheRegistry, form: FilterForm) -> FilterView:
    """Add a filter of a lender."""
    return _view(FilterView, await _create(registry, FILTERS, form))


@routes.delete("/lender-network-filters/{number}", status_code=204)
async def remove_filter(registry: TheRegistry, number: Number) -> None:
    """Remove a filter."""
    await registry.database.change(lambda connection: remove(connection, FILTERS, int(number)))


async def _create(registry: Components, table: Table, form: BaseModel) -> Row[Any]:
    return await registry.database.change(lambda connection: create(connection, table, _columns(form)))


def _columns(form: BaseModel, without: set[str] | None = None) -> dict[str, Any]:
    """Return a form's fields as columns: ids as numbers, under the names of the tables."""
    columns = form.model_dump(mode="json", exclude=without)
    if "participant_id" in columns:
        columns["role_id"] = columns.pop("participant_id")
    numbers = {name for name in ("product_id", "network_id", "created_by", "role_id") if columns.get(name) is not None}
    return {name: int(value) if name in numbers else value for name, value in columns.items()}


def _view(kind: type[View], row: Row[Any], **more: Any) -> View:
    columns = dict(row._mapping)
    if "role_id" in columns:
        columns["participant_id"] = columns.pop("role_id")
    return kind.model_validate({**columns, **more})


def _network(connection: Connection, row: Row[Any]) -> NetworkView:
    return _view(NetworkView, row, members=members_of(connection, row.id))
