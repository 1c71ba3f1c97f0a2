"""Runs queries, each in a thread of its own, which neither waits for the writer nor blocks anything."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from shared.daemon_thread import run_in_daemon_thread
from shared.storage.database import PATIENCE, READ_ONLY, StorageUnavailable, is_outage, reason

R = TypeVar("R")


async def read(engine: Engine, query: Callable[[Connection], R], patience: float = PATIENCE) -> R:
    """Run a query on a read-only connection of its own, and wait `patience` seconds for it at most.

    The query returns plain data, for the connection is closed after it. Raises StorageUnavailable.
    """
    try:
        async with asyncio.timeout(patience):
            return await asyncio.wrap_future(run_in_daemon_thread(partial(_ask, engine, query), "read"))
    except TimeoutError:
        raise StorageUnavailable("the database does not answer in time") from None


def _ask(engine: Engine, query: Callable[[Connection], R]) -> R:
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise StorageUnavailable(f"the database does not answer: {reason(error)}") from error
    with connection:
        try:
            return query(connection.execution_options(**READ_ONLY))
        except DBAPIError as error:
            if is_outage(error):
                raise StorageUnavailable(f"the database cannot do it now: {reason(error)}") from error
            raise
