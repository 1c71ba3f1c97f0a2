"""The operator plane's routes about participants: each act, and each refusal, which changes nothing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.node.onboarding.record import thumbprint_of
from tests.equipment.forms import certificate_pem, form_entry, private_text
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
    assert await node.directory.holder("bank-a") is node.directory.participant("BANK01")
    assert len((await client.get("/participants")).json()["items"]) == 2


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({"base_url": "http://bank.example"}, 422, "base_url: 'http://bank.example' is not encrypted: give one that b"),
        ({"public_key": private_text()}, 422, "public_key: this is a private key: keep it secret"),
        ({"public_key": public_pem("short", 1024)}, 422, "public_key: the key has 1024 bits: use 2048"),
        ({"ip_addresses": ["192.0.2.1"] * 4}, 422, "ip_addresses: 4 addresses: give 1 to 3"),
        ({"name": "", "role": ""}, 422, "name: empty: give one line of 1 to 200 characters; role: empty: write LENDER"),
        ({"surprise": 1}, 422, "surprise: Extra inputs are not permitted"),
        ({"ip_addresses": "192.0.2.1"}, 422, "ip_addresses: Input should be a valid list"),
        ({"organisation_id": "LENDER01"}, 409, "organisation_id: LENDER01 is onboarded already: change its keys"),
        ({"organisation_id": "LSP123"}, 409, "organisation_id: LSP123 is this node itself: give the counterparty's"),
        ({"kid": "LENDER01-kid"}, 409, "BANK01: keys: kid LENDER01-kid is taken; make a new one"),
        ({"backup_public_key": public_pem("LENDER01")}, 409, "BANK01: keys: a key is another participant's too"),
    ],
)
async def test_a_form_that_cannot_be_taken_is_refused_and_changes_nothing(
    node: OperatedStandIn, client: httpx.AsyncClient, changes: dict[str, Any], status: int, detail: str
) -> None:
    before, known = contents(node.engine), node.directory.participants()
    answer = await client.post("/participants", json=form_entry(**changes))
    assert (answer.status_code, answer.json()["detail"][: len(detail)]) == (status, detail)
    assert (contents(node.engine), node.directory.participants()) == (before, known)


async def test_a_certificate_of_another_participant_is_refused(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    shared = certificate_pem(hosts=("bank.example", "shared.example"))
    assert (await client.post("/participants", json=form_entry(tls_certificate=shared))).status_code == 201
    before = contents(node.engine)
    other = form_entry(
        organisation_id="BANK02",
        tls_certificate=shared,
        public_key=public_pem("leaf"),
        kid="bank2-a",
        backup_public_key="",
        backup_kid="",
    )
    answer = await client.post("/participants", json=other)
    assert (answer.status_code, contents(node.engine)) == (409, before)
    assert answer.json()["detail"] == "BANK02: tls_certificates: registered for another participant; give your own"


async def test_a_participant_is_shown_with_its_history(client: httpx.AsyncClient, bank: str) -> None:
    await client.put(f"{bank}/keys/bank-a", json={"status": "BLOCKED", "reason": "stolen"})
    told = (await client.get(bank)).json()
    assert (told["organisation_id"], told["name"], told["role"]) == ("BANK01", "First Bank", "LENDER")
    assert (told["offboarded_at"], told["offboarded_because"]) == (None, "")
    first, second = told["keys"]
    assert (first["kid"], first["status"], first["pem"]) == ("bank-a", "BLOCKED", public_pem("bank"))
    assert [(one["status"], one["reason"]) for one in first["changes"]] == [
        ("ACTIVE", "onboarded"),
        ("BLOCKED", "stolen"),
    ]
    assert [one["status"] for one in second["changes"]] == ["BACKUP", "ACTIVE"]
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
    assert [one["organisation_id"] for one in (await client.get("/participants")).json()["items"]] == [
        "BANK01",
        "LENDER01",
    ]
    assert contents(node.engine)["key_events"] == before["key_events"]


async def test_keys_are_added_switched_retired_and_blocked(client: httpx.AsyncClient, bank: str) -> None:
    async def change(kid: str, status: str) -> dict[str, str]:
        return statuses(await client.put(f"{bank}/keys/{kid}", json={"status": status, "reason": "r"}))

    assert await change("bank-b", "ACTIVE") == {"bank-a": "BACKUP", "bank-b": "ACTIVE"}
    assert await change("bank-a", "RETIRED") == {"bank-a": "RETIRED", "bank-b": "ACTIVE"}
    wish = {"public_key": public_pem("leaf"), "kid": "bank/c d", "reason": "yearly"}
    added = await client.post(f"{bank}/keys", json=wish)
    assert (added.status_code, statuses(added)) == (
        201,
        {"bank-a": "RETIRED", "bank-b": "ACTIVE", "bank/c d": "BACKUP"},
    )
    assert await change("bank-b", "BLOCKED") == {"bank-a": "RETIRED", "bank-b": "BLOCKED", "bank/c d": "ACTIVE"}
    assert await change("bank%2Fc%20d", "RETIRED") == {"bank-a": "RETIRED", "bank-b": "BLOCKED", "bank/c d": "RETIRED"}


async def test_a_block_counts_at_once(node: OperatedStandIn, client: httpx.AsyncClient, bank: str) -> None:
    await client.put(f"{bank}/keys/bank-a", json={"status": "BLOCKED"})
    holder = await node.directory.holder("bank-a")
    assert holder is not None
    blocked = holder.key("bank-a")
    assert blocked is not None
    assert not blocked.status.counts


async def test_certificates_are_added_and_removed(node: OperatedStandIn, client: httpx.AsyncClient, bank: str) -> None:
    renewed = certificate_pem("renewed")
    added = await client.post(f"{bank}/certificates", json={"tls_certificate": renewed, "reason": "renewal"})
    assert (added.status_code, len(added.json()["certificates"])) == (201, 2)
    assert node.directory.owner(thumbprint_of(renewed)) is node.directory.participant("BANK01")
    old = thumbprint_of(certificate_pem())
    removed = await client.delete(f"{bank}/certificates/{old[:12]}", params={"reason": "renewed"})
    assert removed.status_code == 200
    gone = next(one for one in removed.json()["certificates"] if one["thumbprint"] == old)
    assert gone["removed_because"] == "renewed"
    assert node.directory.owner(old) is None


async def test_who_is_offboarded_is_history(node: OperatedStandIn, client: httpx.AsyncClient, bank: str) -> None:
    answer = await client.post(f"{bank}/offboard", json={"reason": "contract ended"})
    assert (answer.status_code, answer.json()["offboarded_because"]) == (200, "contract ended")
    assert statuses(answer) == {"bank-a": "RETIRED", "bank-b": "RETIRED"}
    assert node.directory.participant("BANK01") is None
    assert (await client.get(bank)).json()["offboarded_because"] == "contract ended"
    assert (await client.post("/participants", json=form_entry())).status_code == 201


NEW_KEY = {"public_key": public_pem("leaf"), "kid": "fresh"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("GET", "/BANK09", None, 404, "BANK09 has never been onboarded; GET /participants lists who is."),
        ("PATCH", "/BANK09", {"name": "New"}, 404, "BANK09 is not onboarded; GET /participants lists who is"),
        ("POST", "/BANK09/offboard", {}, 404, "BANK09 is not onboarded; GET /participants lists who is"),
        ("POST", "/BANK09/keys", NEW_KEY, 404, "BANK09 is not onboarded; GET /participants lists who is"),
        ("PUT", "/BANK09/keys/a", {"status": "BLOCKED"}, 404, "BANK09 is not onboarded; GET"),
        ("POST", "/BANK09/certificates", {"tls_certificate": certificate_pem()}, 404, "BANK09 is not onboarded; GET"),
        ("DELETE", f"/BANK09/certificates/{'0' * 64}", None, 404, "BANK09 is not onboarded; GET"),
        ("PATCH", "/BANK01", {"role": "LSP"}, 422, "role: Extra inputs are not permitted."),
        ("PATCH", "/BANK01", {"base_url": "http://x.example"}, 422, "base_url: 'http://x.example' is not encrypted"),
        ("PATCH", "/BANK01", {"ip_addresses": []}, 422, "ip_addresses: none: give 1 to 3"),
        ("PATCH", "/BANK01", {"spoc_email": "a@gmail.com"}, 422, "spoc_email: gmail.com gives addresses to anybody"),
        ("PATCH", "/BANK01", {"spoc_phone": "1"}, 422, "spoc_phone: '1' is no telephone number"),
        ("PATCH", "/BANK01", {"name": ""}, 422, "name: String should have at least 1 character."),
        ("PATCH", "/BANK01", {"reason": "a\nb"}, 422, "reason: String should match pattern"),
        ("POST", "/LSP123/offboard", {}, 409, "LSP123 is this node itself; end it instead"),
        ("POST", "/BANK01/keys", NEW_KEY, 409, "BANK01: two keys count already, bank-a and bank-b: retire or block"),
        ("POST", "/LENDER01/keys", NEW_KEY | {"kid": ""}, 422, "kid: empty: give 1 to 128 printable ASCII"),
        ("POST", "/LENDER01/keys", NEW_KEY | {"public_key": private_text()}, 422, "public_key: this is a private key"),
        ("POST", "/LENDER01/keys", NEW_KEY | {"kid": "bank-a"}, 409, "LENDER01: keys: kid bank-a is taken"),
        (
            "POST",
            "/LENDER01/keys",
            NEW_KEY | {"kid": "LENDER01-kid"},
            409,
            "LENDER01: kid LENDER01-kid is there already",
        ),
        ("PUT", "/BANK01/keys/bank-z", {"status": "BLOCKED"}, 404, "BANK01: no key bank-z: it has bank-a, bank-b"),
        ("PUT", "/BANK01/keys/bank-a", {"status": "BACKUP"}, 422, "status: Input should be"),
        (
            "PUT",
            "/LSP123/keys/elsewhere",
            {"status": "ACTIVE"},
            404,
            "LSP123: no key elsewhere: it has lsp-backup, lsp-",
        ),
        (
            "POST",
            "/BANK01/certificates",
            {"tls_certificate": "x"},
            422,
            "tls_certificate: no certificate in PEM that can",
        ),
        (
            "POST",
            "/BANK01/certificates",
            {"tls_certificate": certificate_pem(hosts=("other.example",))},
            422,
            "tls_certificate: does not name bank.example, the host of base_url",
        ),
        ("DELETE", "/BANK01/certificates/00000000", None, 404, "BANK01: no certificate with sha256 00000000: it has"),
        (
            "DELETE",
            f"/BANK01/certificates/{thumbprint_of(certificate_pem())}",
            None,
            409,
            "BANK01: its only certificate: add another first, or offboard it",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused_and_changes_nothing(
    node: OperatedStandIn,
    client: httpx.AsyncClient,
    bank: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    status: int,
    detail: str,
) -> None:
    before, known = contents(node.engine), node.directory.participants()
    answer = await client.request(method, f"/participants{path}", json=body)
    assert (answer.status_code, answer.json()["detail"][: len(detail)]) == (status, detail)
    assert (contents(node.engine), node.directory.participants()) == (before, known)


@pytest.mark.parametrize("status", ["BLOCKED", "RETIRED"])
async def test_our_last_key_stays(node: OperatedStandIn, client: httpx.AsyncClient, status: str) -> None:
    blocked = await client.put("/participants/LSP123/keys/lsp-kid", json={"status": "BLOCKED", "reason": "stolen"})
    assert statuses(blocked) == {"lsp-kid": "BLOCKED", "lsp-backup": "ACTIVE"}
    assert node.identity.signing_key.kid == "lsp-backup"
    before = contents(node.engine)
    answer = await client.put("/participants/LSP123/keys/lsp-backup", json={"status": status})
    assert (answer.status_code, contents(node.engine)) == (409, before)
    assert answer.json()["detail"] == "LSP123: no key would be left to sign with: make one first"


async def test_a_key_of_ours_without_its_private_half_is_refused(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    await client.put("/participants/LSP123/keys/lsp-backup", json={"status": "RETIRED"})
    before = contents(node.engine)
    answer = await client.post("/participants/LSP123/keys", json=NEW_KEY)
    assert (answer.status_code, contents(node.engine)) == (409, before)
    assert answer.json()["detail"] == "LSP123: the private key of fresh is not here: make keys here"


async def test_a_blocked_kid_does_not_come_back_with_other_material(
    node: OperatedStandIn, client: httpx.AsyncClient, bank: str
) -> None:
    await client.put(f"{bank}/keys/bank-a", json={"status": "BLOCKED"})
    before = contents(node.engine)
    for owner, kid, detail in (
        ("leaf", "bank-a", "BANK01: kid bank-a is there already: give a new key a new kid"),
        ("bank", "fresh", "BANK01: this key is there already as bank-a (BLOCKED): make a new key pair"),
    ):
        answer = await client.post(f"{bank}/keys", json={"public_key": public_pem(owner), "kid": kid})
        assert (answer.status_code, answer.json()["detail"]) == (409, detail)
    answer = await client.put(f"{bank}/keys/bank-a", json={"status": "ACTIVE"})
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "BANK01: kid bank-a is BLOCKED: add a new key with a new kid",
    )
    assert contents(node.engine) == before
