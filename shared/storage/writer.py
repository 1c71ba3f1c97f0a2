"""The one writer of a process: it gathers the units of work that wait, commits them together, answers them all.

A commit that survives a power cut costs an fsync, and a transaction has fixed costs of its own; so one
transaction carries all that waits. Nothing is answered before it is committed, and nobody waits without end.

    run() -> end of the loop's pass -> queue -> thread: BEGIN, apply per kind, COMMIT -> loop: all futures
"""

import asyncio
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import takewhile
from queue import SimpleQueue
from typing import Any

from sqlalchemy import Engine

from shared.storage.database import PATIENCE, StorageUnavailable
from shared.storage.transactions import Job, Kind, R, Transactions, U, Work

__all__ = ["GroupCommit", "Kind", "StorageUnavailable", "Work"]


class GroupCommit:
    """Runs units of work in shared transactions. Its methods belong to the event loop that called start."""

    def __init__(
        self,
        engine: Engine,
        *,
        max_batch: int = 256,
        linger: float = 0.002,
        patience: float = PATIENCE,
    ) -> None:
        """Prepare a writer.

        linger: seconds to wait for company before a batch; only while the last batch had more than one unit.
        patience: seconds that a caller waits for its unit at most.
        """
        self._engine = engine
        self._max_batch = max_batch
        self._linger = linger
        self._patience = patience
        self._closed = True
        self._arrived: list[Job] = []
        self._unanswered: dict[Job, None] = {}  # in the order of their deadlines
        self._alarm: asyncio.TimerHandle | None = None
        self._queue: SimpleQueue[list[Job]] = SimpleQueue()
        self._crashed: asyncio.Future[BaseException]

    async def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._crashed = self._loop.create_future()
        self._closed = False
        # A daemon: a process that ends without stop() must not hang, and has promised nothing uncommitted.
        self._thread = threading.Thread(target=self._serve, name="group-commit", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Refuse new units, commit and answer those that wait, and end the thread.

        A thread that a database holds up is left behind; it ends by itself when it is let go.
        """
        if not self._closed:
            self._closed = True
            self._hand_over()
            await asyncio.to_thread(self._thread.join, self._patience)
            self._give_up(list(self._unanswered), "the writer was stopped before the database answered")

    async def crash(self) -> BaseException:
        """Return what has ended the thread, once anything but stop() has; nothing can be written from then on."""
        return await asyncio.shield(self._crashed)

    async def run(self, kind: Kind[U, R], unit: U) -> R:
        """Run a unit; return its result when it is committed, or raise its exception.

        Cancelling the caller does not cancel the unit. Raises StorageUnavailable where the database does not
        answer in time or the writer is not running; whether the unit is or will be stored is then not known.
        """
        if self._closed:
            raise StorageUnavailable("the writer is not running")
        if not self._arrived:
            # Not at once: what other callers bring in this pass of the loop belongs in the same batch.
            self._loop.call_soon(self._hand_over)
        job = Job(kind, unit, self._loop.create_future(), self._loop.time() + self._patience)
        self._arrived.append(job)
        self._unanswered[job] = None
        if self._alarm is None:  # one for all: a timer for each would cost more than most of them are worth
            self._alarm = self._loop.call_at(job.deadline, self._give_up_late)
        result: R = await job.future
        return result

    def _hand_over(self) -> None:
        self._queue.put(self._arrived)
        self._arrived = []

    def _serve(self) -> None:
        """The thread's loop, up to its end or its crash."""
        transactions = Transactions(self._engine)
        try:
            self._serve_batches(transactions)
        except BaseException as error:
            # Whatever it is, nobody may be left waiting; except where the loop itself is closed.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._crash, error)
        finally:
            transactions.close()

    def _serve_batches(self, transactions: Transactions) -> None:
        waiting: list[Job] = []
        crowded = False
        while waiting or not (self._closed and self._queue.empty()):
            waiting = self._gather(waiting, self._linger if crowded else 0)
            batch, waiting = _choose((job for job in waiting if not job.is_given_up), self._max_batch)
            crowded = len(batch) > 1
            if batch:  # stop() may wake the thread with nothing
                transactions.execute(batch)
                # One call for all: each wakes the loop through a socket.
                self._loop.call_soon_threadsafe(self._answer, batch)

    def _gather(self, waiting: list[Job], linger: float) -> list[Job]:
        """Wait until there is something to do; give what was left over, then what has arrived."""
        if not waiting:
            waiting = self._queue.get()
        if linger:
            time.sleep(linger)
        while not self._queue.empty():
            waiting += self._queue.get_nowait()
        return waiting

    def _answer(self, batch: list[Job]) -> None:
        for job in batch:
            self._answer_one(job, job.outcome)

    def _crash(self, error: BaseException) -> None:
        self._closed = True
        self._crashed.set_result(error)
        self._give_up(list(self._unanswered), f"the writer has crashed: {error!r}")

    def _give_up_late(self) -> None:
        now = self._loop.time()
        late = list(takewhile(lambda job: job.deadline <= now, self._unanswered))
        self._give_up(late, "the database does not answer in time")
        first = next(iter(self._unanswered), None)
        self._alarm = self._loop.call_at(first.deadline, self._give_up_late) if first else None

    def _give_up(self, jobs: Iterable[Job], why: str) -> None:
        for job in jobs:
            job.is_given_up = True
            self._answer_one(job, StorageUnavailable(why))

    def _answer_one(self, job: Job, outcome: Any) -> None:
        self._unanswered.pop(job, None)
        if job.future.done():  # its caller was cancelled, or told already
            return
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)


def _choose(waiting: Iterable[Job], limit: int) -> tuple[list[Job], list[Job]]:
    """Take the next batch, at most limit jobs that share no key; give it and the rest, in order of arrival."""
    batch: list[Job] = []
    rest: list[Job] = []
    taken: set[str] = set()
    jobs = iter(waiting)
    for job in jobs:
        keys = job.unit.keys
        (batch if taken.isdisjoint(keys) else rest).append(job)
        taken |= keys  # a deferred job holds back those after it, too
        if len(batch) == limit:
            break
    return batch, [*rest, *jobs]
