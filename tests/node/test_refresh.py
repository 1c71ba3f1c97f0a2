"""How a node falls into step with the register: one refresh after another."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from sqlalchemy import Connection

import lsp_app.app
from sandbox.throwaway import throwaway_environments
from shared.node.net.tls import thumbprint
from shared.node.node import Node
from shared.node.onboarding.register import load_record, save_record
from shared.node.settings import NodeSettings, load_settings
from tests.node.certificates import Authority, rsa_key


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """An LSP as it is put together; it does not listen."""
    for name, value in throwaway_environments(tmp_path, {})["lsp"].items():
        monkeypatch.setenv(name, value)
    settings = load_settings(NodeSettings)
    node = Node(settings, lsp_app.app.application(settings))
    yield node
    node.engine.dispose()


def change_the_register(node: Node, phone: str) -> None:
    with node.engine.begin() as connection:
        record = load_record(connection, node.identity.organisation_id)
        assert record is not None
        save_record(connection, record.model_copy(update={"spoc_phone": phone}), node.clock.now())


async def test_connections_end_when_we_show_another_certificate_and_at_no_other_change(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed = Mock()
    monkeypatch.setattr(node.transport, "renew", renewed)
    change_the_register(node, "+91 22 5550 0101")
    await node.refresh_directory()
    renewed.assert_not_called()

    leaf = Authority().issue(tmp_path, "lsp.example", key=rsa_key("renewed"))
    node.identity.tls_certificate.write_bytes(leaf.certificate.read_bytes())
    node.identity.tls_private_key.write_bytes(leaf.private_key.read_bytes())
    change_the_register(node, "+91 22 5550 0102")
    await node.refresh_directory()

    renewed.assert_called_once()
    assert node.trust.shown == thumbprint(leaf.der)


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
