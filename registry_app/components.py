"""The components of the registry, and the parameter that gives them to its routes."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from registry_app.auth.service import AuthService
from registry_app.quota import ReportQuota
from registry_app.registrar import NetworkRegistrar
from registry_app.settings import RegistrySettings
from registry_app.store.database import Database
from registry_app.telemetry import RegistryTelemetry
from shared.clock import Clock
from shared.node.readiness import ReadinessCheck


@dataclass(frozen=True, slots=True)
class Components:
    """The components of a registry."""

    settings: RegistrySettings
    clock: Clock
    database: Database
    auth: AuthService
    quota: ReportQuota
    registrar: NetworkRegistrar
    telemetry: RegistryTelemetry
    readiness: ReadinessCheck


async def _components(request: Request) -> Components:
    components: Components = request.app.state.components
    return components


TheRegistry = Annotated[Components, Depends(_components)]
"""The parameter through which a route is given the registry."""
