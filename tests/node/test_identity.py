"""The identity file: who a node is, and one clear line for each file that cannot be used."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.node.identity import Identity, IdentityError, load_identity
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from tests.equipment.records import public_pem, tls_identity
from tests.node.certificates import private_pem, rsa_key

STATED: dict[str, Any] = {
    "organisation_id": "LSP123",
    "name": "Sandbox LSP",
    "role": "LOAN_AGENT",
    "base_url": "https://lsp.example",
    "ip_addresses": ["192.0.2.7"],
    "spoc_email": "ocen@lsp.example",
    "spoc_phone": "+91 22 5550 0100",
    "keys": [
        {"kid": "lsp-a", "file": "keys/a.pem", "status": "ACTIVE"},
        {"kid": "lsp-b", "file": "keys/b.pem", "status": "BACKUP"},
        {"kid": "lsp-old", "file": "keys/lost.pem", "status": "BLOCKED"},
    ],
    "tls_certificate": "tls.pem",
    "tls_private_key": "tls.key",
    "trust": "trust.pem",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything that the identity file names, but the blocked key."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a.pem").write_bytes(private_pem(rsa_key("lsp")))
    (tmp_path / "keys" / "b.pem").write_bytes(private_pem(rsa_key("lsp backup")))
    (tmp_path / "trust.pem").write_text("the trusted issuers")
    (tmp_path / "tls.pem").write_text(tls_identity("lsp.example").pem)
    return tmp_path


def load(folder: Path, **changes: Any) -> Identity:
    file = folder / "identity.json"
    file.write_text(json.dumps({**STATED, **changes}))
    return load_identity(file)


def test_files_are_looked_for_beside_the_identity_file(folder: Path) -> None:
    identity = load(folder)
    assert (identity.organisation_id, identity.role) == ("LSP123", Role.LOAN_AGENT)
    assert (identity.tls_certificate, identity.tls_private_key) == (folder / "tls.pem", folder / "tls.key")
    assert identity.trust == "the trusted issuers"


def test_the_active_key_signs_and_the_back_up_is_at_hand(folder: Path) -> None:
    identity = load(folder)
    assert identity.signing_key.kid == "lsp-a"
    assert [key.kid for key in identity.backup_keys] == ["lsp-b"]
    assert {identity.signing_key.algorithm, identity.backup_keys[0].algorithm} == {"RS512"}


def test_a_blocked_key_need_not_be_there(folder: Path) -> None:
    assert not (folder / "keys" / "lost.pem").exists()
    stated = load(folder).own_record
    assert stated is not None
    assert [key.kid for key in stated.keys] == ["lsp-a", "lsp-b"]


def test_a_blocked_key_that_is_there_is_stated_as_blocked_and_signs_nothing(folder: Path) -> None:
    (folder / "keys" / "lost.pem").write_bytes(private_pem(rsa_key("leaf")))
    identity = load(folder)
    assert identity.own_record is not None
    assert (identity.own_record.keys[2].kid, identity.own_record.keys[2].status) == ("lsp-old", KeyStatus.BLOCKED)
    assert [key.kid for key in (identity.signing_key, *identity.backup_keys)] == ["lsp-a", "lsp-b"]


def test_the_file_states_what_a_counterparty_would_register(folder: Path) -> None:
    stated = load(folder).own_record
    assert stated is not None
    assert (stated.organisation_id, stated.name, stated.base_url) == ("LSP123", "Sandbox LSP", "https://lsp.example")
    assert (stated.ip_addresses, stated.spoc_email) == (["192.0.2.7"], "ocen@lsp.example")
    assert stated.tls_certificates == [tls_identity("lsp.example").pem]
    assert [(key.kid, key.status, key.pem) for key in stated.keys] == [
        ("lsp-a", KeyStatus.ACTIVE, public_pem("lsp")),
        ("lsp-b", KeyStatus.BACKUP, public_pem("lsp backup")),
    ]


def test_without_a_trust_file_only_registered_certificates_are_trusted(folder: Path) -> None:
    assert load(folder, trust=None).trust == ""


@pytest.mark.parametrize("statuses", [("BACKUP", "BACKUP"), ("ACTIVE", "ACTIVE"), ("BLOCKED", "BACKUP")])
def test_exactly_one_key_has_to_be_active(folder: Path, statuses: tuple[str, str]) -> None:
    keys = [{**key, "status": status} for key, status in zip(STATED["keys"], statuses, strict=False)]
    with pytest.raises(IdentityError, match="mark exactly one"):
        load(folder, keys=keys)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"organisation_id": ""}, "organisation_id"),
        ({"organisation_id": "LSP 123"}, "organisation_id"),
        ({"role": "BANK"}, "role"),
        ({"keys": []}, "keys"),
        ({"keys": [{"kid": "", "file": "keys/a.pem", "status": "ACTIVE"}]}, "keys.0.kid"),
        ({"keys": [{"kid": "a\nb", "file": "keys/a.pem", "status": "ACTIVE"}]}, "keys.0.kid"),
        ({"keys": [{"kid": "lsp-a", "file": "keys/a.pem", "status": "NEW"}]}, "keys.0.status"),
        ({"trust": 1}, "trust"),
        ({"name": ""}, "name"),
        ({"base_url": "http://lsp.example"}, "base_url"),
        ({"ip_addresses": ["192.0.2.1"] * 4}, "ip_addresses"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_the_file(folder: Path, changes: dict[str, Any], place: str) -> None:
    with pytest.raises(IdentityError) as refusal:
        load(folder, **changes)
    assert str(refusal.value).startswith(f"{folder / 'identity.json'}: {place}: ")
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_not_json_is_named(folder: Path) -> None:
    file = folder / "identity.json"
    file.write_text("{")
    with pytest.raises(IdentityError) as refusal:
        load_identity(file)
    assert str(refusal.value).startswith(f"{file}: Invalid JSON")


@pytest.mark.parametrize("missing", ["identity.json", "keys/a.pem", "tls.pem", "trust.pem"])
def test_a_file_that_is_missing_is_named_with_what_to_do(folder: Path, missing: str) -> None:
    load(folder)
    (folder / missing).unlink()
    with pytest.raises(IdentityError) as refusal:
        load_identity(folder / "identity.json")
    assert str(refusal.value) == f"{folder / missing} cannot be read; make the keys with: ocen-sandbox pki init"


@pytest.mark.parametrize(
    ("material", "complaint"),
    [
        (b"", "no private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "does not parse"),
        (private_pem(rsa_key("leaf"), b"secret"), "is encrypted"),
        (private_pem(rsa_key("short", 1024)), "1024 bits"),
    ],
    ids=["empty", "spoiled", "encrypted", "short"],
)
def test_a_key_that_cannot_be_used_is_named_and_never_quoted(folder: Path, material: bytes, complaint: str) -> None:
    (folder / "keys" / "a.pem").write_bytes(material)
    with pytest.raises(IdentityError, match=complaint) as refusal:
        load(folder)
    assert str(refusal.value).startswith(f"{folder / 'keys' / 'a.pem'}: ")
    assert "BEGIN" not in str(refusal.value)


def test_a_node_may_call_with_another_certificate_of_the_same_or_of_another_key(folder: Path) -> None:
    assert load(folder).calling == (folder / "tls.pem", folder / "tls.key")
    (folder / "client.pem").write_text(tls_identity("client").pem)
    identity = load(folder, tls_client_certificate="client.pem")
    assert identity.calling == (folder / "client.pem", folder / "tls.key")
    identity = load(folder, tls_client_certificate="client.pem", tls_client_private_key="client.key")
    assert identity.calling == (folder / "client.pem", folder / "client.key")
    assert identity.own_record is not None
    assert identity.own_record.tls_certificates == [tls_identity("lsp.example").pem, tls_identity("client").pem]
