"""How a node falls into step with the register: one refresh after another."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

import lsp_app.app
from sandbox.throwaway import throwaway_environments
from shared.node.node import Node
from shared.node.settings import NodeSettings, load_settings


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """An LSP as it is put together; it does not listen."""
    for name, value in throwaway_environments(tmp_path, {})["lsp"].items():
        monkeypatch.setenv(name, value)
    settings = load_settings(NodeSettings)
    node = Node(settings, lsp_app.app.application(settings))
    yield node
    node.engine.dispose()


async def test_a_refresh_begins_after_the_one_before_it_has_ended(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    entered, released = threading.Event(), threading.Event()

    def refresh(_: Connection) -> bool:
        begun.append("refresh")
        entered.set()
        return not released.wait(timeout=20)

    monkeypatch.setattr(node.directory, "refresh", refresh)
    slow = asyncio.create_task(node.refresh_directory())
    await asyncio.to_thread(entered.wait)
    later = asyncio.create_task(node.refresh_directory())
    for _ in range(3):  # the later one has its turn on the loop, and could have had a thread
        await asyncio.to_thread(lambda: None)
    assert begun == ["refresh"]

    released.set()
    await asyncio.gather(slow, later)
    assert begun == ["refresh", "refresh"]
