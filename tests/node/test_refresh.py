"""What a node does about its connections when it falls into step with the register."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

import lsp_app.app
from shared.node.node import Node
from shared.node.onboarding.register import load_record, save_record
from shared.node.settings import NodeSettings, load_settings
from shared.transport.tls import thumbprint
from tests.equipment.environments import environments_in
from tests.node.certificates import Authority, rsa_key


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """An LSP as it is put together; it does not listen."""
    for name, value in environments_in(tmp_path)["lsp"].items():
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
    monkeypatch.setattr(node.follower, "_renew_connections", renewed)
    change_the_register(node, "+91 22 5550 0101")
    await node.follower.refresh()
    renewed.assert_not_called()

    leaf = Authority().issue(tmp_path, "lsp.example", key=rsa_key("renewed"))
    node.identity.tls_certificate.write_bytes(leaf.certificate.read_bytes())
    node.identity.tls_private_key.write_bytes(leaf.private_key.read_bytes())
    change_the_register(node, "+91 22 5550 0102")
    await node.follower.refresh()

    renewed.assert_called_once()
    assert node.trust.shown == thumbprint(leaf.der)
