"""Who belongs to a product network counts in time: who joins it at once, however many ask that are none of it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.node.tables import INBOX, OUTBOX
from tests.equipment.member_pair import AGENT, BANK, NETWORK, MemberPair, body_of, member_pair
from tests.equipment.scripted_registry import rs256
from tests.equipment.storage import contents, rows
from tests.node.v4.test_member_exchange import ack_of

MEMBERS = f"/service/product-networks/{NETWORK}/participants"


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemberPair]:
    """The two, of whom the lender takes messages of its product network's members alone."""
    async with member_pair(tmp_path, monkeypatch, networks=(NETWORK,)) as pair:
        yield pair


def network_of(*participant_ids: str) -> dict[str, list[dict[str, object]]]:
    """A product network with these members."""
    return {"ALL": [{"id": participant_id, "isApproved": True} for participant_id in participant_ids]}


@pytest.mark.check("OCEN-ROT-06")
@pytest.mark.parametrize("known", [(BANK,), (AGENT,), ()])
async def test_who_joins_the_product_network_counts_at_once(pair: MemberPair, known: tuple[str, ...]) -> None:
    pair.registry.networks[NETWORK] = network_of(*known)
    assert (await pair.post()).status == 403
    pair.registry.networks[NETWORK] = network_of(AGENT, BANK)
    pair.clock.advance(11)
    assert (await pair.post(body_of("request-2", traceId="trace-2"))).status == 200
    assert len(rows(pair.bank.engine, INBOX)) == 1


async def test_a_flood_of_outsiders_leads_to_one_look_up_of_the_product_network_in_ten_seconds(
    pair: MemberPair,
) -> None:
    pair.registry.networks[NETWORK] = network_of(BANK)
    await pair.post()
    before, asked = contents(pair.bank.engine), pair.registry.asked(MEMBERS)
    for turn in range(3):
        pair.clock.advance(11)
        for number in range(20):
            answer = await pair.post(body_of(f"request-{turn}-{number}", traceId=f"trace-{turn}-{number}"))
            detail = ack_of(answer)["detail"]
            assert (answer.status, detail["check"]) == (403, "both_are_in_the_product_network")
        assert pair.registry.asked(MEMBERS) == asked + turn + 1
    after = contents(pair.bank.engine)
    assert [after[table.name] for table in (INBOX, OUTBOX)] == [before[table.name] for table in (INBOX, OUTBOX)]


async def test_no_product_network_is_looked_up_for_a_message_that_is_not_right_otherwise(pair: MemberPair) -> None:
    await pair.post()
    pair.registry.networks[NETWORK] = network_of(BANK)
    asked = pair.registry.asked(MEMBERS)
    pair.clock.advance(11)
    forged, foreign = body_of("request-2"), json.loads(body_of("request-3"))
    foreign["productData"]["productNetworkId"] = "72"
    assert (await pair.post(forged, headers=pair.headers(forged, key=rs256("leaf", "lsp-kid")))).status == 401
    assert (await pair.post(json.dumps(foreign).encode())).status == 403
    assert (await pair.post(body_of("request-4", sender="3099"))).status == 403
    assert pair.registry.asked(MEMBERS) == asked


async def test_while_the_registry_is_down_who_is_not_known_as_a_member_is_refused(pair: MemberPair) -> None:
    pair.registry.networks[NETWORK] = network_of(BANK)
    assert (await pair.post()).status == 403
    pair.clock.advance(11)
    pair.registry.is_down = True
    assert (await pair.post(body_of("request-2", traceId="trace-2"))).status == 403
    assert rows(pair.bank.engine, INBOX) == []
