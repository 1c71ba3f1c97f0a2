"""The one writer of a process: it gathers the units of work that wait, commits them together, answers them all.

A commit that survives a power cut costs an fsync, and a transaction has fixed costs of its own; so one
transaction carries all that waits. Nothing is answered before it is committed.

    run() -> end of the loop's pass -> queue -> thread: BEGIN, apply per kind, COMMIT -> loop: all futures
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.node.store.database import READ_ONLY, StorageUnavailable, reason
from shared.node.store.transactions import Job, Kind, Transactions, Work

__all__ = ["GroupCommit", "Kind", "StorageUnavailable", "Work", "read"]

U = TypeVar("U", bound=Work)
R = TypeVar("R")


class GroupCommit:
    """Runs units of work in shared transactions. Its methods belong to the event loop that called start."""

    def __init__(
        self,
        engine: Engine,
        *,
        max_batch: int = 256,
        linger: float = 0.002,
        on_batch: Callable[[int, float], None] | None = None,
    ) -> None:
        """Prepare a writer.

        linger: seconds to wait for company before a batch; only while the last batch had more than one unit.
        on_batch: told of every batch, on the event loop: its number of units and the seconds it took.
        """
        self._engine = engine
        self._max_batch = max_batch
        self._linger = linger
        self._on_batch = on_batch
        self._closed = True
        self._arrived: list[Job] = []
        self._unanswered: set[Job] = set()
        self._queue: SimpleQueue[list[Job]] = SimpleQueue()

    async def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._closed = False
        # A daemon: a process that ends without stop() must not hang, and has promised nothing uncommitted.
        self._thread = threading.Thread(target=self._serve, name="group-commit", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Refuse new units, commit and answer those that wait, and end the thread."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            await asyncio.to_thread(self._thread.join)

    async def run(self, kind: Kind[U, R], unit: U) -> R:
        """Run a unit; return its result when it is committed, or raise its exception.

        Cancelling the caller does not cancel the unit. Raises StorageUnavailable where the database does not
        answer or the writer is not running; whether the unit is stored is then not known.
        """
        if self._closed:
            raise StorageUnavailable("the writer is not running")
        if not self._arrived:
            # Not at once: what other callers bring in this pass of the loop belongs in the same batch.
            self._loop.call_soon(self._hand_over)
        job = Job(kind, unit, self._loop.create_future())
        self._arrived.append(job)
        self._unanswered.add(job)
        result: R = await job.future
        return result

    def _hand_over(self) -> None:
        self._queue.put(self._arrived)
        self._arrived = []

    def _serve(self) -> None:
        """Be the thread, up to its end or its crash."""
        transactions = Transactions(self._engine)
        try:
            self._serve_batches(transactions)
        except BaseException as error:
            # Whatever it is, nobody may be left waiting; except where the loop itself is closed.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._give_up, error)
        finally:
            transactions.close()

    def _serve_batches(self, transactions: Transactions) -> None:
        waiting: list[Job] = []
        crowded = False
        while waiting or not (self._closed and self._queue.empty()):
            waiting = self._gather(waiting, self._linger if crowded else 0)
            batch, waiting = _choose(waiting, self._max_batch)
            crowded = len(batch) > 1
            if batch:  # stop() may wake the thread with nothing
                began = time.perf_counter()
                transactions.execute(batch)
                # One call for all: each wakes the loop through a socket.
                self._loop.call_soon_threadsafe(self._answer, batch, time.perf_counter() - began)

    def _gather(self, waiting: list[Job], linger: float) -> list[Job]:
        """Wait until there is something to do; give what was left over, then what has arrived."""
        if not waiting:
            waiting = self._queue.get()
        if linger:
            time.sleep(linger)
        while not self._queue.empty():
            waiting += self._queue.get_nowait()
        return waiting

    def _answer(self, batch: list[Job], seconds: float) -> None:
        self._settle(batch)
        if self._on_batch:
            self._on_batch(len(batch), seconds)

    def _give_up(self, error: BaseException) -> None:
        self._closed = True
        jobs = list(self._unanswered)
        for job in jobs:
            job.fail(f"the writer has crashed: {error!r}")
        self._settle(jobs)

    def _settle(self, jobs: list[Job]) -> None:
        self._unanswered.difference_update(jobs)
        for job in jobs:
            if job.future.done():  # its caller was cancelled
                continue
            if isinstance(job.outcome, Exception):
                job.future.set_exception(job.outcome)
            else:
                job.future.set_result(job.outcome)


def _choose(waiting: Iterable[Job], limit: int) -> tuple[list[Job], list[Job]]:
    """Take the next batch, at most limit jobs that share no key; give it and the rest, in order of arrival."""
    batch: list[Job] = []
    rest: list[Job] = []
    taken: set[str] = set()
    jobs = iter(waiting)
    for job in jobs:
        (batch if taken.isdisjoint(job.unit.keys) else rest).append(job)
        taken |= job.unit.keys  # a deferred job holds back those after it, too
        if len(batch) == limit:
            break
    return batch, [*rest, *jobs]


async def read(engine: Engine, query: Callable[[Connection], R]) -> R:
    """Run a query in a thread, on a read-only connection of its own; never waits for the writer.

    The query returns plain data, for the connection is closed after it. Raises StorageUnavailable.
    """

    def run() -> R:
        try:
            connection = engine.connect()
        except SQLAlchemyError as error:
            raise StorageUnavailable(f"the database does not answer: {reason(error)}") from error
        with connection:
            return query(connection.execution_options(**READ_ONLY))

    return await asyncio.to_thread(run)
