"""How peers sign is settled while the node runs: through the operator plane, at once, and for good."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.node.registry.member import Member
from shared.node.registry.peers import Peers
from shared.node.settings import RegistryMembership
from shared.protocol.participants import Dialect
from tests.equipment.clock import FrozenClock
from tests.equipment.parties import identity_of, lsp, lsp_key
from tests.equipment.scripted_registry import ROLES, SECRET, URL, ScriptedRegistry, rs256
from tests.node.operated import OperatedStandIn, contents, operated_node, operator


@pytest.fixture
async def node(tmp_path: Path, registry: ScriptedRegistry, clock: FrozenClock) -> AsyncIterator[OperatedStandIn]:
    """A node whose settings say that 3052 is an official starter."""
    membership = RegistryMembership(URL, "3050", "client-1", SECRET, dialects={"3052": Dialect.AUTHSTARTER})
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
    node: OperatedStandIn, client: httpx.AsyncClient, registry: ScriptedRegistry
) -> None:
    registry.enrol("3052", "LENDER", rs256("LENDER01"))
    assert member_of(node).peers.dialect_of("3052") is Dialect.AUTHSTARTER
    await client.put("/peers/3052", json={"dialect": "strict"})
    await client.put("/peers/3051", json={"dialect": "authstarter"})
    assert await dialect_of(node) is Dialect.AUTHSTARTER
    anew = Peers({"3052": Dialect.AUTHSTARTER})
    with node.engine.begin() as connection:
        assert [anew.refresh(connection), anew.refresh(connection)] == [True, False]
    assert anew.settled() == {"3051": Dialect.AUTHSTARTER, "3052": Dialect.STRICT}


async def test_peers_are_listed_whether_settled_or_looked_up(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    await dialect_of(node)
    listed = (await client.get("/peers")).json()["items"]
    assert [(peer["participant_id"], peer["dialect"], peer["name"]) for peer in listed] == [
        ("3050", "strict", "Participant 3050"),
        ("3051", "strict", "Participant 3051"),
        ("3052", "authstarter", ""),
    ]


async def test_a_setting_for_whom_the_registry_does_not_serve_is_refused_in_one_sentence(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    before = contents(node.engine)
    answer = await client.put("/peers/77", json={"dialect": "authstarter"})
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "The registry serves no participant 77; give the id of one it serves.",
    )
    assert contents(node.engine) == before
    assert "77" not in member_of(node).peers.settled()


async def test_a_setting_for_whom_nobody_can_look_up_now_is_not_taken(
    node: OperatedStandIn, client: httpx.AsyncClient, registry: ScriptedRegistry
) -> None:
    registry.is_down = True
    before = contents(node.engine)
    answer = await client.put("/peers/3051", json={"dialect": "authstarter"})
    assert (answer.status_code, "3051 cannot be looked up now" in answer.json()["detail"]) == (503, True)
    assert contents(node.engine) == before


async def test_a_setting_is_taken_back_at_once_and_what_the_settings_say_counts_again(
    node: OperatedStandIn, client: httpx.AsyncClient, registry: ScriptedRegistry
) -> None:
    registry.enrol("3052", "LENDER", rs256("LENDER01"))
    for participant_id, default in (("3051", Dialect.STRICT), ("3052", Dialect.AUTHSTARTER)):
        other = Dialect.STRICT if default is Dialect.AUTHSTARTER else Dialect.AUTHSTARTER
        await client.put(f"/peers/{participant_id}", json={"dialect": other})
        assert await dialect_of(node, participant_id) is other
        answer = await client.delete(f"/peers/{participant_id}")
        assert (answer.json()["dialect"], answer.json()["name"]) == (default, f"Participant {participant_id}")
        assert await dialect_of(node, participant_id) is default


async def test_what_was_settled_about_a_peer_that_has_gone_can_be_taken_back(
    node: OperatedStandIn, client: httpx.AsyncClient, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    await client.put("/peers/3051", json={"dialect": "authstarter"})
    del registry.roles["3051"]
    clock.advance(3 * 3600)
    gone = {"participant_id": "3051", "dialect": "strict", "name": "", "base_url": ""}
    assert (await client.delete("/peers/3051")).json() == gone
    assert "3051" not in member_of(node).peers.settled()


async def test_where_nothing_was_settled_nothing_is_taken_back(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    before = contents(node.engine)
    answer = await client.delete("/peers/3052")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "Nothing was settled here about 3052; GET /peers lists what was.",
    )
    assert contents(node.engine) == before
    assert member_of(node).peers.dialect_of("3052") is Dialect.AUTHSTARTER


@pytest.mark.parametrize("body", [{}, {"dialect": "lenient"}, {"dialect": "strict", "kid": "x"}])
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
    setting = await client.put("/peers/3051", json={"dialect": "authstarter"})
    for answer in (setting, await client.get("/peers"), await client.delete("/peers/3051")):
        assert (answer.status_code, "OCEN_REGISTRY_URL" in answer.json()["detail"]) == (409, True)
    assert contents(node.engine) == before
    node.member = member


async def test_a_peer_that_is_set_to_rfc_as_in_former_releases_is_dealt_with_as_strict_and_that_is_logged(
    node: OperatedStandIn, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await client.put("/peers/3051", json={"dialect": "authstarter"})
    answer = await client.put("/peers/3051", json={"dialect": "rfc"})
    assert (answer.status_code, answer.json()["dialect"]) == (200, "strict")
    assert await dialect_of(node) is Dialect.STRICT
    assert "the dialect rfc is no more: the peer is dealt with as strict" in caplog.text
