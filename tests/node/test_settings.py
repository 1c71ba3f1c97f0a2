"""The settings of a node: what they mean, and one clear line for each that cannot be used."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from shared.node.settings import LogFormat, Mode, NodeSettings, SettingsError, load_settings

NEEDED = {
    "OCEN_IDENTITY": "identity.json",
    "OCEN_DATABASE_URL": "sqlite:///node.sqlite",
    "OCEN_PORT": "8444",
    "OCEN_OPS_PORT": "9444",
    "OCEN_OPS_TOKEN_FILE": "ops-token",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a node that says only what it must."""
    for name in NodeSettings.model_fields:
        monkeypatch.delenv(f"OCEN_{name.upper()}", raising=False)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)


def test_what_is_not_said_is_strict_enough_and_stays_on_loopback() -> None:
    settings = load_settings(NodeSettings)
    assert (settings.host, settings.ops_host) == ("127.0.0.1", "127.0.0.1")
    assert (settings.mode, settings.log_format, settings.log_level) == (Mode.SANDBOX, LogFormat.JSON, "INFO")
    assert (settings.window.past, settings.window.future) == (timedelta(seconds=300), timedelta(seconds=60))
    assert (settings.retry_attempts, settings.retry_budget_seconds) == (8, 900)
    assert (settings.participants, settings.keys_folder, settings.keep_days) == (None, None, None)
    assert settings.trusted_proxies == settings.unlimited_sources == ()
    assert settings.connections_per_certificate == 256


def test_keys_that_are_made_here_go_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCEN_KEYS_FOLDER", "/data/keys")
    assert load_settings(NodeSettings).keys_folder == Path("/data/keys")


@pytest.mark.parametrize("name", NEEDED)
def test_a_setting_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=f"^{name}: Field required$"):
        load_settings(NodeSettings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OCEN_PORT", "65536"),
        ("OCEN_PORT", "eight"),
        ("OCEN_OPS_PORT", "-1"),
        ("OCEN_MODE", "lenient"),
        ("OCEN_LOG_FORMAT", "xml"),
        ("OCEN_LOG_LEVEL", "verbose"),
        ("OCEN_PAST_SECONDS", "0"),
        ("OCEN_PAST_SECONDS", "86401"),
        ("OCEN_FUTURE_SECONDS", "-1"),
        ("OCEN_RETRY_BASE_SECONDS", "0"),
        ("OCEN_RETRY_BASE_SECONDS", "nan"),
        ("OCEN_RETRY_BUDGET_SECONDS", "99999999999999999"),
        ("OCEN_RETRY_ATTEMPTS", "0"),
        ("OCEN_LEASE_SECONDS", "10"),
        ("OCEN_KEEP_DAYS", "0"),
        ("OCEN_KEEP_DAYS", "1.5"),
        ("OCEN_TRUSTED_PROXIES", "proxy.example"),
        ("OCEN_TRUSTED_PROXIES", "10.0.0.5/24"),
        ("OCEN_TRUSTED_PROXIES", "10.0.0.5,0.0.0.0/0"),
        ("OCEN_TRUSTED_PROXIES", "::/0"),
        ("OCEN_UNLIMITED_SOURCES", "balancer.example"),
        ("OCEN_CONNECTIONS_PER_CERTIFICATE", "0"),
    ],
)
def test_a_value_that_a_setting_cannot_have_is_refused_in_one_line(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: ") as refusal:
        load_settings(NodeSettings)
    assert "\n" not in str(refusal.value)


def test_a_log_level_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCEN_LOG_LEVEL", "debug")
    assert load_settings(NodeSettings).log_level == "DEBUG"


@pytest.mark.parametrize("name", ["trusted_proxies", "unlimited_sources"])
def test_networks_are_addresses_and_networks_with_commas_between(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"OCEN_{name.upper()}", "10.0.0.5, 192.0.2.0/24,2001:db8::/64,")
    networks = ("10.0.0.5/32", "192.0.2.0/24", "2001:db8::/64")
    assert getattr(load_settings(NodeSettings), name) == tuple(map(ip_network, networks))


def test_other_variables_of_the_environment_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCEN_OF_SOMEBODY_ELSE", "1")
    monkeypatch.setenv("PORT", "1")
    assert load_settings(NodeSettings).port == 8444


def test_the_ops_token_is_read_from_its_file_without_its_line_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCEN_OPS_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert load_settings(NodeSettings).ops_token == "0123456789abcdef"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read; write it there"),
        (b"", "fewer than 16 characters"),
        (b"0123456789abcde \n", "fewer than 16 characters"),
        (b"\xff" * 32, "cannot be read; write it there"),
    ],
)
def test_an_ops_token_that_cannot_be_used_is_told_of_with_its_file(
    content: bytes | None, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    monkeypatch.setenv("OCEN_OPS_TOKEN_FILE", str(file))
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=complaint) as refusal:
        assert load_settings(NodeSettings).ops_token
    assert str(refusal.value).startswith(f"OCEN_OPS_TOKEN_FILE: {file} ")
