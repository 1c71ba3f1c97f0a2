"""The version of a database's tables: what an older release made is migrated, what a newer one made is not touched."""

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, inspect, select, text

from registry_app.store.roles import load_roles
from registry_app.store.tables import SCHEMA as REGISTRY
from shared.node.onboarding.record import thumbprint_of
from shared.node.tables import SCHEMA as NODE
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from shared.storage import schema
from shared.storage.database import DatabaseError, open_engine
from shared.storage.schema import VERSIONS, Schema, statements
from tests.equipment.first_schema import lay_out, rows_kept
from tests.equipment.records import public_pem, tls_identity
from tests.postgres import create_database

pytestmark = pytest.mark.on_both_databases

BOTH = pytest.mark.parametrize("own", [NODE, REGISTRY], ids=lambda own: own.name)


def stored_version(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {row.schema: row.version for row in connection.execute(select(VERSIONS))}


def described(engine: Engine) -> dict[str, Any]:
    """All tables with their columns, keys and indexes, but for defaults, which nothing relies on."""
    looking = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"]) for column in looking.get_columns(table)
            },
            "primary key": looking.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(sorted(rule["column_names"]) for rule in looking.get_unique_constraints(table)),
            "foreign keys": sorted(map(repr, looking.get_foreign_keys(table))),
            "indexes": sorted(
                (part["name"] or "", part["column_names"], bool(part["unique"])) for part in looking.get_indexes(table)
            ),
        }
        for table in looking.get_table_names()
    }


def newer(own: Schema) -> Schema:
    """The schema of a release to come."""
    return Schema(own.name, own.tables, (*own.steps, statements("CREATE TABLE tomorrow (id INTEGER PRIMARY KEY)")))


@pytest.fixture
def fresh(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Another empty database of the same kind."""
    if database_url.startswith("sqlite"):
        return open_engine(f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    return open_engine(create_database(request.getfixturevalue("postgres_url")))


@BOTH
def test_what_the_first_version_made_becomes_what_this_release_makes(
    own: Schema, engine: Engine, fresh: Engine
) -> None:
    lay_out(engine, own.name)
    own.bring_up_to_date(engine)
    own.bring_up_to_date(fresh)
    assert described(engine) == described(fresh)
    assert stored_version(engine) == stored_version(fresh) == {own.name: own.version}
    fresh.dispose()


def test_a_migration_keeps_every_row(engine: Engine) -> None:
    lay_out(engine, "node")
    NODE.bring_up_to_date(engine)
    assert rows_kept(engine)


def test_what_a_registry_knew_of_participants_moves_into_its_register(engine: Engine) -> None:
    lay_out(engine, "registry")
    pems = {owner: tls_identity(owner).pem for owner in ("first", "again")}
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO organisations VALUES (1, 'Bank', '', '', 'a@bank.example', '1', 1, 1)"))
        for number, hashed, gone in ((1, None, 5), (2, "x", None)):
            row = {"id": number, "client": f"c-{number}", "hashed": hashed, "gone": gone}
            connection.execute(
                text(
                    "INSERT INTO participant_roles VALUES (:id, 1, 'LENDER', 'APPROVED', 'https://bank.example', "
                    ":client, :hashed, 2, 4, 3, 'SRO', 'moved', :gone)"
                ),
                row,
            )
        keys = [(1, 0, "k-1"), (1, 1, "k-2"), (2, 0, "k-3"), (2, 1, "k-1")]
        for role, place, kid in keys:
            row = {"role": role, "place": place, "kid": kid, "thumbprint": f"of {kid}", "pem": public_pem(kid)}
            connection.execute(text("INSERT INTO role_keys VALUES (:role, :place, :kid, :thumbprint, :pem)"), row)
        for role, pem in enumerate(pems.values(), start=1):
            row = {"role": role, "thumbprint": thumbprint_of(pem), "pem": pem}
            connection.execute(text("INSERT INTO role_certificates VALUES (:role, :thumbprint, :pem)"), row)
    REGISTRY.bring_up_to_date(engine)
    with engine.connect() as connection:
        gone, here = load_roles(connection)
    assert (gone.history.offboarded_because, gone.history.current_certificates, gone.is_served) == ("moved", [], False)
    assert [(key.kid, key.status) for key in gone.history.keys] == [("k-2", KeyStatus.RETIRED)]
    assert (here.id, here.history.role, here.history.base_url) == (2, Role.LENDER, "https://bank.example")
    assert (here.is_served, here.organisation.name, here.status_because) == (True, "Bank", "moved")
    assert [(key.kid, key.pem) for key in here.history.counting_keys] == [
        ("k-3", public_pem("k-3")),
        ("k-1", public_pem("k-1")),
    ]
    assert [certificate.pem for certificate in here.history.current_certificates] == [pems["again"]]


def test_peers_that_were_set_to_rfc_are_set_to_strict_and_that_is_logged(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    lay_out(engine, "node")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO peers VALUES ('7', 'rfc', 1), ('8', 'authstarter', 1)"))
    NODE.bring_up_to_date(engine)
    with engine.connect() as connection:
        assert set(connection.execute(text("SELECT * FROM peers"))) == {("7", "strict", 1), ("8", "authstarter", 1)}
    assert "1 peers were set to the dialect rfc, which is no more" in caplog.text


def test_a_database_that_is_up_to_date_stays_as_it_is(engine: Engine) -> None:
    NODE.bring_up_to_date(engine)
    before = described(engine)
    NODE.bring_up_to_date(engine)
    assert described(engine) == before


def test_a_node_and_a_registry_may_share_a_database(engine: Engine) -> None:
    for own in (NODE, REGISTRY):
        lay_out(engine, own.name)
    for own in (NODE, REGISTRY):
        own.bring_up_to_date(engine)
    assert stored_version(engine) == {"node": NODE.version, "registry": REGISTRY.version}


def test_a_migration_that_fails_changes_nothing(engine: Engine) -> None:
    def fail(connection: Connection) -> None:
        raise RuntimeError("half-way")

    lay_out(engine, "node")
    before = described(engine)
    with pytest.raises(RuntimeError, match="half-way"):
        Schema("node", NODE.tables, (*NODE.steps, fail)).bring_up_to_date(engine)
    assert described(engine) == before
    assert rows_kept(engine)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_processes_that_start_at_once_migrate_once(engine: Engine) -> None:
    steps: list[str] = []
    together = threading.Barrier(4)

    def note(connection: Connection) -> None:
        steps.append("taken")

    def start() -> None:
        other = open_engine(engine.url.render_as_string(hide_password=False))
        together.wait(60)
        Schema("node", NODE.tables, (*NODE.steps, note)).bring_up_to_date(other)
        other.dispose()

    lay_out(engine, "node")
    processes = [threading.Thread(target=start) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert steps == ["taken"]
    assert stored_version(engine) == {"node": NODE.version + 1}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_process_waits_for_one_that_migrates_longer_than_for_any_other_lock(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[object] = []
    take_turns = schema.take_turns

    def note_limits(connection: Connection) -> None:
        shown.append(limits(connection))
        take_turns(connection)

    def limits(connection: Connection) -> tuple[object, object]:
        return connection.scalar(text("SHOW lock_timeout")), connection.scalar(text("SHOW statement_timeout"))

    monkeypatch.setattr(schema, "take_turns", note_limits)
    lay_out(engine, "node")
    step = Schema("node", NODE.tables, (*NODE.steps, lambda connection: shown.append(limits(connection))))
    step.bring_up_to_date(engine)
    assert shown == [("1min", "0"), ("1200ms", "0")]


def leave_wal(engine: Engine) -> None:
    """Copy a SQLite database while its latest changes stand in its WAL, as a crash would leave it."""
    database = str(engine.url.database)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_autocheckpoint = 0")
        connection.rollback()
        newer(NODE).bring_up_to_date(engine)
        left = {suffix: Path(database + suffix).read_bytes() for suffix in ("", "-wal")}
    engine.dispose()
    for suffix, content in left.items():
        Path(database + suffix).write_bytes(content)


def close_well(engine: Engine) -> None:
    newer(NODE).bring_up_to_date(engine)
    engine.dispose()


def turn_off_wal(engine: Engine) -> None:
    """Leave a database that is not even in WAL mode any more."""
    close_well(engine)
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA journal_mode = DELETE")
    engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("leave", [close_well, leave_wal, turn_off_wal])
def test_a_newer_file_is_refused_and_not_a_byte_of_it_is_touched(
    engine: Engine, database_url: str, tmp_path: Path, leave: Callable[[Engine], None]
) -> None:
    leave(engine)
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.iterdir()}
    with pytest.raises(DatabaseError, match=f"has version {NODE.version + 1} of its tables; .* up to {NODE.version}"):
        open_engine(database_url, NODE.refuse_newer)
    after = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.iterdir()}
    after.pop("node.sqlite-shm", None)  # an index of the WAL, made anew by whoever reads it
    assert after == before


def test_a_newer_database_is_refused_and_stays_as_it_is(engine: Engine) -> None:
    newer(NODE).bring_up_to_date(engine)
    before = described(engine)
    with pytest.raises(DatabaseError, match="start a newer release, or restore the backup") as refusal:
        NODE.bring_up_to_date(engine)
    assert described(engine) == before
    assert stored_version(engine) == {"node": NODE.version + 1}
    assert "\n" not in str(refusal.value)


def test_a_damaged_file_is_told_in_one_line_and_stays_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'node.sqlite'}"
    engine = open_engine(url)
    NODE.bring_up_to_date(engine)
    with engine.connect() as connection:
        page = connection.scalar(text("SELECT rootpage FROM sqlite_master WHERE name = 'schema_version'"))
        size = connection.scalar(text("PRAGMA page_size"))
    engine.dispose()
    content = bytearray((tmp_path / "node.sqlite").read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    (tmp_path / "node.sqlite").write_bytes(content)
    engine = open_engine(url, NODE.refuse_newer)
    with pytest.raises(DatabaseError, match="cannot be set up: the file is damaged; restore it from a backup") as told:
        NODE.bring_up_to_date(engine)
    engine.dispose()
    assert "\n" not in str(told.value)
    assert (tmp_path / "node.sqlite").read_bytes() == content


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_user_who_may_not_make_tables_is_told_in_one_line(database_url: str) -> None:
    engine = open_engine(f"{database_url}?options=-c%20role%3Dpg_read_all_data")
    with pytest.raises(DatabaseError, match=r"permission denied for schema public; .* what is denied") as told:
        NODE.bring_up_to_date(engine)
    engine.dispose()
    assert "\n" not in str(told.value)


def test_a_file_whose_name_is_no_plain_uri_is_looked_at_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a b%25#.sqlite'}"
    close_well(open_engine(url))
    with pytest.raises(DatabaseError, match="start a newer release"):
        open_engine(url, NODE.refuse_newer)
    assert [file.name for file in tmp_path.iterdir()] == ["a b%#.sqlite"]
