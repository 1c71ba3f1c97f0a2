"""The operator plane's routes about participants: onboarding, and the life of keys and certificates afterwards."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.node.onboarding.record import thumbprint_of
from tests.equipment.forms import certificate_pem, form_entry
from tests.equipment.records import public_pem
from tests.equipment.storage import contents
from tests.node.operated import OperatedStandIn, operated_node, operator

AT = "2031-05-14T09:30:15.250Z"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[OperatedStandIn]:
    async with operated_node(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node: OperatedStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with operator(node) as client:
        yield client


@pytest.fixture
async def bank(client: httpx.AsyncClient) -> str:
    """A lender that has been onboarded by its form, with a key and a back-up."""
    assert (await client.post("/participants", json=form_entry())).status_code == 201
    return "/participants/BANK01"


def statuses(answer: httpx.Response) -> dict[str, str]:
    return {key["kid"]: key["status"] for key in answer.json()["keys"]}


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
                "judges_addresses": True,
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


async def test_a_form_is_answered_with_what_is_known_and_with_our_own_form(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/participants", json=form_entry())
    assert answer.status_code == 201
    told = answer.json()
    assert (told["participant"]["organisation_id"], statuses(httpx.Response(200, json=told["participant"]))) == (
        "BANK01",
        {"bank-a": "ACTIVE", "bank-b": "BACKUP"},
    )
    assert told["ours"] == (await client.get("/identity/form")).json()
    assert node.directory.holder("bank-a") is node.directory.participant("BANK01")
    assert len((await client.get("/participants")).json()["items"]) == 2


async def test_a_participant_is_shown_with_its_history(client: httpx.AsyncClient, bank: str) -> None:
    await client.put(f"{bank}/keys/bank-a", json={"status": "BLOCKED", "reason": "stolen"})
    told = (await client.get(bank)).json()
    assert (told["organisation_id"], told["name"], told["role"]) == ("BANK01", "First Bank", "LENDER")
    assert (told["offboarded_at"], told["offboarded_because"]) == (None, "")
    first, second = told["keys"]
    assert (first["kid"], first["status"], first["pem"]) == ("bank-a", "BLOCKED", public_pem("bank"))
    assert [(change["status"], change["reason"]) for change in first["changes"]] == [
        ("ACTIVE", "onboarded"),
        ("BLOCKED", "stolen"),
    ]
    assert [change["status"] for change in second["changes"]] == ["BACKUP", "ACTIVE"]
    (certificate,) = told["certificates"]
    assert (certificate["thumbprint"], certificate["subject"]) == (thumbprint_of(certificate_pem()), "CN=bank.example")
    assert (certificate["removed_at"], certificate["pem"]) == (None, certificate_pem())


async def test_we_ourselves_are_shown_as_a_participant_is(client: httpx.AsyncClient) -> None:
    answer = await client.get("/participants/LSP123")
    assert statuses(answer) == {"lsp-kid": "ACTIVE", "lsp-backup": "BACKUP"}
    assert answer.json()["onboarded_at"] == AT


async def test_fields_are_amended_and_what_is_left_out_stays(
    node: OperatedStandIn, client: httpx.AsyncClient, bank: str
) -> None:
    amendment = {
        "name": "Renamed",
        "base_url": "https://bank.example/new/v3/loan/x",
        "ip_addresses": ["10.0.0.0/24"],
        "judges_addresses": False,
        "envelope_member": "protected",
    }
    answer = await client.patch(bank, json={**amendment, "reason": "moved"})
    assert (answer.status_code, answer.json()["name"]) == (200, "Renamed")
    known = (await client.get("/participants")).json()["items"][0]
    assert {name: known[name] for name in amendment} == {**amendment, "base_url": "https://bank.example/new"}
    before = contents(node.engine, without=[])
    assert (await client.patch(bank, json={"name": None})).status_code == 200
    assert [participant["organisation_id"] for participant in (await client.get("/participants")).json()["items"]] == [
        "BANK01",
        "LENDER01",
    ]
    assert contents(node.engine)["key_events"] == before["key_events"]


async def test_keys_are_added_switched_retired_and_blocked(client: httpx.AsyncClient, bank: str) -> None:
    async def change(kid: str, status: str) -> dict[str, str]:
        return statuses(await client.put(f"{bank}/keys/{kid}", json={"status": status, "reason": "r"}))

    assert await change("bank-b", "ACTIVE") == {"bank-a": "BACKUP", "bank-b": "ACTIVE"}
    assert await change("bank-a", "RETIRED") == {"bank-a": "RETIRED", "bank-b": "ACTIVE"}
    requested = {"public_key": public_pem("leaf"), "kid": "bank/c d", "reason": "yearly"}
    added = await client.post(f"{bank}/keys", json=requested)
    assert (added.status_code, statuses(added)) == (
        201,
        {"bank-a": "RETIRED", "bank-b": "ACTIVE", "bank/c d": "BACKUP"},
    )
    assert await change("bank-b", "BLOCKED") == {"bank-a": "RETIRED", "bank-b": "BLOCKED", "bank/c d": "ACTIVE"}
    assert await change("bank%2Fc%20d", "RETIRED") == {"bank-a": "RETIRED", "bank-b": "BLOCKED", "bank/c d": "RETIRED"}


async def test_a_block_counts_at_once(node: OperatedStandIn, client: httpx.AsyncClient, bank: str) -> None:
    await client.put(f"{bank}/keys/bank-a", json={"status": "BLOCKED"})
    holder = node.directory.holder("bank-a")
    assert holder is not None
    blocked = holder.by_kid.get("bank-a")
    assert blocked is not None
    assert not blocked.status.counts


async def test_a_block_counts_and_is_told_as_stored_though_our_own_certificate_cannot_be_used(
    node: OperatedStandIn, client: httpx.AsyncClient, bank: str
) -> None:
    node.identity.tls_private_key.unlink()
    told = await client.put(f"{bank}/keys/bank-a", json={"status": "BLOCKED"})
    assert (told.status_code, told.json()["detail"][:13]) == (500, "It is stored,")
    assert "cannot be read" in told.json()["detail"]
    assert statuses(await client.get(bank)) == {"bank-a": "BLOCKED", "bank-b": "ACTIVE"}
    holder = node.directory.holder("bank-a")
    assert holder is not None
    assert [key.kid for key in holder.keys if key.status.counts] == ["bank-b"]


async def test_certificates_are_added_and_removed(node: OperatedStandIn, client: httpx.AsyncClient, bank: str) -> None:
    renewed = certificate_pem("renewed")
    added = await client.post(f"{bank}/certificates", json={"tls_certificate": renewed, "reason": "renewal"})
    assert (added.status_code, len(added.json()["certificates"])) == (201, 2)
    assert node.directory.owner(thumbprint_of(renewed)) is node.directory.participant("BANK01")
    old = thumbprint_of(certificate_pem())
    removed = await client.delete(f"{bank}/certificates/{old[:12]}", params={"reason": "renewed"})
    assert removed.status_code == 200
    gone = next(certificate for certificate in removed.json()["certificates"] if certificate["thumbprint"] == old)
    assert gone["removed_because"] == "renewed"
    assert node.directory.owner(old) is None


async def test_who_is_offboarded_is_history(node: OperatedStandIn, client: httpx.AsyncClient, bank: str) -> None:
    answer = await client.post(f"{bank}/offboard", json={"reason": "contract ended"})
    assert (answer.status_code, answer.json()["offboarded_because"]) == (200, "contract ended")
    assert statuses(answer) == {"bank-a": "RETIRED", "bank-b": "RETIRED"}
    assert node.directory.participant("BANK01") is None
    assert (await client.get(bank)).json()["offboarded_because"] == "contract ended"
    assert (await client.post("/participants", json=form_entry())).status_code == 201
