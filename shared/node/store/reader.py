"""Reading: each query in a thread of its own, which neither waits for the writer nor holds anybody up."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from shared.node.store.database import PATIENCE, READ_ONLY, StorageUnavailable, is_outage, reason

R = TypeVar("R")


async def read(engine: Engine, query: Callable[[Connection], R], patience: float = PATIENCE) -> R:
    """Run a query on a read-only connection of its own, and wait `patience` seconds for it at most.

    The query returns plain data, for the connection is closed after it. Raises StorageUnavailable.
    """
    answer: Future[R] = Future()
    answer.set_running_or_notify_cancel()

    def run() -> None:
        try:
            answer.set_result(_ask(engine, query))
        except Exception as error:
            answer.set_exception(error)

    # A daemon, and none of the loop's own threads: a process that ends would have to wait for those.
    threading.Thread(target=run, name="read", daemon=True).start()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(answer), patience)
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
