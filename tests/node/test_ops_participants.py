"""The operator plane's routes about counterparties: who is known, and onboarding."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from shared.node.onboarding.record import ParticipantRecord
from shared.node.store.tables import PARTICIPANT_KEYS, PARTICIPANTS
from shared.protocol.participants import KeyStatus
from tests.node.operated import OperatedStandIn, key_record, lender_record, operated_node, operator


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[OperatedStandIn]:
    async with operated_node(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node: OperatedStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with operator(node) as client:
        yield client


async def put(client: httpx.AsyncClient, record: ParticipantRecord, **changes: Any) -> httpx.Response:
    body = record.model_dump(mode="json") | changes
    return await client.put(f"/participants/{record.organisation_id}", json=body)


def stored(node: OperatedStandIn) -> list[Any]:
    with node.engine.begin() as connection:
        return [connection.execute(select(table)).all() for table in (PARTICIPANTS, PARTICIPANT_KEYS)]


async def test_participants_are_shown_with_thumbprints_instead_of_keys(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    (known,) = node.directory.participants()
    listed = (await client.get("/participants")).json()
    assert listed == {
        "items": [
            {
                "organisation_id": "LENDER01",
                "name": "LENDER01 Bank",
                "role": "LENDER",
                "base_url": "https://lender01.example",
                "envelope_member": "header",
                "ip_addresses": ["192.0.2.7", "198.51.100.0/24"],
                "certificates": list(known.certificates),
                "keys": [
                    {
                        "kid": "LENDER01-kid",
                        "algorithm": "RS512",
                        "status": "ACTIVE",
                        "thumbprint": known.keys[0].verifier.thumbprint(),
                    }
                ],
            }
        ]
    }


async def test_a_participant_that_is_onboarded_is_known_at_once(
    node: OperatedStandIn, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    answer = await put(client, lender_record(tmp_path, "LENDER02"))
    assert (answer.status_code, answer.json()["organisation_id"]) == (200, "LENDER02")
    assert await node.directory.holder("LENDER02-kid") is node.directory.participant("LENDER02")


async def test_a_key_that_is_blocked_stops_counting_even_while_the_clock_stands_still(
    node: OperatedStandIn, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    blocked = key_record("LENDER01-kid", "LENDER01").model_copy(update={"status": KeyStatus.BLOCKED})
    keys = [blocked, key_record("LENDER01-new", "LENDER01 new")]
    answer = await put(client, lender_record(tmp_path, keys=[key.model_dump() for key in keys]))
    assert [key["status"] for key in answer.json()["keys"]] == ["BLOCKED", "ACTIVE"]
    known = node.directory.participant("LENDER01")
    assert known is not None
    assert [key.status for key in known.keys] == [KeyStatus.BLOCKED, KeyStatus.ACTIVE]


@pytest.mark.parametrize(
    ("changes", "status", "part"),
    [
        ({"organisation_id": "LENDER03"}, 422, "the body says LENDER03"),
        ({"base_url": "http://lender02.example"}, 422, "base_url: String should match"),
        ({"surprise": 1}, 422, "surprise: Extra inputs are not permitted"),
        ({"keys": []}, 422, "keys: List should have at least 1 item"),
        ({"keys": [{"kid": "k", "pem": "nonsense"}]}, 422, "LENDER02: key k: this is no public RSA key"),
        ({"tls_certificates": ["nonsense"]}, 422, "LENDER02: tls_certificates: no certificate in PEM"),
        ({"keys": [key_record("LENDER01-kid", "LENDER02").model_dump()]}, 409, "kid LENDER01-kid is taken"),
    ],
)
async def test_a_record_that_cannot_be_used_is_refused_and_changes_nothing(
    node: OperatedStandIn, client: httpx.AsyncClient, tmp_path: Path, changes: dict[str, Any], status: int, part: str
) -> None:
    before, known = stored(node), node.directory.participants()
    answer = await put(client, lender_record(tmp_path, "LENDER02"), **changes)
    assert answer.status_code == status
    assert part in answer.json()["detail"]
    assert (stored(node), node.directory.participants()) == (before, known)


async def test_a_certificate_of_another_participant_is_refused(
    node: OperatedStandIn, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    before = stored(node)
    with node.engine.begin() as connection:
        (text,) = connection.execute(select(PARTICIPANTS.c.tls_certificates)).scalars()
    record = lender_record(tmp_path, "LENDER02")
    answer = await client.put(
        "/participants/LENDER02",
        content=record.model_copy(update={"tls_certificates": []})
        .model_dump_json()
        .replace('"tls_certificates":[]', f'"tls_certificates":{text}'),
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, stored(node)) == (409, before)
    assert "registered for another participant" in answer.json()["detail"]


async def test_a_node_does_not_onboard_itself(node: OperatedStandIn, client: httpx.AsyncClient, tmp_path: Path) -> None:
    before = stored(node)
    answer = await put(client, lender_record(tmp_path, "LSP123"))
    assert (answer.status_code, stored(node)) == (409, before)
    assert "LSP123 is this node itself" in answer.json()["detail"]
