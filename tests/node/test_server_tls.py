"""Whom a running server refuses, with which TLS alert, and that nothing of a refused peer reaches the application."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from shared.transport.server import make_server
from shared.transport.tls import TlsTrust
from tests.equipment.deadline import DEADLINE
from tests.node.certificates import FUTURE, PAST, SERVER, Authority, Identity
from tests.node.loopback import GET, REFUSED, TLS12, TLS13, Run, Witness, caller, exchange, send


def refuse(run: Run, witness: Witness, trust: TlsTrust, client: ssl.SSLContext | None) -> str:
    """Call in vain; the reason that the caller is given in a TLS alert, if there is one."""
    with pytest.raises(REFUSED) as refusal:
        run(exchange(witness, trust.server, client, GET))
    assert witness.scopes == []
    return str(getattr(refusal.value, "reason", ""))


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["tls1.2", "tls1.3"])
def test_a_peer_without_a_certificate_is_refused(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    authority: Authority,
    version: ssl.TLSVersion,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level("INFO", logger="shared.transport.tls")
    anonymous = ssl.create_default_context(cadata=authority.pem)
    anonymous.maximum_version = version
    alert = refuse(run, witness, trust, anonymous)
    assert alert in ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE")
    assert "peer did not return a certificate" in caplog.text


def test_a_peer_certified_by_an_unknown_authority_is_refused(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    authority: Authority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level("INFO", logger="shared.transport.tls")
    impostor = Authority(owner="an impostor").issue(tmp_path / "impostor", "lsp.example")
    assert refuse(run, witness, trust, caller(impostor, authority)) == "TLSV1_ALERT_UNKNOWN_CA"
    assert "unable to get local issuer certificate" in caplog.text


FAULTS = {
    "expired": ({"not_after": PAST}, "certificate has expired", "EXPIRED"),
    "not yet valid": ({"not_before": FUTURE}, "certificate is not yet valid", "BAD_CERTIFICATE"),
    "for servers only": ({"usages": (SERVER,)}, "unsuitable certificate purpose", "UNSUPPORTED_CERTIFICATE"),
    "an issuer's": ({"is_authority": True}, "is an issuer's, CA:TRUE", ""),
}


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["tls1.2", "tls1.3"])
@pytest.mark.parametrize(("fault", "reason", "alert"), FAULTS.values(), ids=FAULTS)
def test_a_peer_whose_certificate_is_wrong_in_one_respect_is_refused(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    authority: Authority,
    tmp_path: Path,
    fault: dict[str, Any],
    reason: str,
    alert: str,
    version: ssl.TLSVersion,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level("INFO", logger="shared.transport.tls")
    wrong = authority.issue(tmp_path / "wrong", "lsp.example", **fault)
    assert alert in refuse(run, witness, trust, caller(wrong, authority, version))
    assert reason in caplog.text


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["tls1.0", "tls1.1"])
def test_an_outdated_protocol_version_is_refused(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    lsp: Identity,
    authority: Authority,
    version: ssl.TLSVersion,
):
    client = caller(lsp, authority)
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = client.maximum_version = version
    alert = refuse(run, witness, trust, client)
    if alert == "NO_PROTOCOLS_AVAILABLE":
        pytest.skip("this OpenSSL cannot offer so old a version")
    assert alert == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA", "AES128-GCM-SHA256"])
def test_a_suite_without_aead_or_forward_secrecy_is_refused(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority, suite: str
):
    client = caller(lsp, authority, TLS12)
    client.set_ciphers(suite)
    assert refuse(run, witness, trust, client) == "SSLV3_ALERT_HANDSHAKE_FAILURE"


def test_plain_http_is_refused(run: Run, witness: Witness, trust: TlsTrust):
    refuse(run, witness, trust, None)


def test_a_caller_that_expects_another_host_sends_nothing(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    async def call_by_the_wrong_name() -> None:
        async with make_server(witness, host="127.0.0.1", port=0, tls=trust.server) as node:
            await asyncio.open_connection(
                "127.0.0.1", node.port, ssl=caller(lsp, authority), server_hostname="lsp.example"
            )

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        run(call_by_the_wrong_name())
    assert witness.scopes == []


def test_trust_changes_while_the_server_runs(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    async def onboard_and_offboard() -> None:
        trust.replace("")
        async with make_server(witness, host="127.0.0.1", port=0, tls=trust.server) as node:
            with pytest.raises(REFUSED):
                await send(node.port, caller(lsp, authority), GET)
            trust.replace(lsp.pem)
            await send(node.port, caller(lsp, authority), GET)
            trust.replace("")
            with pytest.raises(REFUSED):
                await send(node.port, caller(lsp, authority), GET)

    run(onboard_and_offboard())
    assert len(witness.scopes) == 1


def test_the_client_of_a_node_follows_its_trust_too(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    own = TlsTrust(lsp.certificate, lsp.private_key, authority.pem)

    async def call_twice() -> None:
        async with make_server(witness, host="127.0.0.1", port=0, tls=trust.server) as node:
            await send(node.port, own.client, GET)
            own.replace("")
            with pytest.raises(ssl.SSLCertVerificationError):
                await send(node.port, own.client, GET)

    run(call_twice())
    assert len(witness.scopes) == 1


def test_a_handshake_that_ends_after_the_stop_has_begun_does_not_hold_it_up(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    async def shake_hands_late() -> None:
        node = make_server(witness, host="127.0.0.1", port=0, tls=trust.server, grace=60)
        await node.start()
        _, late = await asyncio.open_connection("127.0.0.1", node.port)
        # Connections are accepted in their order: after the answer to the second, the first has been, too.
        await send(node.port, caller(lsp, authority), GET)
        stop = asyncio.create_task(node.stop())
        await late.start_tls(caller(lsp, authority), server_hostname="localhost")
        await asyncio.wait_for(stop, timeout=DEADLINE)
        late.close()

    run(shake_hands_late())
