"""Which groups both ends of a TLS connection exchange keys in: P-256 alone, and none of the costly finite fields."""

import asyncio
import re
import shutil
import ssl

import pytest

from shared.transport.server import make_server
from shared.transport.tls import TlsTrust
from tests.node.loopback import Run, Witness


@pytest.mark.skipif(shutil.which("sslscan") is None, reason="sslscan (a Debian package) is not installed here")
def test_a_server_exchanges_keys_in_p256_alone(run: Run, witness: Witness, trust: TlsTrust):
    async def scan() -> str:
        async with make_server(witness, host="127.0.0.1", port=0, tls=trust.server) as node:
            command = ("sslscan", "--no-colour", "--xml=-", f"127.0.0.1:{node.port}")
            sslscan = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            report, _ = await sslscan.communicate()
            return report.decode()

    groups = re.findall(r'<group sslversion="([^"]*)" bits="\d+" name="([^"]*)"', run(scan()))
    assert groups == [("TLSv1.3", "secp256r1 (NIST P-256)"), ("TLSv1.2", "secp256r1 (NIST P-256)")]


def test_a_client_offers_p256_alone(trust: TlsTrust):
    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trust.client.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    supported_groups = b"\x00\x0a\x00\x04\x00\x02\x00\x17"  # extension 10 with one entry, secp256r1 (RFC 8446 s4.2.7)
    assert supported_groups in hello.read()
