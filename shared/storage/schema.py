"""The version of a database's tables: an older database is migrated at start, a newer one is left exactly as it is.

Alembic would do the same with an environment, a folder of scripts and a dependency; here it is one row and a list of
steps. CONTRIBUTING.md says how to add a step.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    inspect,
    select,
    text,
    update,
)

from shared.storage.database import DatabaseError, Instant, setting_up, shown
from shared.storage.upserts import upsert

logger = logging.getLogger(__name__)

VERSIONS: Final = Table(
    "schema_version",
    MetaData(),
    Column("schema", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("written_at", Instant),
)
"""One row for each schema: a node and a registry may share a database. A readiness check writes `written_at`."""

TURN_SECONDS: Final = 60
"""A process waits this long at most for another one that migrates the same PostgreSQL database."""

_TURNS: Final = 0x4F43454E  # "OCEN"

Step = Callable[[Connection], None]


def statements(*statements: str) -> Step:
    """Make a step of SQL statements that SQLite and PostgreSQL both understand."""

    def run(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    return run


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a node or of the registry.

    Attributes:
        tables: as they are in the latest version.
        steps: what turns version 1 into 2, 2 into 3, and so on. A step is never changed once it was released.
    """

    name: str
    tables: MetaData
    steps: tuple[Step, ...]

    @property
    def version(self) -> int:
        """The version that this release works with."""
        return 1 + len(self.steps)

    def bring_up_to_date(self, engine: Engine) -> None:
        """Create or migrate the tables in one transaction; processes that share a database take turns.

        Raises:
            DatabaseError: the database cannot do it now, or its version is newer than ours.
        """
        with setting_up(engine) as connection:
            _wait_for_turn(connection)
            found = self.refuse_newer(connection)
            if found == 0:
                self.tables.create_all(connection, checkfirst=False)
            else:
                for step in self.steps[found - 1 :]:
                    step(connection)
            VERSIONS.create(connection, checkfirst=True)
            row = {"schema": self.name, "version": self.version}
            connection.execute(upsert(VERSIONS, engine.dialect.name, "version"), row)
        if 0 < found < self.version:
            logger.info("tables of the %s migrated from version %d to %d", self.name, found, self.version)

    def refuse_newer(self, connection: Connection) -> int:
        """Return the version of what is stored, 0 if that is nothing; this only reads.

        Databases had no version before there was a second one, so tables without a version have version 1.

        Raises:
            DatabaseError: it is newer than ours.
        """
        names = set(inspect(connection).get_table_names())
        stored = select(VERSIONS.c.version).where(VERSIONS.c.schema == self.name)
        version = connection.scalar(stored) if VERSIONS.name in names else None
        found = version if version is not None else int(not names.isdisjoint(self.tables.tables))
        if found > self.version:
            raise DatabaseError(
                f"The database {shown(connection.engine.url)} has version {found} of its tables; this release knows "
                f"versions up to {self.version}: start a newer release, or restore the backup made before the upgrade."
            )
        return found

    def touch(self, connection: Connection, now: datetime) -> None:
        """Write the time into our row, to show that something can be written.

        All processes on the database share that row. While another one is writing it, nothing is written here: waiting
        would hold up what is in the same transaction.
        """
        free = select(VERSIONS.c.schema).where(VERSIONS.c.schema == self.name).with_for_update(skip_locked=True)
        connection.execute(update(VERSIONS).where(VERSIONS.c.schema.in_(free)).values(written_at=now))


def take_turns(connection: Connection) -> None:
    """Let processes that share a PostgreSQL database do this one after another, each in its whole transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TURNS})


def _wait_for_turn(connection: Connection) -> None:
    """Take our turn to migrate, which may take long; tables that others use are not waited for longer than usual."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_SECONDS}s'"))
        take_turns(connection)
        connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
