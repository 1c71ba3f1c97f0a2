"""Fixtures of the tests of the registry."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.registry.world import Client, World, registry_in, token_keys


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the Auth Service's keys from the stock of the tests, and hash secrets at no cost."""
    monkeypatch.setattr("shared.node.onboarding.own.new_private_key", token_keys())
    monkeypatch.setattr("registry_app.auth.client_secrets._COST", 2)


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    """A registry in which nobody is registered."""
    async with registry_in(tmp_path, database_url) as world:
        yield world


@pytest.fixture
async def lender(world: World) -> Client:
    """An approved lender."""
    return await world.admit()
