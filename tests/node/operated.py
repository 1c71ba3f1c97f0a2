"""A node as the operator plane sees it: everything real but what listens and delivers; and an operator who calls it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from sqlalchemy import Engine, func, select

from shared.node.directory import Directory
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.onboarding.follower import Follower
from shared.node.onboarding.own import OwnKeys
from shared.node.onboarding.record import KeyRecord, ParticipantRecord
from shared.node.onboarding.register import save_record
from shared.node.onboarding.registrar import Registrar
from shared.node.ops.app import ops_app
from shared.node.readiness import ReadinessCheck
from shared.node.registry.member import Member
from shared.node.send.courier import Place
from shared.node.send.outbox import OutboxState
from shared.node.send.sender import Sender
from shared.node.tables import METADATA, create_tables
from shared.node.telemetry import Telemetry
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import load_private_key
from shared.storage.database import open_engine
from shared.storage.writer import GroupCommit
from shared.transport.tls import TlsTrust
from tests.equipment.records import public_pem
from tests.node.certificates import Authority, private_pem, rsa_key

NOW = datetime(2031, 5, 14, 9, 30, 15, 250000, UTC)
TOKEN = "the-operator-token-of-the-tests"
URL = "http://127.0.0.1:9444"


class StillClock:
    def now(self) -> datetime:
        return NOW

    def elapsed(self) -> float:
        return 0.0


class FullCourier:
    """Has no room, so that what is sent waits in the table."""

    def place_for(self, receiver: str, now: datetime) -> Place:
        return Place(OutboxState.WAITING, now)


class OperatedStandIn:
    """LSP123, who knows LENDER01."""

    def __init__(self, folder: Path, engine: Engine, ops_host: str) -> None:
        leaf = Authority().issue(folder, "lsp.example", key=rsa_key("lsp tls"))
        self.tls_certificate = leaf
        self.keys_folder = folder / "keys"
        self.settings = SimpleNamespace(ops_token=TOKEN, ops_host=ops_host)
        self.clock = StillClock()
        self.identity = Identity(
            organisation_id="LSP123",
            role=Role.LOAN_AGENT,
            signing_key=load_private_key(private_pem(rsa_key("lsp")).decode(), "lsp-kid", "RS512"),
            backup_keys=(load_private_key(private_pem(rsa_key("lsp backup")).decode(), "lsp-backup", "RS512"),),
            tls_certificate=leaf.certificate,
            tls_private_key=leaf.private_key,
            trust=Authority().pem,
            key_files=_key_files(folder),
        )
        self.telemetry = Telemetry("LSP123")
        self.engine = engine
        self.writer = GroupCommit(engine)
        self.journal = Journal(engine, self.writer, timedelta(seconds=15))
        self.directory = Directory("LSP123")
        own_keys = OwnKeys(self.identity, self.keys_folder)
        self.trust = TlsTrust(leaf.certificate, leaf.private_key, self.identity.trust)
        self.follower = Follower(
            engine=engine,
            directory=self.directory,
            trust=self.trust,
            issuers=self.identity.trust,
            own_keys=own_keys,
            renew_connections=lambda: None,
        )
        self.registrar = Registrar(
            journal=self.journal,
            directory=self.directory,
            identity=self.identity,
            own_keys=own_keys,
            clock=self.clock,
            refresh=self.follower.refresh,
        )
        self.sender = Sender(
            journal=self.journal,
            courier=FullCourier(),  # type: ignore[arg-type]
            directories={"v3": self.directory},
            identity=self.identity,
            clock=self.clock,
        )
        self.member: Member | None = None
        self.protocol_server = SimpleNamespace(is_listening=True)
        self.readiness = ReadinessCheck(lambda: self.protocol_server.is_listening, self.journal.write_check, self.clock)

    @property
    def record(self) -> ParticipantRecord:
        """What it says of itself."""
        return ParticipantRecord(
            organisation_id="LSP123",
            name="Sandbox LSP",
            role=Role.LOAN_AGENT,
            base_url="https://localhost:8445",
            tls_certificates=[self.tls_certificate.pem],
            keys=[key_record("lsp-kid", "lsp"), key_record("lsp-backup", "lsp backup", KeyStatus.BACKUP)],
            ip_addresses=["192.0.2.9"],
            spoc_email="ocen@lsp.example",
            spoc_phone="+91 22 5550 0100",
        )


@asynccontextmanager
async def operated_node(folder: Path, ops_host: str = "127.0.0.1") -> AsyncIterator[OperatedStandIn]:
    engine = open_engine(f"sqlite:///{folder / 'operated.sqlite'}")
    create_tables(engine)
    node = OperatedStandIn(folder, engine, ops_host)
    with engine.begin() as connection:
        for record in (node.record, lender_record(folder)):
            save_record(connection, record, NOW)
    await node.writer.start()
    await node.follower.refresh()
    yield node
    await node.writer.stop()
    engine.dispose()


def caller(node: OperatedStandIn, **headers: str) -> httpx.AsyncClient:
    """A client without a token, but for what `headers` say."""
    transport = httpx.ASGITransport(app=ops_app(node), raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=URL, headers=headers)


def operator(node: OperatedStandIn) -> httpx.AsyncClient:
    return caller(node, authorization=f"Bearer {TOKEN}")


def lender_record(folder: Path, name: str = "LENDER01", **changes: Any) -> ParticipantRecord:
    """A lender with one key, told apart from others by its name."""
    leaf = Authority().issue(folder, f"{name.lower()}.example", key=rsa_key(f"{name} tls"))
    stated = {
        "organisation_id": name,
        "name": f"{name} Bank",
        "role": Role.LENDER,
        "base_url": f"https://{name.lower()}.example",
        "tls_certificates": [leaf.pem],
        "keys": [key_record(f"{name}-kid", name)],
        "ip_addresses": ["192.0.2.7", "198.51.100.0/24"],
    }
    return ParticipantRecord.model_validate(stated | changes)


def key_record(kid: str, owner: str, status: KeyStatus = KeyStatus.ACTIVE) -> KeyRecord:
    return KeyRecord(kid=kid, pem=public_pem(owner), status=status)


def _key_files(folder: Path) -> dict[str, Path]:
    files = {"lsp-kid": folder / "signing.key", "lsp-backup": folder / "backup.key"}
    for file, owner in zip(files.values(), ("lsp", "lsp backup"), strict=True):
        file.write_bytes(private_pem(rsa_key(owner)))
    return files


def contents(engine: Engine) -> dict[str, int]:
    """How many rows each table has."""
    with engine.begin() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
        }
