"""The writer: a unit that fails takes no neighbour with it, and an outage of the database ends in an answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from shared.storage import transactions
from shared.storage.writer import GroupCommit, StorageUnavailable
from tests.node.loan_units import Grant, Loan, Offer, run_all, running_writer, stored
from tests.postgres import administer

pytestmark = pytest.mark.on_both_databases


def operational(name: str) -> OperationalError:
    """What a driver raises; PostgreSQL's has an SQLSTATE, SQLite's the name of its code."""
    said = Exception(f"the database says {name}")
    said.__dict__["sqlite_errorname" if name.startswith("SQLITE") else "sqlstate"] = name
    return OperationalError("INSERT", {}, said)


DEADLOCK = operational("40P01")


@pytest.fixture
async def writer(engine: Engine) -> AsyncIterator[GroupCommit]:
    async with running_writer(engine, sizes=[]) as writer:
        yield writer


class TestFailures:
    async def test_a_unit_that_its_kind_refuses_fails_alone_and_nothing_runs_again(
        self, writer: GroupCommit, engine: Engine
    ) -> None:
        kind = Grant(refused="b")
        answers = await run_all(writer, kind, *"abc")
        assert [str(answer) for answer in answers] == ["granted a", "refused", "granted c"]
        assert kind.batches == [["a", "b", "c"]]
        assert await stored(engine) == ["a", "c"]

    async def test_the_neighbours_of_a_unit_that_raises_are_stored(self, writer: GroupCommit, engine: Engine) -> None:
        kind = Grant(errors={"b": [ValueError("first"), ValueError("second")]})
        answers = await run_all(writer, kind, *"abc")
        assert [str(answer) for answer in answers] == ["granted a", "second", "granted c"]
        assert await stored(engine) == ["a", "c"]

    async def test_the_neighbours_of_a_unit_that_breaks_a_constraint_are_stored(
        self, writer: GroupCommit, engine: Engine
    ) -> None:
        await writer.run(Grant(), Loan("b"))
        first, second, third = await run_all(writer, Grant(), *"abc")
        assert isinstance(second, IntegrityError)
        assert (first, third) == ("granted a", "granted c")
        assert await stored(engine) == ["a", "b", "c"]

    async def test_the_neighbours_of_a_unit_that_fails_at_the_commit_are_stored(
        self, writer: GroupCommit, engine: Engine
    ) -> None:
        offer = asyncio.create_task(writer.run(Offer(), Loan("orphan")))
        assert await run_all(writer, Grant(), "a", "b") == ["granted a", "granted b"]
        with pytest.raises(IntegrityError):
            await offer
        assert await stored(engine) == ["a", "b"]

    async def test_a_kind_that_answers_too_few_units_fails_them(self, writer: GroupCommit, engine: Engine) -> None:
        class Forgetful(Grant):
            def __call__(self, connection: Connection, units: Sequence[Loan]) -> Sequence[str | Exception]:
                return super().__call__(connection, units)[1:]

        with pytest.raises(ValueError, match="shorter"):
            await writer.run(Forgetful(), Loan("a"))
        assert await stored(engine) == []

    async def test_a_unit_that_meets_a_deadlock_is_tried_again(self, writer: GroupCommit, engine: Engine) -> None:
        kind = Grant(errors={"a": [DEADLOCK] * 3})
        assert await writer.run(kind, Loan("a")) == "granted a"
        assert await stored(engine) == ["a"]

    async def test_a_unit_that_always_meets_a_deadlock_fails_in_the_end(
        self, writer: GroupCommit, engine: Engine
    ) -> None:
        kind = Grant(errors={"b": [DEADLOCK] * 100})
        answers = await run_all(writer, kind, *"abc")
        assert (answers[0], answers[2]) == ("granted a", "granted c")
        assert isinstance(answers[1], StorageUnavailable)
        assert kind.batches.count(["b"]) == 5
        assert await stored(engine) == ["a", "c"]

    @pytest.mark.parametrize("trouble", ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "53100", "55P03", "57014"])
    async def test_a_trouble_of_the_database_is_not_met_once_more_by_every_unit(
        self, writer: GroupCommit, engine: Engine, trouble: str
    ) -> None:
        kind = Grant(errors={name: [operational(trouble)] * 100 for name in "bcde"})
        answers = await run_all(writer, kind, *"abcde")
        assert kind.batches == [["a", "b", "c", "d", "e"], ["a"], ["b"]]
        assert answers[0] == "granted a"
        assert [type(answer) for answer in answers[1:]] == [StorageUnavailable] * 4
        assert await stored(engine) == ["a"]

    async def test_units_that_run_alone_take_no_longer_together_than_a_batch_may(
        self, writer: GroupCommit, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transactions, "BATCH_SECONDS", 0)
        kind = Grant(errors={"a": [ValueError("a")]})
        answers = await run_all(writer, kind, *"abc")
        assert [type(answer) for answer in answers] == [StorageUnavailable] * 3
        assert kind.batches == [["a", "b", "c"]]
        assert await stored(engine) == []


@contextmanager
def outage(engine: Engine) -> Iterator[None]:
    """Make the database refuse the writer: another process holds SQLite's lock, PostgreSQL lets nobody in."""
    url = engine.url.render_as_string(hide_password=False)
    if engine.dialect.name == "sqlite":
        other = create_engine(url)
        with other.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield
        other.dispose()
    else:
        server, name = make_url(url).set(database="postgres"), engine.url.database
        address = server.render_as_string(hide_password=False)
        end = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
        administer(address, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", end)
        yield
        administer(address, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


class TestOutage:
    @pytest.fixture
    def database_url(self, database_url: str) -> str:
        return f"{database_url}?timeout=0.01" if database_url.startswith("sqlite") else database_url

    async def test_during_an_outage_units_fail_and_after_it_they_are_stored(
        self, writer: GroupCommit, engine: Engine
    ) -> None:
        await writer.run(Grant(), Loan("a"))
        with outage(engine):
            answers = await run_all(writer, Grant(), "b", "c")
            assert [type(answer) for answer in answers] == [StorageUnavailable, StorageUnavailable]
        assert await writer.run(Grant(), Loan("d")) == "granted d"
        assert await stored(engine) == ["a", "d"]

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    async def test_a_database_that_is_locked_is_not_asked_again_when_the_time_of_a_batch_is_over(
        self, writer: GroupCommit, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tries: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda _, __, statement, *___: tries.append(statement))
        await writer.run(Grant(), Loan("a"))
        tries.clear()
        monkeypatch.setattr(transactions, "BATCH_SECONDS", 0)
        with outage(engine):
            answers = await run_all(writer, Grant(), *"bcd")
        assert [type(answer) for answer in answers] == [StorageUnavailable] * 3
        assert tries.count("BEGIN IMMEDIATE") == 1

    @pytest.mark.parametrize(
        "url",
        ["sqlite:////missing/node.sqlite", "postgresql+psycopg://postgres@127.0.0.1:1/postgres"],
        ids=["sqlite", "postgresql"],
    )
    async def test_an_engine_that_cannot_connect_is_an_outage(self, url: str) -> None:
        engine = create_engine(url)
        writer = GroupCommit(engine)
        await writer.start()
        with pytest.raises(StorageUnavailable, match=r"the database does not answer: .*(unable to open|refused)"):
            await writer.run(Grant(), Loan("a"))
        with pytest.raises(StorageUnavailable, match=r"the database does not answer: .*(unable to open|refused)"):
            await stored(engine)
        await writer.stop()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestLostConnections:
    async def test_a_connection_lost_between_two_units_is_not_noticed(
        self, writer: GroupCommit, engine: Engine
    ) -> None:
        await writer.run(Grant(), Loan("a"))
        with outage(engine):
            pass
        assert await run_all(writer, Grant(), "b", "c") == ["granted b", "granted c"]
        assert await stored(engine) == ["a", "b", "c"]

    async def test_an_outage_is_met_once_for_all_units_of_a_batch(self, writer: GroupCommit, engine: Engine) -> None:
        tries: list[object] = []
        event.listen(engine, "do_connect", lambda *details: tries.append(details))
        await writer.run(Grant(), Loan("a"))
        with outage(engine):
            tries.clear()
            await run_all(writer, Grant(), *"bcdef")
        assert len(tries) == 3

    async def test_a_unit_whose_commit_is_lost_does_not_run_again(self, writer: GroupCommit, engine: Engine) -> None:
        def cut(connection: Connection) -> None:
            pid = connection.scalar(select(func.pg_backend_pid()))
            with engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

        class CutBeforeCommit(Grant):
            def __call__(self, connection: Connection, units: Sequence[Loan]) -> Sequence[str | Exception]:
                results = super().__call__(connection, units)
                cut(connection)
                return results

        kind = CutBeforeCommit()
        with pytest.raises(StorageUnavailable, match="lost during commit"):
            await writer.run(kind, Loan("a"))
        assert kind.batches == [["a"]]
