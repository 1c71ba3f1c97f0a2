"""TLS contexts, in memory: what each end refuses and why, and how trust is exchanged."""

import hashlib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from shared.transport.tls import (
    PeerCertificate,
    TlsConfigurationError,
    TlsTrust,
    client_context,
    server_context,
    thumbprint,
)
from tests.node.certificates import (
    CLIENT,
    FUTURE,
    PAST,
    SERVER,
    Authority,
    Identity,
    private_pem,
    rsa_key,
    self_signed,
)

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
both_versions = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["tls1.2", "tls1.3"])


@pytest.fixture
def good(authority: Authority, tmp_path: Path) -> Identity:
    return authority.issue(tmp_path)


def serve(own: Identity, trust: str) -> ssl.SSLContext:
    return server_context(own.certificate, own.private_key, trust)


def call(own: Identity, trust: str, version: ssl.TLSVersion = TLS13) -> ssl.SSLContext:
    context = client_context(own.certificate, own.private_key, trust)
    context.maximum_version = version
    return context


def handshake(
    server: ssl.SSLContext,
    client: ssl.SSLContext,
    *,
    host: str = "localhost",
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Let two contexts shake hands without a network; the first refusal of either side is raised."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=host, session=session),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    pending = list(ends)
    for _ in range(4):
        for end in tuple(pending):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            pending.remove(end)
    assert pending == []
    return ends[1], ends[0]


@both_versions
def test_two_participants_who_trust_one_another_are_connected(
    authority: Authority, good: Identity, version: ssl.TLSVersion
):
    server, client = handshake(serve(good, authority.pem), call(good, authority.pem, version))
    assert server.version() == {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}[version]
    assert server.getpeercert(binary_form=True) == good.der
    assert client.selected_alpn_protocol() == "http/1.1"
    assert client.compression() is None


WRONG_CLIENTS = {
    "expired": ({"not_after": PAST}, "certificate has expired"),
    "not yet valid": ({"not_before": FUTURE}, "certificate is not yet valid"),
    "for servers only": ({"usages": (SERVER,)}, "unsuitable certificate purpose"),
    "no signing key": ({"can_sign": False}, "unsuitable certificate purpose"),
    "an issuer's": ({"is_authority": True}, "is an issuer's, CA:TRUE"),
    "short key": ({"key": rsa_key("short", 1024)}, "EE certificate key too weak"),
}


def without_security_level(own: Identity, trust: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that shows certificates which our own contexts would not even load."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_verify_locations(cadata=trust)
    context.load_cert_chain(own.certificate, own.private_key)
    return context


@both_versions
@pytest.mark.parametrize(("fault", "reason"), WRONG_CLIENTS.values(), ids=WRONG_CLIENTS)
def test_a_server_refuses_a_client_certificate_that_is_wrong_in_one_respect(
    authority: Authority, good: Identity, tmp_path: Path, fault: dict, reason: str, version: ssl.TLSVersion
):
    wrong = authority.issue(tmp_path, "wrong", **fault)
    client = without_security_level(wrong, authority.pem, version)
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        handshake(serve(good, authority.pem), client)


WRONG_SERVERS = {
    **{name: WRONG_CLIENTS[name] for name in ("expired", "not yet valid", "an issuer's")},
    "for clients only": ({"usages": (CLIENT,)}, "unsuitable certificate purpose"),
}


@both_versions
@pytest.mark.parametrize(("fault", "reason"), WRONG_SERVERS.values(), ids=WRONG_SERVERS)
def test_a_client_refuses_a_server_certificate_that_is_wrong_in_one_respect(
    authority: Authority, good: Identity, tmp_path: Path, fault: dict, reason: str, version: ssl.TLSVersion
):
    wrong = authority.issue(tmp_path, "wrong", **fault)
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        handshake(serve(wrong, authority.pem), call(good, authority.pem, version))


def test_an_authority_of_the_same_name_is_still_another_authority(authority: Authority, good: Identity, tmp_path: Path):
    stranger = Authority(owner="an impostor").issue(tmp_path / "stranger")
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        handshake(serve(good, authority.pem), call(stranger, authority.pem))
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        handshake(serve(stranger, authority.pem), call(good, authority.pem))


def test_a_client_refuses_a_server_that_bears_another_host_name(authority: Authority, good: Identity):
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(serve(good, authority.pem), call(good, authority.pem), host="lender.example")


def test_a_server_may_be_called_by_its_address(authority: Authority, good: Identity):
    handshake(serve(good, authority.pem), call(good, authority.pem), host="127.0.0.1")


def test_a_listed_leaf_is_trusted_without_its_issuer(authority: Authority, good: Identity, tmp_path: Path):
    other = authority.issue(tmp_path, "other")
    server = serve(good, good.pem)
    handshake(server, call(good, authority.pem))
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed certificate in certificate chain"):
        handshake(server, call(other, authority.pem))


def test_a_listed_self_signed_leaf_is_trusted_unless_it_is_an_issuer(
    authority: Authority, good: Identity, tmp_path: Path
):
    own = self_signed(tmp_path, "own")
    handshake(serve(good, own.pem), call(own, authority.pem))
    issuer = self_signed(tmp_path, "issuer", is_authority=True)
    with pytest.raises(ssl.SSLCertVerificationError, match="CA:TRUE"):
        handshake(serve(good, issuer.pem), call(issuer, authority.pem))


def test_nobody_is_trusted_while_nobody_is_listed(authority: Authority, good: Identity):
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(serve(good, ""), call(good, authority.pem))


def test_only_forward_secret_authenticated_suites_are_offered(authority: Authority, good: Identity):
    for context in (serve(good, authority.pem), call(good, authority.pem)):
        assert context.minimum_version == TLS12
        for suite in context.get_ciphers():
            assert suite["aead"], suite["name"]
            assert suite["kea"] in ("kx-ecdhe", "kx-any"), suite["name"]
            assert suite["auth"] in ("auth-rsa", "auth-ecdsa", "auth-any"), suite["name"]


def test_the_reason_of_a_refusal_is_logged_once(
    authority: Authority, good: Identity, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", logger="shared.transport.tls")
    expired = authority.issue(tmp_path, "expired", not_after=PAST)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(serve(good, authority.pem), call(expired, authority.pem))
    assert [record.message.partition(": ")[0] for record in caplog.records] == ["TLS handshake failed"]
    assert "certificate has expired" in caplog.text


# As the server finds it, or as its alert tells the client, whoever of the two is asked first.
NOT_TRUSTED = "CERTIFICATE_VERIFY_FAILED|ALERT_UNKNOWN_CA"


@both_versions
def test_trust_that_is_added_counts_for_the_next_connection(
    authority: Authority, good: Identity, version: ssl.TLSVersion
):
    trust = TlsTrust(good.certificate, good.private_key, "")
    caller = call(good, authority.pem, version)
    with pytest.raises(ssl.SSLError, match=NOT_TRUSTED):
        handshake(trust.server, caller)
    trust.replace(authority.pem)
    handshake(trust.server, caller)


@both_versions
def test_trust_that_is_removed_no_longer_counts(authority: Authority, good: Identity, version: ssl.TLSVersion):
    trust = TlsTrust(good.certificate, good.private_key, authority.pem)
    caller = call(good, authority.pem, version)
    handshake(trust.server, caller)
    handshake(serve(good, authority.pem), trust.client)
    trust.replace(Authority("Another CA").pem)
    with pytest.raises(ssl.SSLError, match=NOT_TRUSTED):
        handshake(trust.server, caller)
    with pytest.raises(ssl.SSLError, match=NOT_TRUSTED):
        handshake(serve(good, authority.pem), trust.client)


@both_versions
def test_a_certificate_that_was_removed_is_refused_though_its_issuer_is_trusted(
    authority: Authority, good: Identity, version: ssl.TLSVersion
):
    trust = TlsTrust(good.certificate, good.private_key, authority.pem)
    caller, removed = call(good, authority.pem, version), frozenset({thumbprint(good.der)})
    trust.replace(authority.pem, removed)
    for server, client in ((trust.server, caller), (serve(good, authority.pem), trust.client)):
        with pytest.raises(ssl.SSLCertVerificationError, match="has been removed here"):
            handshake(server, client)
    trust.replace(authority.pem)
    handshake(trust.server, caller)


def test_a_session_begun_under_removed_trust_cannot_be_resumed(authority: Authority, good: Identity):
    trust = TlsTrust(good.certificate, good.private_key, authority.pem)
    caller = call(good, authority.pem, TLS12)
    # Both are kept open to the end, as OpenSSL forgets the session of a connection that is dropped.
    first = handshake(trust.server, caller)
    session = first[1].session
    second = handshake(trust.server, caller, session=session)
    assert second[1].session_reused
    trust.replace("")
    with pytest.raises(ssl.SSLError, match=NOT_TRUSTED):
        handshake(trust.server, caller, session=session)


@both_versions
def test_no_session_tickets_are_given(authority: Authority, good: Identity, version: ssl.TLSVersion):
    server, client = handshake(serve(good, authority.pem), call(good, authority.pem, version))
    server.write(b"anything")
    assert client.read(8) == b"anything"
    assert client.session is None or not client.session.has_ticket


def test_a_renewed_certificate_is_shown_after_the_next_replacement(
    authority: Authority, good: Identity, tmp_path: Path
):
    trust = TlsTrust(good.certificate, good.private_key, authority.pem)
    renewed = authority.issue(tmp_path, key=rsa_key("renewed"))
    assert renewed.certificate == good.certificate
    trust.replace(authority.pem)
    client = handshake(trust.server, call(good, authority.pem))[1]
    assert client.getpeercert(binary_form=True) == renewed.der != good.der


def test_a_replacement_that_fails_changes_nothing(authority: Authority, good: Identity):
    trust = TlsTrust(good.certificate, good.private_key, authority.pem)
    with pytest.raises(TlsConfigurationError):
        trust.replace("no certificate")
    handshake(trust.server, call(good, authority.pem))
    good.private_key.unlink()
    with pytest.raises(TlsConfigurationError):
        trust.replace("")
    handshake(trust.server, call(replace(good, private_key=_copy(good)), authority.pem))


def _copy(identity: Identity) -> Path:
    path = identity.certificate.with_name("copy.key")
    path.write_bytes(private_pem(rsa_key("leaf")))
    return path


def test_the_thumbprint_is_the_sha256_of_the_der_in_lower_case(good: Identity):
    assert thumbprint(good.der) == hashlib.sha256(good.der).hexdigest()
    assert PeerCertificate.read(good.der) == PeerCertificate(
        thumbprint=thumbprint(good.der), subject="CN=lender.example", der=good.der
    )


@pytest.mark.parametrize("der", [b"", b"junk"])
def test_bytes_that_are_no_certificate_are_a_refused_peer(der: bytes):
    with pytest.raises(ssl.SSLCertVerificationError, match="cannot be read"):
        PeerCertificate.read(der)
