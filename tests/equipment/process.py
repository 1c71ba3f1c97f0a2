"""The LSP as one of its processes: each has its own memory, all share the register and the folder of keys."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from shared.node.directory import Directory
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.onboarding.follower import Follower
from shared.node.onboarding.own import OwnKeys
from shared.node.onboarding.record import ParticipantRecord
from shared.node.onboarding.registrar import Registrar
from shared.protocol.messages import Role
from shared.protocol.signing import private_pem
from shared.storage.writer import GroupCommit
from shared.transport.tls import TlsTrust
from shared.transport.tls_files import TlsConfigurationError
from tests.equipment.clock import FrozenClock
from tests.equipment.forms import certificate_pem
from tests.equipment.parties import lsp_backup_key, lsp_key
from tests.equipment.records import lsp_record, tls_identity
from tests.equipment.registry import Registry
from tests.equipment.storage import LEASE, contents, writing
from tests.node.certificates import rsa_key

ISSUER = tls_identity("issuer.example").pem


def own_certificate(name: str = "lsp.example") -> str:
    """A certificate for lsp.example; each name gives another."""
    return certificate_pem(name, hosts=("lsp.example",), key=rsa_key("lsp tls"))


def own_record() -> ParticipantRecord:
    """What the LSP says of itself."""
    told = {"ip_addresses": ["192.0.2.9"], "spoc_email": "ocen@lsp.example", "spoc_phone": "+91 22 5550 0100"}
    return lsp_record(tls_certificates=[own_certificate()], **told)


class RecordingTrust(TlsTrust):
    """Keeps what is trusted; nothing listens."""

    def __init__(self) -> None:
        self.shown = self.shown_calling = "the one certificate"
        self.trusted: list[tuple[str, frozenset[str]]] = []
        self.fails = False

    def replace(self, trust: str, revoked: frozenset[str] = frozenset()) -> None:
        if self.fails:
            raise TlsConfigurationError("tls.key is not the key of tls.pem")
        self.trusted.append((trust, revoked))


class Process:
    """The parts of a node that have to do with the register."""

    def __init__(self, engine: Engine, writer: GroupCommit, folder: Path) -> None:
        self.identity = _identity(folder)
        self.clock = FrozenClock()
        self.directory = Directory("LSP123")
        self.own_keys = OwnKeys(self.identity, folder / "made")
        self.trust = RecordingTrust()
        self.registry = Registry(engine)
        self.follower = Follower(
            engine=engine,
            directory=self.directory,
            trust=self.trust,
            issuers=ISSUER,
            own_keys=self.own_keys,
            renew_connections=lambda: None,
        )
        self.registrar = Registrar(
            journal=Journal(engine, writer, LEASE),
            directory=self.directory,
            identity=self.identity,
            own_keys=self.own_keys,
            clock=self.clock,
            refresh=self.follower.refresh,
        )

    @property
    def signs_with(self) -> list[str]:
        """The kids of the key that signs and of those in reserve."""
        return [key.kid for key in (self.identity.signing_key, *self.identity.backup_keys)]


@asynccontextmanager
async def process_on(engine: Engine, folder: Path) -> AsyncIterator[Process]:
    """A process whose writer runs."""
    async with writing(engine) as writer:
        yield Process(engine, writer, folder)


def _identity(folder: Path) -> Identity:
    files = {"lsp-kid": folder / "signing.key", "lsp backup-kid": folder / "backup.key"}
    for file, owner in zip([*files.values(), folder / "tls.key"], ("lsp", "lsp backup", "lsp tls"), strict=True):
        file.write_bytes(private_pem(rsa_key(owner)))
    (folder / "tls.pem").write_text(own_certificate())
    return Identity(
        organisation_id="LSP123",
        role=Role.LOAN_AGENT,
        signing_key=lsp_key(),
        backup_keys=(lsp_backup_key(),),
        tls_certificate=folder / "tls.pem",
        tls_private_key=folder / "tls.key",
        trust=ISSUER,
        key_files=files,
    )


async def refused(here: Process, act: Callable[[], Awaitable[object]], kind: type[Exception]) -> str:
    """Check that the act is refused, and changes neither register nor memory; return the sentence."""
    before, signs, trusted = contents(here.registry.engine), here.signs_with, list(here.trust.trusted)
    with pytest.raises(kind) as refusal:
        await act()
    assert type(refusal.value) is kind
    assert (contents(here.registry.engine), here.signs_with, here.trust.trusted) == (before, signs, trusted)
    return str(refusal.value)
