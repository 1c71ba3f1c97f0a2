"""What the operator plane refuses to do with participants: with its status and sentence, and nothing is changed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.node.onboarding.record import thumbprint_of
from tests.equipment.forms import certificate_of_no_name, certificate_pem, form_entry, private_text
from tests.equipment.records import public_pem
from tests.equipment.storage import contents
from tests.node.operated import OperatedStandIn, operated_node, operator


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


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({"base_url": "http://bank.example"}, 422, "base_url: 'http://bank.example' is not encrypted: give one that b"),
        ({"public_key": private_text()}, 422, "public_key: this is a private key: keep it secret"),
        ({"public_key": public_pem("short", 1024)}, 422, "public_key: the key has 1024 bits: use 2048"),
        ({"ip_addresses": ["192.0.2.1"] * 4}, 422, "ip_addresses: 4 addresses: give 1 to 3"),
        ({"name": "", "role": ""}, 422, "name: empty: give one line of 1 to 200 characters; role: empty: write LENDER"),
        ({"tls_certificate": certificate_of_no_name()}, 422, "tls_certificate: no certificate in PEM that can be read"),
        (
            {"spoc_email": f"ocen@{'b' * 60}.{'b' * 60}.{'b' * 60}.{'b' * 9}.example"},
            422,
            "spoc_email: 205 characters: give an",
        ),
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


async def test_a_reason_that_is_no_line_of_text_is_refused_and_changes_nothing(
    node: OperatedStandIn, client: httpx.AsyncClient, bank: str
) -> None:
    await client.post(f"{bank}/certificates", json={"tls_certificate": certificate_pem("renewed")})
    before, old = contents(node.engine), thumbprint_of(certificate_pem())
    for reason in ("a\x00b", "\x1b[31m", "a" * 201):
        answer = await client.delete(f"{bank}/certificates/{old}", params={"reason": reason})
        assert (answer.status_code, answer.json()["detail"][:8]) == (422, "reason: ")
    assert contents(node.engine) == before


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
        pytest.param(
            "DELETE",
            f"/BANK01/certificates/{thumbprint_of(certificate_pem())}",
            None,
            409,
            "BANK01: its only certificate: add another first, or offboard it",
            id="the only certificate",
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
