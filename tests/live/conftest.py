"""Fixtures of the tests that run the pair as real processes: keys made once, and pairs to use or to kill."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.pki.folder import issue
from shared.clock import SystemClock
from tests.equipment.environments import environments_in
from tests.live.command import command as command
from tests.live.forger import Forger, calling_as
from tests.live.network import CACHE_SECONDS, Network, network_in
from tests.live.pair import ACME, LENDER, LSP, SECOND_BANK, Pair, PairFactory, pair_in


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates of the pair and of two further organisations; every pair gets copies of them."""
    folder = tmp_path_factory.mktemp("keys")
    environments_in(folder)
    for organisation in (ACME, SECOND_BANK):
        issue(folder / "certs", organisation, SystemClock().now())
    return folder / "certs"


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Pair]:
    """A running pair, for all tests that end no process; to start one takes seconds."""
    with pair_in(tmp_path_factory.mktemp("pair"), certs) as pair:
        pair.start()
        yield pair


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Network]:
    """A running network of OCEN 4.0, for all tests that end no process and leave lender and LSP as they are."""
    folder = tmp_path_factory.mktemp("network")
    with network_in(folder, certs, registry_cache_seconds=CACHE_SECONDS) as network:
        network.start()
        yield network


@pytest.fixture
def make_pair(tmp_path: Path, certs: Path) -> Iterator[PairFactory]:
    """Makes a pair for one test, which starts and ends its processes as it likes."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(pair_in(tmp_path, certs, **settings))


@pytest.fixture(scope="session")
def lsp_forger(pair: Pair) -> Iterator[Forger]:
    """A caller of the lender who has the LSP's TLS certificate."""
    with calling_as(LSP, pair, pair.lender) as forger:
        yield forger


@pytest.fixture(scope="session")
def acme_forger(pair: Pair) -> Iterator[Forger]:
    """A caller of the lender who has the TLS certificate of another LSP."""
    with calling_as(ACME.organisation_id, pair, pair.lender) as forger:
        yield forger


@pytest.fixture(scope="session")
def lender_forger(pair: Pair) -> Iterator[Forger]:
    """A caller of the LSP who has the lender's TLS certificate."""
    with calling_as(LENDER, pair, pair.lsp) as forger:
        yield forger
