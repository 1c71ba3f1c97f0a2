"""A product network of thousands: told by as many queries as a small one, and read whole by a node."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event, insert

from registry_app.store.tables import FILTERS, MEMBERS, NETWORK_REGISTER, NETWORKS, ORGANISATIONS, PRODUCTS, ROLES
from shared.node.registry.lookup import RegistryLookup
from shared.node.registry.service import RegistryClient
from shared.protocol.participants import Dialect
from tests.equipment.clock import NOW
from tests.equipment.records import public_pem
from tests.registry.world import Client, World

pytestmark = pytest.mark.on_both_databases

FLAGS = {column.name: False for column in PRODUCTS.c if column.name.startswith("is_")}
FIRST = 1001
"""Where the ids of those begin who are written straight into the tables."""


def fill(world: World, lender: Client, size: int) -> None:
    """Make network 1 of the lender and of others, `size` in all, and a filter of the lender for it."""
    pem, numbers = public_pem("Sandbox Lender"), range(FIRST, FIRST + size - 1)
    times = {"created_at": NOW, "updated_at": NOW}
    contact = {"description": "", "website": "", "email": "ocen@bank.example", "phone": "+91 22 5550 0100"}
    status = {"status": "APPROVED", "approved_at": NOW, "approved_by": "SRO", "status_because": "", "secret_hash": ""}
    place = {"role": "LOAN_AGENT", "base_url": "https://localhost:8444/credit", "envelope_member": "header"}
    place |= {"ip_addresses": "[]", "judges_addresses": True, "spoc_email": "", "spoc_phone": ""}
    since = {"onboarded_at": NOW, "updated_at": NOW, "offboarded_because": ""}
    key = {"algorithm": "RS512", "status": "ACTIVE", "pem": pem}
    participants, _, keys, key_events = NETWORK_REGISTER
    rows: dict[Any, list[dict[str, Any]]] = {
        PRODUCTS: [{"name": "Gig loans", "description": "", "derived_data_description": "", **FLAGS}],
        NETWORKS: [{"product_id": 1, "name": "Gig network", "description": ""}],
        FILTERS: [
            {"network_id": 1, "role_id": 1, "requirement_name": "BUREAU_SCORE", "operator": "EQUALS,", "value": "700"}
        ],
        ORGANISATIONS: [{"id": id_, "name": f"Agent {id_}", **contact, **times} for id_ in numbers],
        ROLES: [{"id": id_, "organisation_id": id_, "client_id": f"client {id_}", **status} for id_ in numbers],
        participants: [{"organisation_id": str(id_), "name": f"Agent {id_}", **place, **since} for id_ in numbers],
        keys: [{"organisation_id": str(id_), "kid": str(id_), "thumbprint": str(id_), **key} for id_ in numbers],
        key_events: [{"kid": str(id_), "at": NOW, "status": "ACTIVE", "reason": ""} for id_ in numbers],
        MEMBERS: [{"network_id": 1, "role_id": number} for number in (int(lender.participant_id), *numbers)],
    }
    with world.engine.begin() as connection:
        for table, values in rows.items():
            connection.execute(insert(table), values)


@contextmanager
def queries(world: World) -> Iterator[list[str]]:
    """The queries that are asked meanwhile."""
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.extend([statement] if statement.startswith("SELECT") else [])

    event.listen(world.engine, "before_cursor_execute", note)
    yield asked
    event.remove(world.engine, "before_cursor_execute", note)


class Shown:
    """The token of a client, as a node has it."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        return self._token

    async def renew(self, refused: str) -> str:
        return refused


@pytest.mark.parametrize(("path", "most"), [("/product-networks/1/participants", 7), ("/lender-network-filters/1", 14)])
async def test_a_network_is_told_by_as_many_queries_however_many_take_part(
    world: World, lender: Client, path: str, most: int
) -> None:
    fill(world, lender, size=40)
    headers = await world.bearer(lender)
    with queries(world) as asked:
        told = (await world.caller.get(f"/service{path}", headers=headers)).json()
    members = told["productNetwork"]["participantRoles"] if "productNetwork" in told else told["LOAN_AGENT"]
    assert len(members) >= 39
    assert len(asked) <= most


async def test_all_participants_are_listed_by_four_queries(world: World, lender: Client) -> None:
    fill(world, lender, size=40)
    with queries(world) as asked:
        listed = (await world.ops.get("/participants")).json()["items"]
    assert (len(listed), len(asked)) == (40, 4)


async def test_a_node_reads_a_network_that_no_message_could_hold(world: World, lender: Client) -> None:
    fill(world, lender, size=2_000)  # two mebibytes, and twice as many members as a message may have
    transport = httpx.ASGITransport(app=world.service.api)
    service = RegistryClient("https://localhost:8443", transport)
    lookup = RegistryLookup(service, Shown(await world.token(lender)), lambda _: Dialect.STRICT)
    assert await lookup.members("1") == {"1", *map(str, range(FIRST, FIRST + 1_999))}
    await service.aclose()


async def test_the_operator_sees_a_network_of_any_size_and_adds_to_it(world: World, lender: Client) -> None:
    fill(world, lender, size=1_500)
    (network,) = (await world.ops.get("/networks")).json()["items"]
    assert len(network["members"]) == 1_500
    agent = await world.admit("Sandbox LSP", "LOAN_AGENT")
    with queries(world) as asked:
        joined = await world.ops.put(f"/networks/1/members/{agent.participant_id}")
    assert set(joined.json()["members"]) == {*network["members"], agent.participant_id}
    assert len(asked) < 10
