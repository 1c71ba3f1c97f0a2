"""The two databases that a node can use: SQLite (embedded) and PostgreSQL (shared by processes and machines).

Both are driven through synchronous SQLAlchemy Core and set so that a committed transaction survives a
power cut. A transaction may write, unless its connection has the execution options of READ_ONLY.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Connection, Dialect, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

READ_ONLY: Final = {"postgresql_readonly": True, "sqlite_readonly": True}
"""Execution options for a connection that only reads: it takes no write lock and a write in it is refused."""

_FORMS: Final = "sqlite:///path/to/file or postgresql+psycopg://user@host/name"

_DRIVERS: Final = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}

_SQLITE_DEFAULTS: Final = {"timeout": "1"}  # SQLite's busy_timeout, in seconds

_SQLITE_PRAGMAS: Final = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",  # negative: KiB
    "PRAGMA mmap_size = 268435456",  # bytes
)

_SQLITE_HINTS: Final = {
    "SQLITE_CANTOPEN": "its folder must exist and be writable; make the folder or name another file",
    "SQLITE_READONLY": "it is read-only; give this user write access to the file and its folder",
    "SQLITE_NOTADB": "the file is no SQLite database; move it away or name another",
    "SQLITE_CORRUPT": "the file is damaged; restore it from a backup",
    "SQLITE_BUSY": "another process holds its write lock; end that process first",
}

_NOT_OPENED: Final = "correct the database URL or start the server that it names"

# Seconds to connect, and until a silent server is asked for a sign of life; milliseconds until it counts as lost. A
# server that takes no changes is no place for us: a standby, to which the address leads before or after a switchover.
_POSTGRESQL_DEFAULTS: Final = {
    "target_session_attrs": "read-write",
    "connect_timeout": "2",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "tcp_user_timeout": "10000",
}

# Milliseconds. A lock is waited for longer than PostgreSQL takes to find a deadlock (1 s), which another try solves.
_POSTGRESQL_OPTIONS: Final = "-c lock_timeout=1200 -c statement_timeout=2000"

# Seconds that a connection is waited for while all are in use, and that one is used: an address which has moved without
# cutting connections (DNS) must not leave readers with a server that nobody writes to any more.
_POOL_SECONDS: Final = 2.0
_POOL_RECYCLE_SECONDS: Final = 60

PATIENCE: Final = 3.0
"""Seconds that anybody waits for the database: a counterparty waits 4 s for its ack, and a 503 is better than none."""

# How the names of outages begin: PostgreSQL's classes of SQLSTATE for a lack of resources, a lock that is not let go, a
# statement cut short and a system error; and what is alike in SQLite.
_OUTAGES: Final = ("53", "55", "57", "58", "SQLITE_FULL", "SQLITE_BUSY", "SQLITE_IOERR")

# How those begin that say that this connection cannot write now: 25006 (read_only_sql_transaction) and its class; a
# SQLite file that has become read-only.
_READ_ONLY_OUTAGES: Final = ("25", "SQLITE_READONLY")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class DatabaseError(Exception):
    """The database named in the settings cannot be used; the message is one sentence with what to do."""


class StorageUnavailable(Exception):  # noqa: N818 - named as HTTP's Service Unavailable, which it becomes
    """The database cannot answer now; the same request may come again later."""


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as whole microseconds since 1970 in a BIGINT and read back in UTC.

    A naive datetime is refused with ValueError, which SQLAlchemy wraps in StatementError.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Turn a datetime of any time zone into microseconds since 1970."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone: give an aware datetime")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Turn microseconds since 1970 into a datetime in UTC."""
        return None if value is None else _EPOCH + value * _MICROSECOND


def open_engine(url: str, check: Callable[[Connection], object] | None = None) -> Engine:
    """Open the database at a URL and prove that it answers (SQLite: that it can be written).

    Parameters in the query of the URL win over the defaults above. Raises DatabaseError, and what `check` raises: that
    is given what is stored in a SQLite file before anything there is touched.
    """
    place = _parse(url)
    if check is not None and place.get_backend_name() == "sqlite":
        _check_untouched(place, check)
    try:
        engine = _open_sqlite(place) if place.get_backend_name() == "sqlite" else _open_postgresql(place)
        _prove(engine)
    except (DBAPIError, TypeError, ValueError) as error:  # the last two: a parameter that the driver refuses
        raise DatabaseError(f"The database {shown(place)} cannot be opened: {_hint(error, _NOT_OPENED)}.") from error
    return engine


@contextmanager
def setting_up(engine: Engine) -> Iterator[Connection]:
    """Run a transaction of a node that is about to start. Raises DatabaseError where the database cannot do it now."""
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise DatabaseError(
            f"The database {shown(engine.url)} cannot be set up: "
            f"{_hint(error, 'end what holds or fills it, or grant what is denied, then start again')}."
        ) from error


def shown(place: URL) -> str:
    """Show a URL without its secrets (a password may also stand in the query)."""
    return place.set(query={}).render_as_string(hide_password=True)


def is_outage(error: DBAPIError) -> bool:
    """Tell whether anything would fail like this now; a lost connection is no such trouble, for there is another.

    One that was thrown away because it could not write is: whoever tries again gets a connection to wherever the
    address leads by then.
    """
    return _error_name(error.orig).startswith(_READ_ONLY_OUTAGES if error.connection_invalidated else _OUTAGES)


def reason(error: Exception) -> str:
    """Give what the database itself said, in one line: without SQL, parameters and links."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return str(said).partition("\n")[0].rstrip(".")


def _error_name(error: BaseException | None) -> str:
    return getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or ""


def _parse(url: str) -> URL:
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):  # the latter: a port that is no number
        # The text itself is not shown: it may hold a password.
        raise DatabaseError(f"The database URL cannot be read; write {_FORMS}.") from None
    if place.drivername not in _DRIVERS:
        raise DatabaseError(f"Databases of the kind {place.drivername} are not supported; use {_FORMS}.")
    return place.set(drivername=_DRIVERS[place.drivername])


def _check_untouched(place: URL, check: Callable[[Connection], object]) -> None:
    """Let `check` read a SQLite file; this leaves no trace, not even the files that every other reader makes.

    What cannot be read in this way is left to those who open it after us, and say what is wrong with it.
    """
    file = Path(place.database or "").absolute()
    if not file.is_file():
        return
    # A file beside it has the latest changes, or belongs to a process that makes some; without one, nobody is at it.
    is_alone = not any(Path(f"{file}{suffix}").exists() for suffix in ("-wal", "-journal"))
    uri = f"{file.as_uri()}?mode=ro{'&immutable=1' if is_alone else ''}"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=NullPool)
    engine.url = place
    with suppress(DBAPIError), engine.connect() as connection:
        check(connection)


def _open_sqlite(place: URL) -> Engine:
    """Make an engine that sends BEGIN itself, for sqlite3 would begin late and never before DDL.

    The recipe is SQLAlchemy's "Using SQLAlchemy to emit BEGIN in lieu of SQLite's transaction control". Parameters are
    hidden: an error goes into the log, and what it was about (an OTP, a signed message) does not belong there.
    """
    engine = create_engine(place.set(query={**_SQLITE_DEFAULTS, **place.query}), hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "handle_error", _leave_read_only_database)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # sqlite3 must not begin anything on its own
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    if cursor.fetchone() != ("wal",):
        raise DatabaseError("A SQLite database must be a file on a local disk; name one in the database URL.")
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("sqlite_readonly", False)
    if connection.info.get("query_only", False) != read_only:
        connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
        connection.info["query_only"] = read_only
    # IMMEDIATE: a transaction that turns from reading to writing half-way could not wait for the lock.
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _open_postgresql(place: URL) -> Engine:
    # The server takes the last value of an option: those of the URL stand behind ours.
    options = " ".join([_POSTGRESQL_OPTIONS, *place.normalized_query.get("options", ())])
    engine = create_engine(
        place.set(query={**_POSTGRESQL_DEFAULTS, **place.query, "options": options}),
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_recycle=_POOL_RECYCLE_SECONDS,
        pool_timeout=_POOL_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine, "handle_error", _leave_read_only_database)
    return engine


def _leave_read_only_database(context: ExceptionContext) -> None:
    """Drop all connections of the pool if the database refuses to write.

    A server has become read-only under us (by a setting, or behind a proxy that keeps our connection). It answers
    every ping, so nobody would notice that the address leads elsewhere by now. Of a SQLite file that was opened while
    it was read-only, the same connection never takes a change.
    """
    options = {} if context.connection is None else context.connection.get_execution_options()
    may_write = not READ_ONLY.items() <= options.items()
    if may_write and _error_name(context.original_exception).startswith(_READ_ONLY_OUTAGES):
        context.is_disconnect = True


def _prove(engine: Engine) -> None:
    try:
        with engine.begin():
            pass
    finally:
        engine.dispose()


def _hint(error: Exception, otherwise: str) -> str:
    name = _error_name(getattr(error, "orig", None))
    for prefix, hint in _SQLITE_HINTS.items():
        if name.startswith(prefix):
            return hint
    if "read-only" in reason(error):
        return f"{reason(error)}; it takes no changes, as a standby: name the primary in the database URL"
    return f"{reason(error)}; {otherwise}"
