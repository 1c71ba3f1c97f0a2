"""What a node makes of its files when it is built: itself and its counterparties in the register, its keys' folder."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from sandbox.pki.folder import SANDBOX_PAIR, initialise
from shared.node.node import Application, Node
from shared.node.onboarding.changes import without_key
from shared.node.onboarding.record import OnboardingError
from shared.node.rules import NO_RULES
from shared.node.settings import NodeSettings
from shared.node.tables import OUTBOX
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from shared.storage.database import DatabaseError
from shared.transport.server import NodeServer
from tests.equipment.clock import FrozenClock
from tests.equipment.registry import Registry, statuses
from tests.equipment.storage import contents, rows
from tests.node.journal_rows import add_sent

LSP = Application(Role.LOAN_AGENT, NO_RULES)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of LENDER01 and LSP123, from which tests get their copies."""
    folder = tmp_path_factory.mktemp("made") / "pki"
    initialise(folder, SANDBOX_PAIR, [], datetime(2031, 1, 1, tzinfo=UTC))
    (folder / "ops-token").write_text("a token of more than 16 characters")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


def limits_of(server: NodeServer) -> tuple[tuple[str, ...], int]:
    return tuple(str(network) for network in server.unlimited_sources), server.of_certificates.maximum


class Builder:
    """Builds the LSP's node, again and again as restarts do; nothing listens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: list[Node] = []

    def build(self, **changes: Any) -> Node:
        given: dict[str, Any] = {
            "identity": self.folder / "LSP123" / "identity.json",
            "participants": self.folder / "participants.json",
            "database_url": f"sqlite:///{self.folder / 'lsp.sqlite'}",
            "port": 0,
            "ops_port": 0,
            "ops_token_file": self.folder / "ops-token",
        }
        node = Node(NodeSettings(**(given | changes)), LSP, FrozenClock())
        self.nodes.append(node)
        return node

    def edit(self, number: int, **changes: Any) -> None:
        """Change a record of the participants file."""
        path = self.folder / "participants.json"
        records = json.loads(path.read_text())
        records[number] |= changes
        path.write_text(json.dumps(records))


@pytest.fixture
def builder(folder: Path) -> Iterator[Builder]:
    builder = Builder(folder)
    yield builder
    for node in builder.nodes:
        node.engine.dispose()


def test_a_node_registers_itself_by_its_identity_file_and_others_by_the_participants_file(builder: Builder) -> None:
    builder.edit(1, name="what others may say of us")
    node = builder.build()
    records = {record.organisation_id: record for record in Registry(node.engine).records()}
    assert set(records) == {"LENDER01", "LSP123"}
    own, stated = records["LSP123"], node.identity.own_record
    assert stated is not None
    assert statuses(own) == statuses(stated)
    assert own.model_copy(update={"keys": stated.keys}) == stated


def test_a_node_needs_no_participants_file(builder: Builder) -> None:
    node = builder.build(participants=None)
    assert [record.organisation_id for record in Registry(node.engine).records()] == ["LSP123"]


@pytest.mark.parametrize("is_on", [True, False])
def test_a_member_reports_to_the_heartbeat_unless_that_is_turned_off(builder: Builder, is_on: bool) -> None:
    secret = builder.folder / "client-secret"
    secret.write_text("a secret of more than 16 characters")
    membership = {"participant_id": "2", "client_id": "client", "client_secret_file": secret}
    node = builder.build(registry_url="https://registry.example", heartbeat=is_on, **membership)
    assert node.member is not None
    assert (node.heartbeat is not None) is is_on
    assert len(node.courier.listeners) == len(node.reception.listeners) == int(is_on)


def test_a_restart_undoes_nothing(builder: Builder) -> None:
    registry = Registry(builder.build().engine)
    lender = registry.known("LENDER01")
    registry.save(without_key(lender, lender.keys[0].kid, KeyStatus.BLOCKED))
    before = contents(registry.engine)
    builder.build()
    assert contents(registry.engine) == before


@pytest.mark.parametrize(("keep_days", "kept"), [(None, ["m-3", "m-31"]), (31, ["m-3", "m-31"]), (30, ["m-3"])])
async def test_messages_are_kept_for_as_many_days_as_the_setting_says_and_without_it_all(
    builder: Builder, keep_days: int | None, kept: list[str]
) -> None:
    node = builder.build(keep_days=keep_days)
    with node.engine.begin() as connection:
        for days in (3, 31):
            at = node.clock.now() - timedelta(days=days)
            times = {"created_at": at, "due_at": at, "driven_at": at}
            add_sent(connection, days, id=f"m-{days}", request_id=f"m-{days}", **times)
    await node.writer.start()
    await node.tidy()
    await node.writer.stop()
    assert [row["id"] for row in rows(node.engine, OUTBOX)] == kept


def test_a_node_does_not_start_on_a_database_that_it_may_only_read(builder: Builder) -> None:
    before = contents(builder.build().engine)
    with pytest.raises(DatabaseError, match="it is read-only; give this user write access"):
        builder.build(database_url=f"sqlite:///file:{builder.folder / 'lsp.sqlite'}?mode=ro&uri=true")
    assert contents(builder.nodes[0].engine) == before


def test_a_node_does_not_start_with_a_participant_that_cannot_be_used(builder: Builder) -> None:
    builder.edit(0, tls_certificates=["garbage"])
    with pytest.raises(OnboardingError, match="LENDER01: tls_certificates: no certificate in PEM"):
        builder.build()


def test_keys_that_are_made_lie_beside_the_identity_file_unless_the_settings_say_otherwise(builder: Builder) -> None:
    assert builder.build().own_keys.file("fresh") == builder.folder / "LSP123" / "fresh.key"
    elsewhere = builder.folder / "elsewhere"
    assert builder.build(keys_folder=elsewhere).own_keys.file("fresh") == elsewhere / "fresh.key"


async def test_a_key_made_by_one_start_signs_in_the_next(builder: Builder) -> None:
    first = builder.build()
    registry = Registry(first.engine)
    own = without_key(registry.known(), first.identity.backup_keys[0].kid, KeyStatus.RETIRED)
    made = first.own_keys.make("fresh")
    blocked = without_key(own, first.identity.signing_key.kid, KeyStatus.BLOCKED)
    registry.save(blocked.model_copy(update={"keys": [*blocked.keys, made]}))
    second = builder.build()
    await second.follower.refresh()
    assert (second.identity.signing_key.kid, second.identity.backup_keys) == ("fresh", ())


def test_how_many_connections_a_plane_takes_is_what_the_settings_say(builder: Builder) -> None:
    proxy, balancer = ip_network("10.0.0.5"), ip_network("10.1.0.0/16")
    node = builder.build(trusted_proxies=(proxy,), unlimited_sources=(balancer,), connections_per_certificate=1_000)
    assert limits_of(node.protocol_server) == (("10.1.0.0/16", "10.0.0.5/32"), 1_000)
    assert limits_of(node.ops_server)[0] == ("10.1.0.0/16", "10.0.0.5/32")
