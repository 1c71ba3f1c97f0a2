"""Deleting many rows without holding the writer for long: a slice in each transaction."""

from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, delete, select

SLICE: Final = 1_000
"""At most so many rows are deleted in one transaction; what else waits for the writer goes between two of them."""


def delete_slice(connection: Connection, table: Table, outdated: ColumnElement[bool], most: int = SLICE) -> int:
    """Delete at most so many of the outdated rows, and return how many; fewer than `most` means that it is done.

    Rows that another process on the same database deletes just now are left to it. The table has one column as its key.
    """
    (key,) = table.primary_key.columns
    doomed = select(key).where(outdated).limit(most).with_for_update(skip_locked=True)
    if connection.dialect.name == "postgresql":  # which may evaluate a sub-select with a limit more than once
        doomed = select(doomed.cte("doomed"))
    return connection.execute(delete(table).where(key.in_(doomed))).rowcount
