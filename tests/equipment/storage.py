"""What is stored, and storage that fails."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, select

from shared.node.journal import Journal
from shared.node.rules import NO_RULES, BoundRules
from shared.node.tables import METADATA, REGISTRY_KEYS, create_tables
from shared.storage.database import PATIENCE, open_engine
from shared.storage.writer import GroupCommit

LEASE = timedelta(seconds=15)

Rows = Sequence[dict[str, Any]]


def rows(engine: Engine, table: Table) -> Rows:
    """All rows of a table, in the order of its primary key."""
    with engine.connect() as connection:
        found = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings().all()
    return [dict(row) for row in found]


def contents(engine: Engine, without: Sequence[Table] = ()) -> dict[str, Rows]:
    """All rows of all tables but these, and but what was learnt of the registry, which no message changes."""
    left_out = (*without, REGISTRY_KEYS)
    return {table.name: rows(engine, table) for table in METADATA.sorted_tables if table not in left_out}


@asynccontextmanager
async def writing(engine: Engine, patience: float = PATIENCE) -> AsyncIterator[GroupCommit]:
    """A writer on a database with all tables, for which nobody waits longer than `patience` seconds."""
    create_tables(engine)
    writer = GroupCommit(engine, linger=0, patience=patience)
    await writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


@asynccontextmanager
async def journal_on(engine: Engine, rules: BoundRules = NO_RULES) -> AsyncIterator[Journal]:
    """The journal of a process of its own."""
    async with writing(engine) as writer:
        yield Journal(engine, writer, LEASE, rules)


@contextmanager
def sqlite_engine(folder: Path, name: str = "node") -> Iterator[Engine]:
    """An engine on a new SQLite file."""
    engine = open_engine(f"sqlite:///{folder / name}.sqlite")
    yield engine
    engine.dispose()
