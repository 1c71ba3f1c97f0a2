"""Fixtures of all tests: a fresh database."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from shared.node.process import calm_garbage_collector
from shared.storage.database import open_engine
from tests.postgres import create_database, empty_database, find_binaries, private_server

# A busy machine is no failure.
settings.register_profile("patient", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SQLITE, POSTGRESQL = "sqlite", "postgresql"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with the mark `on_both_databases` once on each: those of storage, acceptance and outbox."""
    is_marked = metafunc.definition.get_closest_marker("on_both_databases") is not None
    names_one = any("database_url" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if is_marked and not names_one and "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", [SQLITE, POSTGRESQL], indirect=True)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the modules and the tests: else it looks through them again and again."""
    calm_garbage_collector()


@pytest.fixture(scope="session", autouse=True)
def _private_keys_are_read_once() -> Iterator[None]:
    """OpenSSL checks an RSA key whenever it is read, for some 60 ms; the tests read the same few again and again."""
    read = cache(load_pem_private_key)
    with pytest.MonkeyPatch.context() as patch:
        for module in (
            "shared.transport.tls_files",
            "shared.protocol.signing",
            "sandbox.pki.files",
            "jwcrypto.jwk.serialization",
            "joserfc._rfc7517.pem",
        ):
            patch.setattr(f"{module}.load_pem_private_key", read)
        yield


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real PostgreSQL server of this session."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed here (initdb, pg_ctl, postgres)")
    with private_server(binaries) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_database(postgres_url: str) -> str:
    """The URL of a database of that server, which the tests use one after another."""
    return create_database(postgres_url)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: SQLite, but for tests with the mark `on_both_databases`."""
    if getattr(request, "param", SQLITE) == SQLITE:
        return f"sqlite:///{tmp_path / 'node.sqlite'}"
    url: str = request.getfixturevalue("postgres_database")
    empty_database(url)
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on an empty database."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()
