"""The composition root: builds a node out of its parts, starts and stops it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine
from starlette.types import ASGIApp

from shared.catalogue.table import messages_received_by
from shared.clock import Clock, SystemClock
from shared.node.counterparties import Counterparties
from shared.node.directory import Directory
from shared.node.identity import Identity, IdentityError, load_identity
from shared.node.journal import Journal
from shared.node.mounts import Mounts
from shared.node.onboarding.follower import Follower
from shared.node.onboarding.own import OwnKeys
from shared.node.onboarding.record import read_records
from shared.node.onboarding.registrar import Registrar
from shared.node.onboarding.seed import seed
from shared.node.ops.app import ops_app
from shared.node.readiness import ReadinessCheck
from shared.node.receive.middleware import SignedExchange, Turns
from shared.node.receive.reception import Reception
from shared.node.receive.routes import protocol_app
from shared.node.registry.heartbeat import HeartbeatReporter
from shared.node.registry.member import Member
from shared.node.registry.service import registry_transport
from shared.node.rules import BoundRules
from shared.node.send.client import SignedClient
from shared.node.send.courier import Courier
from shared.node.send.schedule import RetrySchedule
from shared.node.send.sender import Sender
from shared.node.settings import Mode, NodeSettings, RegistryMembership
from shared.node.tables import SCHEMA, create_tables
from shared.node.telemetry import Telemetry
from shared.protocol.messages import Role
from shared.protocol.profiles import PROFILES, V3, V4, Profile
from shared.storage.database import open_engine, setting_up
from shared.storage.reader import read
from shared.storage.space import prepare_to_shrink
from shared.storage.writer import GroupCommit
from shared.transport.server import CannotListenError, make_server
from shared.transport.tls import TlsTrust
from shared.transport.transport import PooledTransport

REFRESH_SECONDS = 0.5
"""What another process on the same database has changed counts here after so long at most (OCEN-ROT-03: a second)."""

TIDY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Application:
    """What makes a node a lender or an LSP: its role, and its rules."""

    role: Role
    rules: BoundRules


class Node:
    """One participant, with its protocol plane and its operator plane."""

    def __init__(self, settings: NodeSettings, application: Application, clock: Clock | None = None) -> None:
        """Build the node; nothing listens yet.

        Raises:
            SettingsError, IdentityError, OnboardingError, DatabaseError, TlsConfigurationError: as each says.
        """
        self.settings = settings
        self.clock = clock or SystemClock()
        self.identity = _own_identity(settings, application)
        self.telemetry = Telemetry(self.identity.organisation_id)
        self._open_storage_and_tls(application.rules)
        self._set_up_counterparties()
        self._set_up_messaging()
        unlimited = (*settings.unlimited_sources, *settings.trusted_proxies)
        self.protocol_server = make_server(
            self._protocol_plane(application),
            host=settings.host,
            port=settings.port,
            tls=self.trust.server,
            unlimited_sources=unlimited,
            connections_per_certificate=settings.connections_per_certificate,
        )
        self.readiness = ReadinessCheck(lambda: self.protocol_server.is_listening, self.journal.write_check, self.clock)
        self.ops_server = make_server(
            ops_app(self), host=settings.ops_host, port=settings.ops_port, tls=None, unlimited_sources=unlimited
        )
        self._tasks: list[asyncio.Task[None]] = []

    def _open_storage_and_tls(self, rules: BoundRules) -> None:
        """Open the database, its writer and the journal, and load TLS."""
        own, settings = self.identity, self.settings
        self.engine = open_engine(settings.database_url, SCHEMA.refuse_newer)
        create_tables(self.engine)
        if settings.keep_days is not None:
            prepare_to_shrink(self.engine)
        self.writer = GroupCommit(self.engine)
        self.journal = Journal(self.engine, self.writer, timedelta(seconds=settings.lease_seconds), rules)
        self.trust = TlsTrust(own.tls_certificate, own.tls_private_key, own.trust, calling=own.calling)
        self.transport = PooledTransport(self.trust.client)
        # Issuers alone are trusted there: what a counterparty has registered must not pass for the registry's.
        self.registry_trust = TlsTrust(*own.calling, own.trust)
        self.registry_transport = registry_transport(self.registry_trust.client)

    def _set_up_counterparties(self) -> None:
        """Read who takes part, ourselves included: from the register, and as a member from the registry too."""
        own, settings = self.identity, self.settings
        _seed_register(self.engine, settings, own, self.clock)
        self.directory = Directory(own.organisation_id)
        self.directories: dict[str, Counterparties] = {V3.name: self.directory}
        membership = settings.membership
        self.member = None if membership is None else self._join(membership)
        if self.member is not None:
            self.directories[V4.name] = self.member.directory
        self.own_keys = OwnKeys(own, settings.keys_folder or settings.identity.parent)
        self.follower = Follower(
            engine=self.engine,
            directory=self.directory,
            trust=self.trust,
            issuers=own.trust,
            own_keys=self.own_keys,
            renew_connections=self._show_renewed_certificate,
        )
        self.registrar = Registrar(
            journal=self.journal,
            directory=self.directory,
            identity=own,
            own_keys=self.own_keys,
            clock=self.clock,
            refresh=self.follower.refresh,
        )

    def _set_up_messaging(self) -> None:
        """Make what sends, delivers, receives, and reports to the heartbeat."""
        access = self.member.access if self.member is not None else None
        self.client = SignedClient(self.transport, self.identity, self.clock, access)
        self.schedule = _schedule(self.settings)
        self.courier = Courier(
            journal=self.journal,
            client=self.client,
            directories=self.directories,
            schedule=self.schedule,
            clock=self.clock,
            jitter=random.random,
            telemetry=self.telemetry,
        )
        self.reception = Reception(self.journal, self.courier, self.identity, self.clock)
        self.heartbeat = self._reporting(self.member) if self.member is not None and self.settings.heartbeat else None
        self.sender = Sender(
            journal=self.journal,
            courier=self.courier,
            directories=self.directories,
            identity=self.identity,
            clock=self.clock,
        )

    def _join(self, membership: RegistryMembership) -> Member:
        member = Member(membership, self.identity, self.registry_transport, self.clock)
        member.remember_in(self.journal)
        return member

    def _show_renewed_certificate(self) -> None:
        self.registry_trust.replace(self.identity.trust)
        self.registry_transport.renew()
        self.transport.renew()

    def _reporting(self, member: Member) -> HeartbeatReporter:
        heartbeat = HeartbeatReporter(member.service, member.access, self.telemetry)
        self.courier.listeners.append(heartbeat.sent)
        self.reception.listeners.append(heartbeat.received)
        return heartbeat

    def _protocol_plane(self, application: Application) -> ASGIApp:
        turns = Turns()
        apps: dict[str, ASGIApp] = {
            profile.mount: self._mount(application, profile, turns)
            for profile in map(PROFILES.__getitem__, self.directories)
        }
        return Mounts(apps, V3.mount) if len(apps) > 1 else apps[V3.mount]

    def _mount(self, application: Application, profile: Profile, turns: Turns) -> SignedExchange:
        # The router alone: what FastAPI puts before it (error pages, body limits) is the middleware's business here.
        messages = {message.path: message for message in messages_received_by(application.role, profile.name)}
        return SignedExchange(
            protocol_app(self.reception, messages, application.rules.messages).router,
            messages=messages,
            identity=self.identity,
            directory=self.directories[profile.name],
            journal=self.journal,
            clock=self.clock,
            telemetry=self.telemetry,
            profile=profile,
            window=self.settings.window,
            explains=self.settings.mode is Mode.SANDBOX,
            proxies=self.settings.trusted_proxies,
            turns=turns,
        )

    async def start(self) -> None:
        """Begin to listen and to deliver.

        Raises:
            CannotListenError: a port is taken or not ours to take.
        """
        await self.writer.start()
        await self._follow()
        if self.engine.dialect.name == "sqlite":
            await self.journal.release_holds(self.clock.now())
        try:
            await self.protocol_server.start()
            await self.ops_server.start()
        except CannotListenError:
            await self.stop()
            raise
        # Tidying may take long, and what others have changed must count here meanwhile.
        housekeeping = (self._repeat(REFRESH_SECONDS, self._follow), self._repeat(TIDY_SECONDS, self.tidy))
        self._tasks = [asyncio.create_task(work) for work in (self.courier.run(), *housekeeping)]
        if self.heartbeat is not None:
            self.heartbeat.start()
        self.telemetry.say("ready", port=self.protocol_server.port, ops_port=self.ops_server.port)

    async def stop(self) -> None:
        """Take nothing more, finish what is under way, close everything."""
        await self.protocol_server.stop()
        await self.ops_server.stop()
        await self.courier.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.aclose()
        if self.heartbeat is not None:
            await self.heartbeat.stop()
        if self.member is not None:
            await self.member.aclose()
        await self.writer.stop()
        self.engine.dispose()

    async def crash(self) -> BaseException:
        """Return what has ended the writer, once anything but stop() has."""
        return await self.writer.crash()

    async def tidy(self) -> None:
        """Delete what is not needed or too old, and wake what would sleep too long after the clock was set back."""
        now = self.clock.now()
        await self.journal.wake(now, self.schedule.budget)
        await self.journal.purge(now, self.settings.window.forgettable_before(now))
        if self.settings.keep_days is not None:
            await self.journal.delete_before(now - timedelta(days=self.settings.keep_days))

    async def _follow(self) -> None:
        """Take over what the database says, also where another process has written it."""
        await self.follower.refresh()
        await read(self.engine, self.journal.clock.follow)
        if self.member is not None:
            await self.member.follow(self.engine)

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception as error:  # whatever it is, it must be tried again
                self.telemetry.trouble("housekeeping failed", error)


def _schedule(settings: NodeSettings) -> RetrySchedule:
    return RetrySchedule(
        base=timedelta(seconds=settings.retry_base_seconds),
        attempts=settings.retry_attempts,
        budget=timedelta(seconds=settings.retry_budget_seconds),
    )


def _own_identity(settings: NodeSettings, application: Application) -> Identity:
    identity = load_identity(settings.identity)
    if identity.role is not application.role:
        raise IdentityError(
            f"{settings.identity}: the identity of a {identity.role.value}; this is a {application.role.value}"
        )
    return identity


def _seed_register(engine: Engine, settings: NodeSettings, identity: Identity, clock: Clock) -> None:
    """Add ourselves and the participants of the file to the register, as far as they are new."""
    records = [] if settings.participants is None else read_records(settings.participants)
    others = [record for record in records if record.organisation_id != identity.organisation_id]
    own = [] if identity.own_record is None else [identity.own_record]
    with setting_up(engine) as connection:
        seed(connection, [*own, *others], clock.now())
