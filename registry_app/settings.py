"""The settings of the registry, from environment variables `OCEN_...`."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import Field

from shared.catalogue.bodies.v4.registry import REALM
from shared.node.onboarding.record import BaseUrl
from shared.node.settings import ServiceSettings

LONGEST_LIFE: Final = timedelta(hours=24)
"""No token lives longer (OCEN 4.0 access token, "lifespan of 24 hours")."""


class RegistrySettings(ServiceSettings):
    """Everything that may differ between two registries.

    Attributes:
        public_url: the base URL that clients call; tokens name its realm as their issuer.
        trust: PEM file of issuers whose client certificates are taken, beside the registered certificates themselves.
        keys_folder: where private signing keys are made; processes on one database share it.
        replace_lost_key: make a new key on starting if the private half of the one that signs is lost; what was signed
            with it goes on counting.
        token_seconds: how long a token lives, in seconds.
        token_needs_certificate: take a token only over a connection that shows a TLS certificate of its participant.
        failed_attempts: so many wrong secrets of one client from one caller within `failed_attempts_seconds`, then
            it has to wait there.
        reports_per_second: so many reports of the heartbeat are taken from each participant; one larger than a KiB
            counts for each KiB begun.
        reports_burst: so many at once from one that was silent before.
        reports_kept: so many of the latest reports are kept, of all participants together; who has most loses first.
    """

    port: int = Field(default=8443, ge=0, le=65535)
    ops_port: int = Field(default=9443, ge=0, le=65535)
    public_url: BaseUrl = "https://localhost:8443"
    tls_certificate: Path
    tls_private_key: Path
    trust: Path | None = None
    keys_folder: Path
    replace_lost_key: bool = False
    token_seconds: int = Field(default=86_400, ge=5, le=int(LONGEST_LIFE.total_seconds()))
    token_needs_certificate: bool = False
    failed_attempts: int = Field(default=5, ge=1, le=1000)
    failed_attempts_seconds: int = Field(default=60, ge=1, le=86_400)
    reports_per_second: int = Field(default=500, ge=1, le=100_000)
    reports_burst: int = Field(default=5_000, ge=1, le=1_000_000)
    reports_kept: int = Field(default=100_000, ge=1, le=100_000_000)

    @property
    def issuer(self) -> str:
        """The `iss` of tokens."""
        return f"{self.public_url.rstrip('/')}{REALM}"
