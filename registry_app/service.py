"""The composition root of the registry: builds it out of its parts, starts and stops it."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from registry_app.api.app import api_app
from registry_app.auth.client_secrets import SecretHasher
from registry_app.auth.service import AuthService
from registry_app.auth.signing_keys import SigningKeys
from registry_app.components import Components
from registry_app.ops.app import registry_ops_app
from registry_app.quota import ReportQuota
from registry_app.registrar import NetworkRegistrar
from registry_app.settings import RegistrySettings
from registry_app.status_changes import APPLYING
from registry_app.store.database import Database
from registry_app.store.reports import purge_reports
from registry_app.store.roles import certificates_of
from registry_app.store.tables import SCHEMA
from registry_app.telemetry import RegistryTelemetry
from registry_app.trust import client_trust
from shared.catalogue.bodies.v4.registry import RoleStatus
from shared.clock import Clock, SystemClock
from shared.node.readiness import ReadinessCheck
from shared.node.settings import SettingsError
from shared.storage.database import open_engine, setting_up
from shared.storage.schema import take_turns
from shared.storage.slices import SLICE
from shared.transport.server import CannotListenError, make_server
from shared.transport.tls import TlsTrust

REFRESH_SECONDS: Final = 1.0
"""What another process on the same database has changed counts here after so long at most."""

PURGE_SECONDS: Final = 10.0
"""Seconds for which there may be more reports than are kept: by what their quota lets participants send meanwhile."""


class RegistryService:
    """Auth Service, registry and heartbeat sink, with their protocol plane and their operator plane."""

    def __init__(self, settings: RegistrySettings, clock: Clock | None = None) -> None:
        """Build it; nothing listens yet.

        Raises:
            SettingsError, IdentityError, DatabaseError, TlsConfigurationError: as each says.
        """
        clock = clock or SystemClock()
        self._issuers = "" if settings.trust is None else _read_trust(settings.trust)
        self.trust = TlsTrust(
            settings.tls_certificate, settings.tls_private_key, self._issuers, demands_certificate=False
        )
        engine = open_engine(settings.database_url, SCHEMA.refuse_newer)
        SCHEMA.bring_up_to_date(engine)
        keys = SigningKeys(settings.keys_folder)
        with setting_up(engine) as connection:
            take_turns(connection)
            keys.make_first(connection, clock.now(), replaces_lost=settings.replace_lost_key)
        self._hasher = SecretHasher()
        database = Database(engine)
        self.components = Components(
            settings=settings,
            clock=clock,
            database=database,
            auth=AuthService(settings, database, keys, self._hasher, clock),
            quota=ReportQuota(settings.reports_per_second, settings.reports_burst, clock),
            registrar=NetworkRegistrar(database, self._hasher, clock, self.refresh_trust),
            telemetry=RegistryTelemetry(),
            readiness=ReadinessCheck(lambda: self.protocol_server.is_listening, database.write_check, clock),
        )
        self.api = api_app(self.components)
        self.ops = registry_ops_app(self.components)
        self._make_servers(settings)
        self._trusted: tuple[list[str], list[str]] = ([], [])
        self._tasks: list[asyncio.Task[None]] = []

    def _make_servers(self, settings: RegistrySettings) -> None:
        unlimited = settings.unlimited_sources
        self.protocol_server = make_server(
            self.api,
            host=settings.host,
            port=settings.port,
            tls=self.trust.server,
            unlimited_sources=unlimited,
            connections_per_certificate=settings.connections_per_certificate,
        )
        self.ops_server = make_server(
            self.ops, host=settings.ops_host, port=settings.ops_port, tls=None, unlimited_sources=unlimited
        )

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            CannotListenError: a port is taken or not ours to take.
        """
        await self.components.database.start()
        await self.refresh_trust()
        try:
            await self.protocol_server.start()
            await self.ops_server.start()
        except CannotListenError:
            await self.stop()
            raise
        self._tasks = [asyncio.create_task(self._keep_house())]
        self.components.telemetry.say(
            "ready", port=self.protocol_server.port, ops_port=self.ops_server.port, issuer=self.components.auth.issuer
        )

    async def stop(self) -> None:
        """Take nothing more, finish what is under way, close everything."""
        await self.protocol_server.stop()
        await self.ops_server.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.components.database.stop()
        self._hasher.close()

    async def crash(self) -> BaseException:
        """Return what has ended the writer, once anything but stop() has."""
        return await self.components.database.crash()

    async def refresh_trust(self) -> None:
        """Take the client certificates of those that are served or apply now, beside those of the trusted issuers."""
        certificates = await self.components.database.read(_certificates)
        if certificates != self._trusted:
            await asyncio.to_thread(lambda: self.trust.replace(client_trust(self._issuers, *certificates)))
            self._trusted = certificates

    async def _keep_house(self) -> None:
        clock, next_purge = self.components.clock, self.components.clock.elapsed() + PURGE_SECONDS
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh_trust()
                if clock.elapsed() >= next_purge:
                    next_purge += PURGE_SECONDS
                    purge = partial(purge_reports, kept=self.components.settings.reports_kept)
                    while await self.components.database.change(purge) >= SLICE:
                        await self.refresh_trust()
            except Exception as error:  # whatever it is, the trust must be brought up to date a second later
                self.components.telemetry.trouble("housekeeping failed", error)


def _certificates(connection: Connection) -> tuple[list[str], list[str]]:
    return certificates_of(connection, RoleStatus.APPROVED), certificates_of(connection, *APPLYING)


def _read_trust(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"OCEN_TRUST: {file} cannot be read; name a PEM file of issuers, or leave it out"
        ) from error
