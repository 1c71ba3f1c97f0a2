"""Products, networks, addresses and filters by the operator plane."""

from typing import Any

import pytest

from tests.registry.world import Client, World

PRODUCT = {"name": "Gig loans"}
FILTER = {"network_id": "1", "participant_id": "1", "requirement_name": "BUREAU_SCORE", "operator": "LESS_THAN"}


async def created(world: World, path: str, **form: Any) -> dict[str, Any]:
    answer = await world.ops.post(path, json=form)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def listed(world: World, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await world.ops.get(path)).json()["items"]
    return items


async def refused(world: World, method: str, path: str, status: int, body: dict[str, Any] | None = None) -> str:
    before = world.contents()
    answer = await world.ops.request(method, path, json=body) if body else await world.ops.request(method, path)
    assert answer.status_code == status, answer.text
    assert world.contents() == before
    return str(answer.json()["detail"])


async def test_what_is_created_is_listed_and_what_is_removed_is_not(world: World, lender: Client) -> None:
    product = await created(world, "/products", **PRODUCT, is_private=True, created_by=1)
    assert (product["id"], product["is_private"], product["created_by"]) == ("1", True, "1")
    network = await created(world, "/networks", name="Gig", product_id=1, members=["1"])
    assert network == {
        "id": "1", "name": "Gig", "description": "", "product_id": "1", "created_by": None, "members": ["1"],
    }  # fmt: skip
    item = await created(world, "/whitelisting-items", participant_id="1", ip_address=" 10.0.0.0/28 ")
    assert item == {"id": "2", "participant_id": "1", "ip_address": "10.0.0.0/28", "port_number": "443"}
    filter_ = await created(world, "/lender-network-filters", **FILTER, value="700")
    assert filter_ == {"id": "1", **FILTER, "value": "700"}
    for path, one in (("/products", product), ("/networks", network), ("/lender-network-filters", filter_)):
        assert await listed(world, path) == [one]
    assert await listed(world, "/whitelisting-items?participant_id=1") == [
        {"id": "1", "participant_id": "1", "ip_address": "192.0.2.7", "port_number": "8444"},
        item,
    ]
    for path in ("/lender-network-filters/1", "/whitelisting-items/2", "/networks/1", "/products/1"):
        assert (await world.ops.delete(path)).status_code == 204
        await refused(world, "DELETE", path, 404)
    for path in ("/products", "/networks", "/lender-network-filters", "/whitelisting-items?participant_id=9"):
        assert await listed(world, path) == []


async def test_numbers_are_never_given_twice(world: World) -> None:
    await created(world, "/products", **PRODUCT)
    await world.ops.delete("/products/1")
    assert (await created(world, "/products", **PRODUCT))["id"] == "2"


async def test_members_come_and_go(world: World, lender: Client) -> None:
    await created(world, "/products", **PRODUCT)
    await created(world, "/networks", name="Gig", product_id="1")
    for _ in range(2):
        answer = await world.ops.put("/networks/1/members/1")
        assert (answer.status_code, answer.json()["members"]) == (200, ["1"])
    assert (await world.ops.delete("/networks/1/members/1")).json()["members"] == []
    assert "participant 1 is not in network 1" in await refused(world, "DELETE", "/networks/1/members/1", 404)
    await refused(world, "PUT", "/networks/1/members/2", 404)
    await refused(world, "PUT", "/networks/2/members/1", 404)


async def test_a_network_goes_with_its_members_and_filters(world: World, lender: Client) -> None:
    await created(world, "/products", **PRODUCT)
    await created(world, "/networks", name="Gig", product_id="1", members=["1"])
    await created(world, "/lender-network-filters", **FILTER, value="700")
    assert "has the network 1: remove that first" in await refused(world, "DELETE", "/products/1", 409)
    assert (await world.ops.delete("/networks/1")).status_code == 204
    assert await listed(world, "/lender-network-filters?network_id=1") == []


@pytest.mark.parametrize(
    ("path", "form", "status", "complaint"),
    [
        ("/products", {"name": ""}, 422, "name"),
        ("/products", {"name": "x" * 36}, 422, "name"),
        ("/products", {**PRODUCT, "created_by": "9"}, 404, "9 is no participant now"),
        ("/products", {**PRODUCT, "derived_data_description": "\0"}, 422, "derived_data_description"),
        ("/networks", {"name": "Gig", "product_id": "9"}, 404, "products: there is no 9"),
        ("/networks", {"name": "Gig", "product_id": "1", "members": ["9"]}, 404, "9 is no participant now"),
        ("/networks", {"name": "Gig", "product_id": "one"}, 422, "product_id"),
        ("/whitelisting-items", {"participant_id": "9", "ip_address": "10.0.0.1"}, 404, "9 is no participant"),
        ("/whitelisting-items", {"participant_id": "1", "ip_address": "10.0.0.256"}, 422, "ip_addresses"),
        ("/whitelisting-items", {"participant_id": "1", "ip_address": "0.0.0.0/0"}, 422, "every address"),
        ("/whitelisting-items", {"participant_id": "1", "ip_address": "192.0.2.7", "port_number": "8444"}, 409, "is"),
        ("/lender-network-filters", {**FILTER, "network_id": "9", "value": "1"}, 404, "networks: there is no 9"),
        ("/lender-network-filters", {**FILTER, "participant_id": "2", "value": "1"}, 422, "only a LENDER"),
        ("/lender-network-filters", {**FILTER, "operator": "NEAR", "value": "1"}, 422, "operator"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_not_created(
    world: World, path: str, form: dict[str, Any], status: int, complaint: str
) -> None:
    await world.admit()
    await world.admit("Sandbox LSP", "LOAN_AGENT")
    await created(world, "/products", **PRODUCT)
    await created(world, "/networks", name="Gig", product_id="1")
    assert complaint in await refused(world, "POST", path, status, form)


async def test_a_participant_has_three_addresses_at_most(world: World, lender: Client) -> None:
    for number in (1, 2):
        await created(world, "/whitelisting-items", participant_id="1", ip_address=f"10.0.0.{number}")
    body = {"participant_id": "1", "ip_address": "10.0.0.3"}
    assert "has 3 addresses already" in await refused(world, "POST", "/whitelisting-items", 409, body)
