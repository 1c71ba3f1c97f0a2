"""Certificates, keys and trusted certificates that cannot be used: one line that names the file and what to do."""

from dataclasses import replace
from pathlib import Path

import pytest

from shared.transport.tls import TlsTrust, client_context, server_context, thumbprint
from shared.transport.tls_files import TlsConfigurationError
from tests.node.certificates import Authority, Identity, private_pem, rsa_key


@pytest.fixture
def good(authority: Authority, tmp_path: Path) -> Identity:
    return authority.issue(tmp_path)


def refused_configuration(own: Identity, trust: str) -> str:
    """What the exception says; it must be the same for both contexts, and one line."""
    with pytest.raises(TlsConfigurationError) as server_error:
        server_context(own.certificate, own.private_key, trust)
    with pytest.raises(TlsConfigurationError) as client_error:
        client_context(own.certificate, own.private_key, trust)
    assert str(client_error.value) == str(server_error.value)
    assert "\n" not in str(client_error.value)
    return str(client_error.value)


def test_a_missing_certificate_file_is_named(authority: Authority, good: Identity):
    good.certificate.unlink()
    assert f"{good.certificate} cannot be read (No such file" in refused_configuration(good, authority.pem)


def test_a_folder_in_place_of_the_key_is_named(authority: Authority, good: Identity):
    own = replace(good, private_key=good.private_key.parent)
    assert f"{own.private_key} cannot be read (Is a directory" in refused_configuration(own, authority.pem)


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_certificate_file_that_is_not_pem_is_named(authority: Authority, good: Identity, content: bytes):
    good.certificate.write_bytes(content)
    assert f"{good.certificate} holds no readable certificate" in refused_configuration(good, authority.pem)


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_key_file_that_is_not_pem_is_named(authority: Authority, good: Identity, content: bytes):
    good.private_key.write_bytes(content)
    assert f"{good.private_key} holds no readable private key" in refused_configuration(good, authority.pem)


def test_an_encrypted_key_is_refused_without_asking_for_its_password(authority: Authority, good: Identity):
    good.private_key.write_bytes(private_pem(rsa_key("leaf"), password=b"secret"))
    assert f"{good.private_key} is encrypted: decrypt it" in refused_configuration(good, authority.pem)


def test_the_key_of_another_certificate_is_refused(authority: Authority, good: Identity):
    good.private_key.write_bytes(private_pem(rsa_key("renewed")))
    text = refused_configuration(good, authority.pem)
    assert f"{good.private_key} is not the key of {good.certificate}" in text


def test_a_short_key_of_our_own_is_refused(authority: Authority, tmp_path: Path):
    own = authority.issue(tmp_path, key=rsa_key("short", 1024))
    assert "EE_KEY_TOO_SMALL" in refused_configuration(own, authority.pem)


@pytest.mark.parametrize("junk", ["no certificate", "ümlaut", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_trusted_certificates_that_do_not_open_are_refused(authority: Authority, good: Identity, junk: str):
    assert "trusted certificates are not all PEM" in refused_configuration(good, junk)
    if junk.startswith("-----"):
        assert "trusted certificates are not all PEM" in refused_configuration(good, authority.pem + junk)


def test_what_is_removed_is_refused_though_our_own_files_cannot_be_used(authority: Authority, good: Identity):
    trust = TlsTrust(good.certificate, good.private_key, authority.pem)
    removed = frozenset({thumbprint(good.der)})
    good.private_key.unlink()
    with pytest.raises(TlsConfigurationError):
        trust.replace(authority.pem, removed)
    assert trust.server.revoked == trust.client.revoked == removed
