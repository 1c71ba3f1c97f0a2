"""The settings of a member of the network: all of them or none, each mistake named, with what to do."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.node.settings import NodeSettings, PathSigning, SettingsError, load_settings
from shared.protocol.participants import Dialect
from tests.equipment.scripted_registry import SECRET, URL

NEEDED = {
    "OCEN_IDENTITY": "identity.json",
    "OCEN_DATABASE_URL": "sqlite:///node.sqlite",
    "OCEN_PORT": "8444",
    "OCEN_OPS_PORT": "9444",
    "OCEN_OPS_TOKEN_FILE": "ops-token",
    "OCEN_REGISTRY_URL": URL,
    "OCEN_PARTICIPANT_ID": "3050",
    "OCEN_CLIENT_ID": "client-1",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NodeSettings.model_fields:
        monkeypatch.delenv(f"OCEN_{name.upper()}", raising=False)
    secret = tmp_path / "client-secret"
    secret.write_text(f"{SECRET}\n")
    for name, value in {**NEEDED, "OCEN_CLIENT_SECRET_FILE": str(secret)}.items():
        monkeypatch.setenv(name, value)


def test_a_member_is_known_by_what_the_registry_gave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCEN_PRODUCT_NETWORKS", "71, 72,")
    monkeypatch.setenv("OCEN_DIALECTS", "3051=authstarter, 3052 = strict")
    monkeypatch.setenv("OCEN_REGISTRY_SIGNS", "path_without_version")
    monkeypatch.setenv("OCEN_REGISTRY_CACHE_SECONDS", "300")
    membership = load_settings(NodeSettings).membership
    assert membership is not None
    assert (membership.registry_url, membership.participant_id, membership.client_id) == (URL, "3050", "client-1")
    assert (membership.client_secret, membership.product_networks) == (SECRET, ("71", "72"))
    assert membership.dialects == {"3051": Dialect.AUTHSTARTER, "3052": Dialect.STRICT}
    assert membership.signs is PathSigning.PATH_WITHOUT_VERSION
    assert membership.keeps_for == timedelta(minutes=5)
    assert SECRET not in repr(membership)


def test_the_dialect_rfc_of_former_releases_is_taken_for_strict_and_that_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OCEN_DIALECTS", "3052=rfc")
    membership = load_settings(NodeSettings).membership
    assert membership is not None
    assert membership.dialects == {"3052": Dialect.STRICT}
    assert "the dialect rfc is no more: the peer is dealt with as strict" in caplog.text


def test_without_a_registry_a_node_speaks_v3_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCEN_REGISTRY_URL")
    assert load_settings(NodeSettings).membership is None


def test_an_empty_address_of_a_registry_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCEN_REGISTRY_URL", "")
    assert load_settings(NodeSettings).membership is None


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("OCEN_REGISTRY_URL", "http://registry.example", "OCEN_REGISTRY_URL: give one that begins with https://"),
        ("OCEN_PARTICIPANT_ID", "", "OCEN_REGISTRY_URL needs OCEN_PARTICIPANT_ID"),
        ("OCEN_CLIENT_ID", "", "OCEN_REGISTRY_URL needs OCEN_PARTICIPANT_ID"),
        ("OCEN_CLIENT_SECRET_FILE", "/nonexistent", "OCEN_CLIENT_SECRET_FILE: /nonexistent cannot be read"),
        ("OCEN_DIALECTS", "3051=lenient", "OCEN_DIALECTS: write 3052=authstarter,3053=strict"),
        ("OCEN_REGISTRY_SIGNS", "query", "OCEN_REGISTRY_SIGNS: "),
        ("OCEN_REGISTRY_CACHE_SECONDS", "2", "OCEN_REGISTRY_CACHE_SECONDS: "),
    ],
)
def test_what_cannot_be_used_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        _ = load_settings(NodeSettings).membership
    assert str(refusal.value).startswith(complaint)
