"""Certificates for one use, over real TLS: one to serve with and another to call with, or none to call with."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from shared.transport.server import make_server
from shared.transport.tls import TlsTrust, thumbprint
from shared.transport.tls_files import CertificateFiles
from shared.transport.transport import PooledTransport
from tests.node.certificates import CLIENT, SERVER, Authority, Identity, rsa_key
from tests.node.loopback import TLS12, TLS13, Witness
from tests.node.scripted_peer import ScriptedPeer, answering

both_versions = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["tls1.2", "tls1.3"])


@dataclass
class Party:
    """A participant that serves with one certificate and calls with another."""

    serving: Identity
    calling: Identity
    trust: TlsTrust
    witness: Witness


def party(name: str, folder: Path) -> Party:
    authority = Authority()
    serving = authority.issue(folder / name, f"{name} serving", usages=(SERVER,))
    calling = authority.issue(folder / name, f"{name} calling", usages=(CLIENT,), key=rsa_key("calling"), hosts=("x",))
    files = CertificateFiles(calling.certificate, calling.private_key)
    trust = TlsTrust(serving.certificate, serving.private_key, authority.pem, calling=files)
    return Party(serving, calling, trust, Witness())


async def call(client: ssl.SSLContext, server: ssl.SSLContext, witness: Witness) -> None:
    async with (
        make_server(witness, host="127.0.0.1", port=0, tls=server) as node,
        PooledTransport(client) as transport,
    ):
        await transport.handle_async_request(httpx.Request("GET", f"https://127.0.0.1:{node.port}/v3/heartbeat"))


def shown_to(witness: Witness) -> list[str]:
    return [scope["extensions"]["peer_certificate"].thumbprint for scope in witness.scopes]


async def test_a_pair_of_certificates_works_in_both_directions(tmp_path: Path) -> None:
    lender, lsp = party("lender", tmp_path), party("lsp", tmp_path)
    await call(lsp.trust.client, lender.trust.server, lender.witness)
    await call(lender.trust.client, lsp.trust.server, lsp.witness)
    assert shown_to(lender.witness) == [lsp.trust.shown_calling] == [thumbprint(lsp.calling.der)]
    assert shown_to(lsp.witness) == [thumbprint(lender.calling.der)]
    assert lender.trust.shown == thumbprint(lender.serving.der) != lender.trust.shown_calling


@both_versions
async def test_a_certificate_for_serving_serves_and_is_refused_as_a_callers_with_a_remedy(
    tmp_path: Path, version: ssl.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="shared.transport.tls")
    lender, authority = party("lender", tmp_path), Authority()
    alone = authority.issue(tmp_path, "alone", usages=(SERVER,))
    trust = TlsTrust(alone.certificate, alone.private_key, authority.pem)
    witness = Witness()
    await call(lender.trust.client, trust.server, witness)
    assert len(witness.scopes) == 1

    trust.client.current.maximum_version = version
    with pytest.raises(httpx.ConnectError, match="our certificate is not made for this use: name one with clientAuth"):
        await call(trust.client, lender.trust.server, lender.witness)
    assert lender.witness.scopes == []
    assert "the peer has to show another: clientAuth is for calling, serverAuth for serving" in caplog.text


async def test_a_certificate_for_calling_is_refused_as_a_servers_with_a_remedy(tmp_path: Path) -> None:
    lender, lsp = party("lender", tmp_path), party("lsp", tmp_path)
    wrong = TlsTrust(lsp.calling.certificate, lsp.calling.private_key, Authority().pem)
    async with ScriptedPeer(answering(), wrong.server) as peer, PooledTransport(lender.trust.client) as transport:
        with pytest.raises(httpx.ConnectError, match="the peer has to show another"):
            await transport.handle_async_request(httpx.Request("GET", peer.url))
        assert peer.requests == []
