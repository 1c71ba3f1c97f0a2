"""Upserts (insert, or update what is there), in the SQL of each kind of database."""

from functools import cache
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

_INSERT: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@cache
def upsert(table: Table, dialect: str, *replaced: str) -> Any:
    """Return the statement that inserts rows; of one whose primary key is there already, only `replaced` change."""
    statement = _INSERT[dialect](table)
    key = list(table.primary_key)
    if not replaced:
        return statement.on_conflict_do_nothing(index_elements=key)
    changes = {name: statement.excluded[name] for name in replaced}
    return statement.on_conflict_do_update(index_elements=key, set_=changes)
