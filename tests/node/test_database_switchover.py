"""A PostgreSQL server that takes no changes is an outage, which ends as soon as the address leads to one that does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from shared.node.tables import create_tables
from shared.storage.database import DatabaseError, open_engine
from shared.storage.reader import read
from shared.storage.writer import GroupCommit, StorageUnavailable
from tests.equipment.switchover import Replicated, replicated
from tests.node.loan_units import Grant, Loan, loans, metadata, running_writer, stored
from tests.postgres import administer, find_binaries

pytestmark = pytest.mark.on_both_databases

LONG = 60.0


@pytest.fixture(scope="module")
def steady_servers() -> Iterator[Replicated]:
    """For tests that change nothing of them."""
    yield from run_servers()


@pytest.fixture
def servers() -> Iterator[Replicated]:
    yield from run_servers()


def run_servers() -> Iterator[Replicated]:
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed here (initdb, pg_ctl, postgres)")
    with replicated(binaries) as servers:
        yield servers


@asynccontextmanager
async def two_processes(url: str) -> AsyncIterator[list[tuple[Engine, GroupCommit]]]:
    """Engines and writers of two processes on one database, each of which has written."""
    async with AsyncExitStack() as stack:
        processes = []
        for name in "ab":
            engine = open_engine(url)
            stack.callback(engine.dispose)
            writer = await stack.enter_async_context(running_writer(engine, sizes=[]))
            assert await writer.run(Grant(), Loan(name)) == f"granted {name}"
            processes.append((engine, writer))
        yield processes


async def refused(writer: GroupCommit, name: str) -> str:
    """Why a unit is not stored now."""
    with pytest.raises(StorageUnavailable) as refusal:
        await writer.run(Grant(), Loan(name))
    return str(refusal.value)


async def granted(writer: GroupCommit, name: str) -> None:
    """The first try after a change may meet a connection of before it; none after it does."""
    for _ in range(2):
        try:
            assert await writer.run(Grant(), Loan(name)) == f"granted {name}"
        except StorageUnavailable:
            continue
        return
    raise AssertionError(f"{name} is not granted")


async def port_of_reader(engine: Engine) -> object:
    return await read(engine, lambda connection: connection.scalar(text("SHOW port")))


async def test_the_old_primary_that_comes_back_as_standby_is_left_as_soon_as_the_address_moves(
    servers: Replicated,
) -> None:
    async with two_processes(servers.url) as processes:
        servers.stop_first()
        servers.promote_second()
        servers.bring_back_first()
        for _, writer in processes:
            assert "read-only" in await refused(writer, "lost")

        servers.move_address()

        for name, (engine, writer) in zip("cd", processes, strict=True):
            await granted(writer, name)
            assert await port_of_reader(engine) == str(servers.second.port)
            assert "lost" not in await stored(engine)
        assert await stored(processes[0][0]) == ["a", "b", "c", "d"]


async def test_a_standby_that_the_address_leads_to_already_is_used_as_soon_as_it_is_promoted(
    servers: Replicated,
) -> None:
    async with two_processes(servers.url) as processes:
        servers.move_address()
        servers.stop_first()
        for _, writer in processes:
            assert "read-only" in await refused(writer, "lost")

        servers.promote_second()

        for name, (engine, writer) in zip("cd", processes, strict=True):
            await granted(writer, name)
            assert await port_of_reader(engine) == str(servers.second.port)
        assert await stored(processes[0][0]) == ["a", "b", "c", "d"]


async def test_a_server_that_becomes_read_only_under_open_connections_is_left_by_all_of_them(
    servers: Replicated,
) -> None:
    async with two_processes(servers.url) as processes:
        for engine, _ in processes:
            assert await port_of_reader(engine) == str(servers.first.port)
        administer(servers.first.url, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        await until_read_only(processes[0][0])
        for _, writer in processes:
            assert "read-only" in await refused(writer, "lost")
        await replayed(servers)
        servers.promote_second()
        servers.move_address()

        for name, (engine, writer) in zip("cd", processes, strict=True):
            await granted(writer, name)
            assert await port_of_reader(engine) == str(servers.second.port)


async def until_read_only(engine: Engine) -> None:
    """Wait until the open connections of the engine have heard of it."""
    asked = text("SHOW default_transaction_read_only")
    async with asyncio.timeout(LONG):
        while await read(engine, lambda connection: connection.scalar(asked)) == "off":
            pass


async def replayed(servers: Replicated) -> None:
    """Wait until the standby has what the primary has."""
    standby = open_engine(servers.second.url + "?target_session_attrs=any")
    async with asyncio.timeout(LONG):
        while await read(standby, lambda connection: connection.scalar(select(func.count()).select_from(loans))) < 2:
            pass
    standby.dispose()


async def test_a_standby_is_met_once_for_all_units_of_a_batch(servers: Replicated) -> None:
    async with two_processes(servers.url) as ((_, writer), _):
        servers.move_address()
        servers.stop_first()
        servers.address.taken = 0
        answers = await asyncio.gather(*(writer.run(Grant(), Loan(name)) for name in "cdefgh"), return_exceptions=True)
        assert [type(answer) for answer in answers] == [StorageUnavailable] * 6
        assert servers.address.taken == 3


def test_a_node_does_not_start_on_a_standby(steady_servers: Replicated) -> None:
    with pytest.raises(DatabaseError, match=r"read-only; .*name the primary in the database URL") as refusal:
        open_engine(steady_servers.second.url)
    assert "\n" not in str(refusal.value)


def test_a_server_that_takes_no_tables_is_told_in_one_line(steady_servers: Replicated) -> None:
    engine = open_engine(steady_servers.second.url + "?target_session_attrs=any")
    with pytest.raises(
        DatabaseError, match=r"cannot be set up: cannot execute .* in a read-only transaction"
    ) as refusal:
        create_tables(engine)
    engine.dispose()
    assert "\n" not in str(refusal.value)


def test_of_two_hosts_in_the_url_the_primary_is_used(steady_servers: Replicated) -> None:
    hosts = "&".join(f"host=127.0.0.1:{server.port}" for server in (steady_servers.second, steady_servers.first))
    engine = open_engine(f"postgresql://postgres@/postgres?{hosts}")
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW port")) == str(steady_servers.first.port)
    engine.dispose()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_reader_that_tries_to_write_is_no_outage_and_keeps_its_connection(engine: Engine) -> None:
    metadata.create_all(engine)
    pid = select(func.pg_backend_pid())
    before = await read(engine, lambda connection: connection.scalar(pid))
    with pytest.raises(DBAPIError, match="read-only"):
        await read(engine, lambda connection: connection.execute(loans.insert(), {"name": "a"}))
    assert await read(engine, lambda connection: connection.scalar(pid)) == before
