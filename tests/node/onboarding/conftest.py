"""A database with all tables, of each dialect."""

import pytest
from sqlalchemy import Engine

from shared.node.store.tables import create_tables


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """With all tables."""
    create_tables(engine)
    return engine
