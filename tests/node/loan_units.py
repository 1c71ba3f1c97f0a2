"""Units, kinds and a gate for the tests of the writer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import Column, Connection, Engine, ForeignKey, MetaData, String, Table, select

from shared.storage.database import PATIENCE
from shared.storage.reader import read
from shared.storage.transactions import Job
from shared.storage.writer import GroupCommit
from tests.equipment.deadline import DEADLINE

metadata = MetaData()
loans = Table("loans", metadata, Column("name", String, primary_key=True))
offers = Table(
    "offers",
    metadata,
    Column("name", String, primary_key=True),
    Column("loan", ForeignKey("loans.name", deferrable=True, initially="DEFERRED")),
)


@dataclass(frozen=True)
class Loan:
    """A unit that stores one row."""

    name: str
    keys: frozenset[str] = frozenset()


@dataclass(eq=False)
class Grant:
    """Stores loans; a spoken refusal, an exception or a hindrance can be arranged."""

    refused: str = ""
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    before: Callable[[Connection], object] = lambda connection: None
    batches: list[list[str]] = field(default_factory=list)

    def __call__(self, connection: Connection, units: Sequence[Loan]) -> Sequence[str | Exception]:
        self.batches.append([unit.name for unit in units])
        self.before(connection)
        for unit in units:
            if self.errors.get(unit.name):
                raise self.errors[unit.name].pop(0)
        granted = [unit for unit in units if unit.name != self.refused]
        if granted:
            connection.execute(loans.insert(), [{"name": unit.name} for unit in granted])
        return [ValueError("refused") if unit.name == self.refused else f"granted {unit.name}" for unit in units]


class Offer:
    """Stores offers of a loan that does not exist, which the database notices at the commit."""

    def __call__(self, connection: Connection, units: Sequence[Loan]) -> Sequence[None]:
        connection.execute(offers.insert(), [{"name": unit.name, "loan": "none"} for unit in units])
        return [None for _ in units]


class Gate:
    """Holds the writer's thread inside of apply until it is opened."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self._entered.set()
        assert self._opened.wait(timeout=DEADLINE)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, DEADLINE)

    def open(self) -> None:
        self._opened.set()


class CountingWriter(GroupCommit):
    """A writer that notes the size of every batch."""

    def __init__(self, engine: Engine, sizes: list[int], patience: float) -> None:
        super().__init__(engine, patience=patience)
        self._sizes = sizes

    def _answer(self, batch: list[Job]) -> None:
        super()._answer(batch)
        self._sizes.append(len(batch))


@asynccontextmanager
async def running_writer(engine: Engine, sizes: list[int], patience: float = PATIENCE) -> AsyncIterator[GroupCommit]:
    """A writer on a database with the tables above; sizes receives the size of every batch."""
    metadata.create_all(engine)
    writer = CountingWriter(engine, sizes, patience)
    await writer.start()
    yield writer
    await writer.stop()


async def stored(engine: Engine) -> list[str]:
    return await read(engine, lambda connection: list(connection.scalars(select(loans.c.name).order_by("name"))))


async def run_all(writer: GroupCommit, kind: Grant, *names: str, key: str | None = None) -> list[str | BaseException]:
    keys = frozenset({key} if key else ())
    return await asyncio.gather(*(writer.run(kind, Loan(name, keys)) for name in names), return_exceptions=True)
