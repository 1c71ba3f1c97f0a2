"""A participant in memory: everything real but sockets, and its clock stands still."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sqlalchemy import Engine
from starlette.types import ASGIApp

from shared.catalogue.table import messages_received_by
from shared.clock import Clock
from shared.ip_addresses import Network
from shared.node.counterparties import Counterparties
from shared.node.directory import Directory
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.node import Application
from shared.node.receive.middleware import SignedExchange
from shared.node.receive.reception import Reception
from shared.node.receive.routes import protocol_app
from shared.node.registry.member import Member
from shared.node.rules import NO_RULES, Bound, BoundRules
from shared.node.send.client import SignedClient
from shared.node.send.courier import Courier
from shared.node.send.schedule import RetrySchedule
from shared.node.send.sender import Sender
from shared.node.telemetry import Telemetry
from shared.protocol.messages import MessageType
from shared.protocol.nonces import DEFAULT_WINDOW
from shared.protocol.participants import Participant
from shared.protocol.profiles import V3, Profile
from shared.storage.database import PATIENCE
from shared.storage.writer import GroupCommit
from tests.equipment.storage import LEASE, writing


class RecordingTelemetry(Telemetry):
    """Keeps what should not have happened, for tests to look at."""

    def __init__(self, organisation_id: str) -> None:
        super().__init__(organisation_id)
        self.troubles: list[tuple[str, Exception]] = []

    def trouble(self, event: str, error: Exception) -> None:
        self.troubles.append((event, error))


class MemoryNode:
    """The parts of a node, as `shared.node.node.Node` puts them together."""

    def __init__(
        self,
        engine: Engine,
        writer: GroupCommit,
        *,
        identity: Identity,
        counterparties: Iterable[Participant],
        clock: Clock,
        transport: httpx.AsyncBaseTransport,
        member: Member | None = None,
        explains: bool = True,
        proxies: Sequence[Network] = (),
        room: int = 512,
        tick: float = 0.5,
        rules: BoundRules = NO_RULES,
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.explains = explains
        self.proxies = proxies
        self.member = member
        self.identity = identity
        self.telemetry = RecordingTelemetry(identity.organisation_id)
        self.directory = Directory(identity.organisation_id)
        self.directory.replace(counterparties)
        self.journal = Journal(engine, writer, LEASE, rules)
        self.directories: dict[str, Counterparties] = {"v3": self.directory}
        if member is not None:
            self.directories["v4"] = member.directory
            member.remember_in(self.journal)
        self.client = SignedClient(transport, identity, clock, member.access if member is not None else None)
        self.courier = Courier(
            journal=self.journal,
            client=self.client,
            directories=self.directories,
            schedule=RetrySchedule(),
            clock=clock,
            jitter=lambda: 0.0,
            telemetry=self.telemetry,
            room=room,
            tick=tick,
        )
        self.reception = Reception(self.journal, self.courier, identity, clock)
        self.sender = Sender(
            journal=self.journal,
            courier=self.courier,
            directories=self.directories,
            identity=identity,
            clock=clock,
        )

    def protocol_plane(self, application: Application, app: ASGIApp | None = None) -> SignedExchange:
        """What a server would serve; `app` stands behind the middleware in place of the application."""
        messages = messages_received_by(application.role, "v3")
        return self.mount(V3, messages, app or self.application(messages, application.rules.messages))

    def application(self, messages: Sequence[MessageType], rules: Mapping[MessageType, Bound[Any]]) -> ASGIApp:
        """What stands behind the middleware."""
        return protocol_app(self.reception, {message.path: message for message in messages}, rules).router

    def mount(self, profile: Profile, messages: Sequence[MessageType], app: ASGIApp) -> SignedExchange:
        """The middleware of one profile, round an application."""
        return SignedExchange(
            app,
            messages={message.path: message for message in messages},
            identity=self.identity,
            directory=self.directories[profile.name],
            journal=self.journal,
            clock=self.clock,
            telemetry=self.telemetry,
            window=DEFAULT_WINDOW,
            explains=self.explains,
            proxies=self.proxies,
            profile=profile,
        )


@asynccontextmanager
async def memory_node(engine: Engine, patience: float = PATIENCE, **parts: object) -> AsyncIterator[MemoryNode]:
    """A node whose writer runs; at the end what is under way is finished, and nothing unexpected has happened."""
    async with writing(engine, patience) as writer:
        node = MemoryNode(engine, writer, **parts)  # type: ignore[arg-type]
        yield node
        await node.courier.stop()
        await node.client.aclose()
