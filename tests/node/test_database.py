"""Opening the two kinds of database, and what a transaction on them promises."""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Engine, ForeignKey, Integer, MetaData, Table, inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, StatementError

from shared.node.tables import create_tables
from shared.storage import schema
from shared.storage.database import READ_ONLY, DatabaseError, Instant, open_engine
from shared.storage.schema import take_turns

pytestmark = pytest.mark.on_both_databases

metadata = MetaData()
loans = Table("loans", metadata, Column("id", Integer, primary_key=True), Column("at", Instant))
offers = Table("offers", metadata, Column("loan", ForeignKey("loans.id"), primary_key=True))

KOLKATA = timezone(timedelta(hours=5, minutes=30))
NOON = datetime(2026, 1, 2, 12, 0, 0, 678901, tzinfo=UTC)


@pytest.fixture
def writing(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        metadata.create_all(connection)
    with engine.connect() as connection:
        yield connection


class TestInstant:
    @pytest.mark.parametrize("instant", [NOON, NOON.astimezone(KOLKATA), datetime(1947, 8, 15, tzinfo=KOLKATA), None])
    def test_an_instant_is_read_back_as_it_was_written(self, writing: Connection, instant: datetime | None) -> None:
        writing.execute(loans.insert(), {"id": 1, "at": instant})
        assert writing.scalar(loans.select().with_only_columns(loans.c.at)) == instant

    def test_an_instant_is_stored_as_microseconds(self, writing: Connection) -> None:
        writing.execute(loans.insert(), {"id": 1, "at": NOON})
        assert writing.scalar(text("SELECT at FROM loans")) == 1767355200678901

    def test_an_instant_is_read_back_in_utc(self, writing: Connection) -> None:
        writing.execute(loans.insert(), {"id": 1, "at": NOON.astimezone(KOLKATA)})
        found = writing.scalar(loans.select().with_only_columns(loans.c.at))
        assert found is not None
        assert found.utcoffset() == timedelta(0)

    def test_a_naive_datetime_is_refused(self, writing: Connection) -> None:
        with pytest.raises(StatementError, match="give an aware datetime"):
            writing.execute(loans.insert(), {"id": 1, "at": NOON.replace(tzinfo=None)})
        assert writing.execute(loans.select()).all() == []

    @given(st.datetimes(timezones=st.just(UTC)))
    def test_every_microsecond_survives(self, instant: datetime) -> None:
        column, dialect = Instant(), sqlite.dialect()
        stored = column.process_bind_param(instant, dialect)
        assert column.process_result_value(stored, dialect) == instant


class TestTransactions:
    def test_a_table_made_in_a_transaction_goes_with_its_rollback(self, engine: Engine) -> None:
        with engine.connect() as connection:
            metadata.create_all(connection)
            connection.rollback()
        assert inspect(engine).get_table_names() == []

    def test_a_foreign_key_is_enforced(self, writing: Connection) -> None:
        with pytest.raises(IntegrityError):
            writing.execute(offers.insert(), {"loan": 7})

    def test_a_reader_neither_waits_for_the_writer_nor_sees_its_work(self, engine: Engine, writing: Connection) -> None:
        writing.execute(loans.insert(), {"id": 1})
        with engine.connect() as reading:
            assert reading.execution_options(**READ_ONLY).execute(loans.select()).all() == []

    def test_a_read_only_connection_refuses_to_write(self, engine: Engine, writing: Connection) -> None:
        with engine.connect() as reading:
            reading.execution_options(**READ_ONLY)
            with pytest.raises(DBAPIError, match=r"readonly|read-only"):
                reading.execute(loans.insert(), {"id": 1})
        assert writing.execute(loans.select()).all() == []

    def test_a_connection_that_was_read_only_can_write_again(self, engine: Engine, writing: Connection) -> None:
        writing.close()
        with engine.connect() as reading:
            reading.execution_options(**READ_ONLY).execute(loans.select())
        with engine.begin() as connection:
            connection.execute(loans.insert(), {"id": 1})
        with engine.connect() as connection:
            assert len(connection.execute(loans.select()).all()) == 1


class TestDurability:
    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize(
        ("pragma", "value"),
        [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("temp_store", 2), ("busy_timeout", 1000)],
    )
    def test_sqlite_is_set_to_survive_a_power_cut(self, engine: Engine, pragma: str, value: object) -> None:
        with engine.connect() as connection:
            assert connection.scalar(text(f"PRAGMA {pragma}")) == value

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    @pytest.mark.parametrize(
        ("setting", "value"),
        [("fsync", "on"), ("synchronous_commit", "on"), ("transaction_isolation", "read committed")],
    )
    def test_postgresql_is_set_to_survive_a_power_cut(self, engine: Engine, setting: str, value: str) -> None:
        with engine.connect() as connection:
            assert connection.scalar(text(f"SHOW {setting}")) == value


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestWaiting:
    @pytest.mark.parametrize(
        ("query", "limits"),
        [
            ("", ["1200ms", "2s", "1"]),
            ("?options=-c%20statement_timeout%3D7s", ["1200ms", "7s", "1"]),
            ("?options=-c%20lock_timeout%3D3s%20-c%20extra_float_digits%3D2", ["3s", "2s", "2"]),
        ],
    )
    def test_postgresql_waits_no_longer_than_is_set_and_the_url_wins(
        self, database_url: str, query: str, limits: list[str]
    ) -> None:
        engine = open_engine(database_url + query)
        with engine.connect() as connection:
            names = ("lock_timeout", "statement_timeout", "extra_float_digits")
            shown = [connection.scalar(text(f"SHOW {name}")) for name in names]
        engine.dispose()
        assert shown == limits

    def test_a_lock_that_another_session_holds_is_not_waited_for_without_end(self, engine: Engine) -> None:
        metadata.create_all(engine)
        with engine.begin() as other, engine.connect() as connection:
            other.execute(text("LOCK TABLE loans"))
            with pytest.raises(OperationalError, match="lock timeout"):
                connection.execute(loans.insert(), {"id": 1})

    def test_a_statement_is_not_waited_for_without_end(self, engine: Engine) -> None:
        with engine.connect() as connection, pytest.raises(OperationalError, match="statement timeout"):
            connection.execute(text("SELECT pg_sleep(30)"))

    def test_a_node_does_not_wait_for_its_tables_without_end(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schema, "TURN_SECONDS", 1)
        with engine.begin() as other:
            take_turns(other)
            with pytest.raises(DatabaseError, match=r"cannot be set up: .*lock timeout; end what holds") as refusal:
                create_tables(engine)
        assert inspect(engine).get_table_names() == []
        assert "\n" not in str(refusal.value)


class TestRefusals:
    @pytest.mark.parametrize(
        "url",
        ["mysql://lender:secret@localhost/lender", "sqlite+aiosqlite:///lender.db", "postgresql+asyncpg://localhost/x"],
    )
    def test_another_database_is_refused(self, url: str) -> None:
        with pytest.raises(DatabaseError, match="not supported; use sqlite:///") as refusal:
            open_engine(url)
        assert "secret" not in str(refusal.value)

    @pytest.mark.parametrize("url", ["", "lender:secret", "postgresql://lender:secret@localhost:port/lender"])
    def test_a_url_that_cannot_be_read_is_refused(self, url: str) -> None:
        with pytest.raises(DatabaseError, match="cannot be read; write sqlite:///") as refusal:
            open_engine(url)
        assert "secret" not in str(refusal.value)

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
    def test_a_database_in_memory_is_refused(self, url: str) -> None:
        with pytest.raises(DatabaseError, match="must be a file"):
            open_engine(url)

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseError, match=r"missing/node\.sqlite cannot be opened: its folder must exist"):
            open_engine(f"sqlite:///{tmp_path}/missing/node.sqlite")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
    def test_a_folder_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
        with pytest.raises(DatabaseError, match="its folder must exist and be writable"):
            open_engine(f"sqlite:///{tmp_path}/node.sqlite")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any file")
    def test_a_file_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        open_engine(f"sqlite:///{tmp_path}/node.sqlite")
        (tmp_path / "node.sqlite").chmod(stat.S_IRUSR)
        with pytest.raises(DatabaseError, match="it is read-only; give this user write access"):
            open_engine(f"sqlite:///{tmp_path}/node.sqlite")

    def test_a_file_that_is_no_database_is_left_as_it_is(self, tmp_path: Path) -> None:
        letter = tmp_path / "letter.txt"
        letter.write_text("Dear Sir or Madam, " * 100)
        with pytest.raises(DatabaseError, match="the file is no SQLite database"):
            open_engine(f"sqlite:///{letter}")
        assert letter.read_text() == "Dear Sir or Madam, " * 100

    def test_a_database_that_another_process_holds_is_refused(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/node.sqlite?timeout=0.01"
        with open_engine(url).begin(), pytest.raises(DatabaseError, match="another process holds its write lock"):
            open_engine(url)

    def test_a_server_that_cannot_be_reached_is_named_without_its_password(self) -> None:
        with pytest.raises(DatabaseError, match=r"lender:\*\*\*@127.0.0.1:1/lender .* refused; correct") as refusal:
            open_engine("postgresql+psycopg://lender:secret@127.0.0.1:1/lender?application_name=secret")
        assert "secret" not in str(refusal.value)
        assert "\n" not in str(refusal.value)

    def test_a_database_that_the_server_does_not_have_is_named(self, postgres_url: str) -> None:
        with pytest.raises(DatabaseError, match='database "nowhere" does not exist; correct'):
            open_engine(postgres_url.removesuffix("/postgres") + "/nowhere")

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_a_parameter_that_the_driver_refuses_is_named(self, database_url: str) -> None:
        with pytest.raises(DatabaseError, match="could not convert string to float: 'soon'; correct"):
            open_engine(f"{database_url}?timeout=soon")
