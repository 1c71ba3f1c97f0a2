"""The registry's database: every change is one transaction, committed when the method returns."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, Engine

from registry_app.store.reports import Report, keep_reports
from registry_app.store.tables import SCHEMA
from shared.node.journal import Action, run_actions
from shared.storage.reader import read
from shared.storage.schema import take_turns
from shared.storage.writer import GroupCommit

T = TypeVar("T")


class Database:
    """Reads and writes the tables.

    Raises (all methods): StorageUnavailable if the database cannot be reached for some seconds.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = GroupCommit(engine)

    async def start(self) -> None:
        """Begin to write."""
        await self._writer.start()

    async def stop(self) -> None:
        """Write what waits, and close the database."""
        await self._writer.stop()
        self.engine.dispose()

    async def crash(self) -> BaseException:
        """Return what has ended the writer, once anything but stop() has."""
        return await self._writer.crash()

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query."""
        return await read(self.engine, query)

    async def change(self, work: Callable[[Connection], T]) -> T:
        """Run a change, which may look before it writes: changes of all processes on the database take turns."""

        def in_turn(connection: Connection) -> T:
            take_turns(connection)
            return work(connection)

        result: T = await self._writer.run(run_actions, Action(in_turn))
        return result

    async def write_check(self, now: datetime) -> None:
        """Commit one row, always the same, to show that something can be written."""
        await self.change(lambda connection: SCHEMA.touch(connection, now))

    async def keep(self, report: Report) -> None:
        """Keep a report; those that come in together are committed together."""
        await self._writer.run(keep_reports, report)
