"""Fixtures of the tests that run real servers on loopback: two participants, a witness and both event loops."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from shared.transport.tls import TlsTrust, client_context, server_context
from tests.node.certificates import Authority, Identity
from tests.node.loopback import Run, Witness


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a coroutine to its end on one of the two loops."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def lender(authority: Authority, tmp_path: Path) -> Identity:
    return authority.issue(tmp_path / "lender", "lender.example")


@pytest.fixture
def lsp(authority: Authority, tmp_path: Path) -> Identity:
    return authority.issue(tmp_path / "lsp", "lsp.example")


@pytest.fixture
def trust(authority: Authority, lender: Identity) -> TlsTrust:
    """What the lender's server listens with."""
    return TlsTrust(lender.certificate, lender.private_key, authority.pem)


@pytest.fixture
def server(lender: Identity, authority: Authority) -> ssl.SSLContext:
    return server_context(lender.certificate, lender.private_key, authority.pem)


@pytest.fixture
def client(lsp: Identity, authority: Authority) -> ssl.SSLContext:
    return client_context(lsp.certificate, lsp.private_key, authority.pem)
