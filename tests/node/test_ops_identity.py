"""The operator plane's routes about ourselves: our form, a further key, a renewed certificate."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.node.onboarding.form import OnboardingForm, record_of
from shared.node.onboarding.record import thumbprint_of
from tests.equipment.storage import contents
from tests.node.certificates import Authority, rsa_key
from tests.node.operated import NOW, OperatedStandIn, operated_node, operator


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[OperatedStandIn]:
    async with operated_node(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node: OperatedStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with operator(node) as client:
        yield client


async def with_room(client: httpx.AsyncClient) -> None:
    """One key less, so that another may be made."""
    asked = {"status": "RETIRED", "reason": "makes room"}
    assert (await client.put("/participants/LSP123/keys/lsp-backup", json=asked)).status_code == 200


def keys_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.key"))


async def test_our_form_is_one_that_a_counterparty_takes(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    told = (await client.get("/identity/form")).json()
    assert record_of(OnboardingForm.model_validate(told), NOW) == node.record
    assert (told["role"], told["kid"], told["backup_kid"]) == ("LSP", "lsp-kid", "lsp-backup")


async def test_a_key_is_made_told_and_then_used(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    await with_room(client)
    answer = await client.post("/identity/keys", json={"kid": "fresh", "reason": "yearly"})
    assert (answer.status_code, answer.json()["kid"], answer.json()["status"]) == (201, "fresh", "BACKUP")
    assert (await client.get("/identity")).json()["backup_kids"] == ["fresh"]
    assert (await client.get("/identity/form")).json()["backup_kid"] == "fresh"
    assert (node.keys_folder / "fresh.key").exists()
    await client.put("/participants/LSP123/keys/fresh", json={"status": "ACTIVE"})
    assert (await client.get("/identity")).json()["kid"] == "fresh"
    details = (await client.get("/participants/LSP123")).json()
    made = next(key for key in details["keys"] if key["kid"] == "fresh")
    assert (made["thumbprint"], made["changes"][0]["reason"]) == (answer.json()["thumbprint"], "yearly")


async def test_a_key_is_made_without_any_wish(client: httpx.AsyncClient) -> None:
    await with_room(client)
    made = (await client.post("/identity/keys", json={})).json()
    assert len(made["kid"]) == 36


@pytest.mark.parametrize(
    ("asked", "status", "detail"),
    [
        ({"kid": "fresh"}, 409, "LSP123: two keys count already, lsp-backup and lsp-kid: retire or block one first"),
        (
            {"kid": "lsp-kid"},
            409,
            "cannot be made (File exists): give another kid, or a folder for keys that this user",
        ),
        ({"kid": "../fresh"}, 422, "kid: String should match pattern"),
        ({"kids": "fresh"}, 422, "kids: Extra inputs are not permitted."),
    ],
)
async def test_a_key_that_cannot_be_made_changes_nothing(
    node: OperatedStandIn,
    client: httpx.AsyncClient,
    tmp_path: Path,
    asked: dict[str, Any],
    status: int,
    detail: str,
) -> None:
    before, files = contents(node.engine), keys_in(tmp_path)
    answer = await client.post("/identity/keys", json=asked)
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True)
    assert (contents(node.engine), keys_in(tmp_path)) == (before, files)


async def test_the_certificate_that_lies_in_our_file_is_shown_from_now_on(
    node: OperatedStandIn, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    shown = node.trust.server.current
    renewed = Authority().issue(tmp_path / "renewed", "renewed", key=rsa_key("lsp tls"))
    node.identity.tls_certificate.write_text(renewed.pem)
    new = thumbprint_of(renewed.pem)
    answer = await client.post("/identity/certificate")
    assert (answer.status_code, answer.json()) == (200, dict.fromkeys(("certificate", "client_certificate"), new))
    assert (await client.get("/identity/form")).json()["tls_certificate"] == renewed.pem
    assert node.trust.server.current is not shown


async def test_a_certificate_of_another_key_is_refused_and_the_former_one_stays(
    node: OperatedStandIn, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    before, shown = contents(node.engine), node.trust.server.current
    node.identity.tls_certificate.write_text(Authority().issue(tmp_path / "other", "other").pem)
    answer = await client.post("/identity/certificate")
    assert (answer.status_code, "is not the key of" in answer.json()["detail"]) == (409, True)
    assert (contents(node.engine), node.trust.server.current) == (before, shown)
