"""A node's database, read past the node: what is committed, whether the node runs or not."""

from typing import Any

from sqlalchemy import Column, RowMapping, Table, select

from shared.node.tables import INBOX, NONCES, NOTICES, OUTBOX, RECORDS, REFUSALS
from shared.storage.database import READ_ONLY, open_engine

_KEYS: dict[Table, tuple[Column[Any], ...]] = {
    NONCES: (NONCES.c.key,),
    INBOX: (INBOX.c.id,),
    OUTBOX: (OUTBOX.c.id,),
    RECORDS: (RECORDS.c.id, RECORDS.c.state),
    NOTICES: (NOTICES.c.id,),
}
"""What the protocol acts on. The tries of a delivery and the refusals are notes for people."""

Entries = frozenset[tuple[str, ...]]


class Books:
    """The tables of one node."""

    def __init__(self, database_url: str) -> None:
        self._engine = open_engine(database_url)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def rows(self, table: Table, *columns: Column[Any]) -> list[RowMapping]:
        """All rows of a table, the oldest first; of some columns if any are named."""
        with self._engine.connect().execution_options(**READ_ONLY) as connection:
            return list(connection.execute(select(*columns or (table,)).order_by(*table.primary_key)).mappings())

    def entries(self) -> Entries:
        """What the node remembers and will act on, each entry by its key and what of it may change.

        Nothing has happened if all entries were there before: a running node forgets what is out of date.
        """
        return self._entries(_KEYS)

    def entries_and_refusals(self) -> Entries:
        """The entries, and what the node has refused: whatever reached its signing middleware has left a trace here."""
        return self._entries({**_KEYS, REFUSALS: (REFUSALS.c.id,)})

    def _entries(self, keys: dict[Table, tuple[Column[Any], ...]]) -> Entries:
        with self._engine.connect().execution_options(**READ_ONLY) as connection:
            found = {table: connection.execute(select(*columns)).all() for table, columns in keys.items()}
        return frozenset((table.name, *row) for table, rows in found.items() for row in rows)
