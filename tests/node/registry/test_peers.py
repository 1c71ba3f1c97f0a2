"""How peers sign is settled while the node runs: through the operator plane, at once, and for good."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.node.registry.member import Member
from shared.node.registry.peers import Peers
from shared.node.settings import Membership
from shared.protocol.participants import Dialect
from tests.equipment.clock import FrozenClock
from tests.equipment.parties import identity_of, lsp, lsp_key
from tests.equipment.scripted_registry import ROLES, SECRET, URL, ScriptedRegistry
from tests.node.operated import OperatedStandIn, contents, operated_node, operator


@pytest.fixture
async def node(tmp_path: Path, registry: ScriptedRegistry, clock: FrozenClock) -> AsyncIterator[OperatedStandIn]:
    """A node whose settings say that 3052 signs by the RFC."""
    membership = Membership(URL, "3050", "client-1", SECRET, dialects={"3052": Dialect.RFC})
    async with operated_node(tmp_path) as node:
        node.member = Member(membership, identity_of(lsp(), lsp_key()), registry.transport, clock)
        yield node
        await node.member.aclose()


@pytest.fixture
async def client(node: OperatedStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with operator(node) as client:
        yield client


def member_of(node: OperatedStandIn) -> Member:
    assert node.member is not None
    return node.member


async def dialect_of(node: OperatedStandIn, participant_id: str = "3051") -> Dialect:
    found = await member_of(node).directory.receiver(participant_id)
    assert found is not None
    return found.dialect


async def test_a_setting_counts_at_once_without_another_look_up(
    node: OperatedStandIn, client: httpx.AsyncClient, registry: ScriptedRegistry
) -> None:
    assert await dialect_of(node) is Dialect.STRICT
    answer = await client.put("/peers/3051", json={"dialect": "authstarter"})
    assert answer.json() == {
        "participant_id": "3051",
        "dialect": "authstarter",
        "name": "Participant 3051",
        "base_url": "https://3051.example/ocen",
    }
    assert await dialect_of(node) is Dialect.AUTHSTARTER
    assert registry.asked(f"{ROLES}3051") == 1
    await client.put("/peers/3051", json={"dialect": "strict"})
    assert await dialect_of(node) is Dialect.STRICT


async def test_it_counts_before_the_settings_for_look_ups_to_come_and_after_a_restart(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    assert member_of(node).peers.dialect_of("3052") is Dialect.RFC
    await client.put("/peers/3052", json={"dialect": "authstarter"})
    await client.put("/peers/3051", json={"dialect": "rfc"})
    assert await dialect_of(node) is Dialect.RFC
    anew = Peers({"3052": Dialect.RFC})
    with node.engine.begin() as connection:
        assert [anew.refresh(connection), anew.refresh(connection)] == [True, False]
    assert anew.settled() == {"3051": Dialect.RFC, "3052": Dialect.AUTHSTARTER}


async def test_peers_are_listed_whether_settled_or_looked_up(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    await dialect_of(node)
    listed = (await client.get("/peers")).json()["items"]
    assert [(one["participant_id"], one["dialect"], one["name"]) for one in listed] == [
        ("3050", "strict", "Participant 3050"),
        ("3051", "strict", "Participant 3051"),
        ("3052", "rfc", ""),
    ]


@pytest.mark.parametrize("body", [{}, {"dialect": "lenient"}, {"dialect": "rfc", "kid": "x"}])
async def test_what_is_no_setting_changes_nothing(
    node: OperatedStandIn, client: httpx.AsyncClient, body: dict[str, str]
) -> None:
    before = contents(node.engine)
    assert (await client.put("/peers/3051", json=body)).status_code == 422
    assert contents(node.engine) == before


async def test_a_node_that_speaks_v3_alone_says_what_to_do(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    await member_of(node).aclose()
    member, node.member = member_of(node), None
    before = contents(node.engine)
    for answer in (await client.get("/peers"), await client.put("/peers/3051", json={"dialect": "rfc"})):
        assert (answer.status_code, "OCEN_REGISTRY_URL" in answer.json()["detail"]) == (409, True)
    assert contents(node.engine) == before
    node.member = member
