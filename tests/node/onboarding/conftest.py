"""A database with all tables, of each dialect, and two processes of the LSP on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from shared.node.tables import create_tables
from shared.storage.database import open_engine
from tests.equipment.process import Process, own_record, process_on


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """With all tables."""
    create_tables(engine)
    return engine


@pytest.fixture
async def here(engine: Engine, tmp_path: Path) -> AsyncIterator[Process]:
    """The LSP, which knows itself alone."""
    async with process_on(engine, tmp_path) as process:
        process.registry.save(own_record())
        await process.follower.refresh()
        yield process


@pytest.fixture
async def there(here: Process, database_url: str, tmp_path: Path) -> AsyncIterator[Process]:
    """Another process on the same database."""
    engine = open_engine(database_url)
    async with process_on(engine, tmp_path) as process:
        yield process
    engine.dispose()
