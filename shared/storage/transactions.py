"""Units of work and their transactions: many in one, and each in its own if one of them fails."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from shared.storage.database import StorageUnavailable, is_outage, reason

# Seconds between the tries: three to open a transaction, five for a unit that runs alone.
_OPENING_PAUSES: Final = (0.1, 0.4)
_UNIT_PAUSES: Final = (0.0, 0.005, 0.02, 0.05)

BATCH_SECONDS: Final = 2.0
"""No try begins later than this after the first of its batch: who waits must hear in time that it failed."""


class Work(Protocol):
    """One unit of work."""

    @property
    def keys(self) -> frozenset[str]:
        """What no two units of one batch may touch, e.g. a requestId; units that share one keep their order."""
        ...


U = TypeVar("U", bound=Work)
R = TypeVar("R")

Kind = Callable[[Connection, Sequence[U]], Sequence[R | Exception]]
"""How the units of one kind are executed in the open transaction: many units, few statements, one result for each.

Runs in the writer's thread. A result that is an Exception is raised to its caller while the others are committed, so
such a unit must have written nothing. If it raises, or the commit does, all is rolled back and every unit runs again
alone: it must have no effect but on the database.
"""


@dataclass(slots=True, eq=False)
class Job:
    """A unit, what executes it, the future that waits for it, and its result (an Exception is raised to the waiter).

    Attributes:
        deadline: when who waits is told that it failed, on the clock of the event loop.
        is_given_up: who waited was told so; what has not begun by then need not begin.
    """

    kind: Kind[Any, Any]
    unit: Work
    future: asyncio.Future[Any]
    deadline: float
    outcome: Any = None
    is_given_up: bool = False


class Transactions:
    """Executes jobs on the one write connection that it owns. Belongs to one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._last_try = 0.0

    def close(self) -> None:
        """Give up the connection, rolling back what is open on it; the next transaction gets another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def execute(self, jobs: Sequence[Job]) -> None:
        """Give every job its outcome: in one transaction, or each in its own where that one fails."""
        self._last_try = time.monotonic() + BATCH_SECONDS
        try:
            self._commit(self._begin(), jobs)
        except StorageUnavailable as error:
            _fail(jobs, str(error))
        except Exception:
            # The unit to blame shows when each runs alone.
            self._execute_alone(jobs)

    def _execute_alone(self, jobs: Sequence[Job]) -> None:
        remaining = iter(jobs)
        for job in remaining:
            try:
                self._execute_one(job)
            except StorageUnavailable as error:  # the others would meet it, too, and only later
                _fail([job, *remaining], str(error))

    def _execute_one(self, job: Job) -> None:
        """Run one unit, again where another try may pass (a deadlock, a race lost against another process).

        Raises StorageUnavailable for what is no fault of the unit.
        """
        pauses = iter(_UNIT_PAUSES)
        while True:
            if self._is_late():
                raise StorageUnavailable("the database is too slow")
            connection = self._begin()
            try:
                self._commit(connection, [job])
            except DBAPIError as error:
                unavailable = f"the database cannot do it now: {reason(error)}"
                if is_outage(error):
                    raise StorageUnavailable(unavailable) from error
                pause = next(pauses, None) if isinstance(error, (OperationalError, IntegrityError)) else None
                if pause is None:
                    job.outcome = StorageUnavailable(unavailable) if isinstance(error, OperationalError) else error
                    return
                time.sleep(pause)
            except Exception as error:
                job.outcome = error
                return
            else:
                return

    def _begin(self) -> Connection:
        """Begin a transaction, on a new connection where there is none. Raises StorageUnavailable."""
        pauses = iter(_OPENING_PAUSES)
        while True:
            try:
                connection = self._connection = self._connection or self._engine.connect()
                connection.begin()
            except SQLAlchemyError as error:
                self.close()
                pause = next(pauses, None)
                if pause is None or self._is_late():
                    raise StorageUnavailable(f"the database does not answer: {reason(error)}") from error
                time.sleep(pause)
            else:
                return connection

    def _is_late(self) -> bool:
        return time.monotonic() > self._last_try

    def _commit(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """Apply the jobs in the open transaction and commit it; if this raises, nothing of them is left."""
        try:
            _apply(connection, jobs)
        except Exception:
            self.close()
            raise
        try:
            connection.commit()
        except DBAPIError as error:
            self.close()
            if not error.connection_invalidated:
                raise
            # It may be committed all the same, and a unit run again would meet its own traces.
            _fail(jobs, f"the connection was lost during commit: {reason(error)}")


def _apply(connection: Connection, jobs: Sequence[Job]) -> None:
    by_kind: dict[Kind[Any, Any], list[Job]] = {}
    for job in jobs:
        by_kind.setdefault(job.kind, []).append(job)
    for kind, alike in by_kind.items():
        outcomes = kind(connection, [job.unit for job in alike])
        for job, outcome in zip(alike, outcomes, strict=True):
            job.outcome = outcome


def _fail(jobs: Iterable[Job], why: str) -> None:
    for job in jobs:
        job.outcome = StorageUnavailable(why)
