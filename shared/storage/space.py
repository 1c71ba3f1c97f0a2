"""Gives the space of deleted rows back to the disk. On PostgreSQL autovacuum does that.

A SQLite file needs a map of its pages for this (auto_vacuum), and one that exists gets it only by being rewritten.
"""

import logging
from typing import Final

from sqlalchemy import Connection, Engine

logger = logging.getLogger(__name__)

PAGES: Final = 250
"""At most so many pages (of 4 KiB) are given back in one transaction: 10 to 20 ms."""

_RESERVE: Final = 10
"""One page in so many stays free: rows to come use it, and nothing is moved to and fro where as much comes as goes."""

_INCREMENTAL: Final = 2  # what `PRAGMA auto_vacuum` answers


def prepare_to_shrink(engine: Engine) -> None:
    """Rewrite a SQLite file that cannot shrink, once, so that it can; nobody else may be using it.

    Takes about 20 s for each GiB, and twice the file's size of free disk: in SQLITE_TMPDIR, and beside it. If that
    fails, it is logged, and the file works on as it is.
    """
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        if cursor.execute("PRAGMA auto_vacuum").fetchone() == (_INCREMENTAL,):
            return
        for statement in (
            "PRAGMA temp_store = FILE",  # the copy must not be made in memory
            "PRAGMA auto_vacuum = INCREMENTAL",
            "VACUUM",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            cursor.execute(statement)
            cursor.fetchall()
    except engine.dialect.loaded_dbapi.OperationalError as error:
        logger.warning("the database file cannot be made to shrink, and is used as it is: %s", error)
    finally:
        connection.invalidate()  # its pragmas are not those of the others


def shrink(connection: Connection) -> bool:
    """Give back a slice of the free pages of a SQLite file, in the open transaction; tell whether there are more."""
    if connection.dialect.name != "sqlite":
        return False
    facts = ("freelist_count", "page_count", "auto_vacuum")
    free, pages, mode = (int(connection.exec_driver_sql(f"PRAGMA {fact}").scalar_one()) for fact in facts)
    spare = free - pages // _RESERVE
    if mode != _INCREMENTAL or spare <= 0:
        return False
    cursor = connection.connection.cursor()
    for _ in range(min(spare, PAGES)):
        cursor.execute("PRAGMA incremental_vacuum(1)")  # with a larger number sqlite3 would still stop after one page
    cursor.close()
    return spare > PAGES
