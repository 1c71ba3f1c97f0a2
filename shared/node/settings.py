"""The settings of a node, from environment variables `OCEN_...`. Only `settings.py` files read the environment."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.ip_addresses import Network
from shared.protocol.nonces import FreshnessWindow
from shared.protocol.participants import Dialect
from shared.transport.certificate_connections import CONNECTIONS_PER_CERTIFICATE

logger = logging.getLogger(__name__)


class SettingsError(Exception):
    """Settings that cannot be used; the message names the variable and what to do."""


class Mode(StrEnum):
    """SANDBOX explains every refusal in the ack's `detail`; STRICT answers with the code alone."""

    SANDBOX = "sandbox"
    STRICT = "strict"


class LogFormat(StrEnum):
    """How log lines look: JSON for machines, console for people."""

    JSON = "json"
    CONSOLE = "console"


class PathSigning(StrEnum):
    """What a registry wants signed of requests without a body: nothing, the path as sent, or it without a version."""

    NONE = "none"
    PATH = "path"
    PATH_WITHOUT_VERSION = "path_without_version"


def _in_capitals(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        networks = tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError as error:
        example = "write addresses and whole networks with commas between, such as 10.0.0.5,10.1.0.0/24,2001:db8::/64"
        raise ValueError(f"{error}: {example}") from error
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("every address would be among them; name networks, such as 10.0.0.5,2001:db8::/64")
    return networks


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
"""Networks or addresses, with commas between."""


class ServiceSettings(BaseSettings):
    """Settings of every process: its database, its two planes, which clients they take, and how it logs.

    A source may have 64 connections at a time whose TLS handshake is not done; those in `unlimited_sources`, such as a
    load balancer, may have more. `connections_per_certificate` may be open on the protocol plane.
    """

    model_config = SettingsConfigDict(env_prefix="OCEN_", extra="ignore")

    database_url: str
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    ops_host: str = "127.0.0.1"
    ops_port: int = Field(ge=0, le=65535)
    ops_token_file: Path
    unlimited_sources: Networks = ()
    connections_per_certificate: int = Field(default=CONNECTIONS_PER_CERTIFICATE, ge=1, le=100_000)
    log_format: LogFormat = LogFormat.JSON
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_in_capitals)] = "INFO"

    @property
    def ops_token(self) -> str:
        """The bearer token of the operator plane, read from its file."""
        return _read_secret("OCEN_OPS_TOKEN_FILE", self.ops_token_file)


@dataclass(frozen=True, slots=True)
class RegistryMembership:
    """A node's membership in OCEN 4.0: the registry, our id there, and how peers sign.

    Attributes:
        registry_url: base URL of Auth Service and registry.
        participant_id: the id of our role, `originatorParticipantId` in our messages.
        product_networks: those that we belong to; with none given, membership of senders is not judged.
        dialects: how peers sign that do not sign as the documents say, by participant id; what is set at run time
            counts before it.
        signs: what of our requests to the registry is signed beside the token.
        keeps_for: how long at most an answer of the registry is used: an offboarded participant is gone by then, and
            traffic goes on for so long while the registry is down.
    """

    registry_url: str
    participant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    product_networks: tuple[str, ...] = ()
    dialects: Mapping[str, Dialect] = field(default_factory=dict)
    signs: PathSigning = PathSigning.NONE
    keeps_for: timedelta = timedelta(minutes=15)


def _read_secret(variable: str, file: Path) -> str:
    try:
        secret = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}: {file} cannot be read; write it there") from error
    if len(secret) < 16:
        raise SettingsError(f"{variable}: {file} holds fewer than 16 characters")
    return secret


def dialect_named(name: str) -> Dialect:
    """Return the dialect of that name; `rfc`, one of former releases, is taken for STRICT with a warning (P19).

    Raises:
        ValueError: there is none.
    """
    if name != "rfc":
        return Dialect(name)
    logger.warning("the dialect rfc is no more: the peer is dealt with as strict, and gets RFC 7797 with crit")
    return Dialect.STRICT


def _dialects(text: str) -> dict[str, Dialect]:
    """Read `3052=authstarter,3053=strict`."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    try:
        return {peer.strip(): dialect_named(name.strip()) for peer, _, name in pairs}
    except ValueError as error:
        raise SettingsError("OCEN_DIALECTS: write 3052=authstarter,3053=strict; strict is for all others") from error


class NodeSettings(ServiceSettings):
    """Everything that may differ between two nodes. Spans are in seconds.

    Without a `registry_url`, or with an empty one, a node speaks v3 alone. `heartbeat` is whether it reports its
    messages of OCEN 4.0.

    `trusted_proxies` are networks, with commas between: what they say in X-Forwarded-For is believed, and they are
    unlimited sources, too.

    Messages and refusals that are older than `keep_days` are deleted; None: all are kept (P32).
    """

    identity: Path
    participants: Path | None = None
    keys_folder: Path | None = None
    registry_url: str | None = None
    participant_id: str = ""
    client_id: str = ""
    client_secret_file: Path | None = None
    product_networks: str = ""
    dialects: str = ""
    registry_signs: PathSigning = PathSigning.NONE
    registry_cache_seconds: int = Field(default=900, ge=3, le=86_400)
    heartbeat: bool = True
    trusted_proxies: Networks = ()
    mode: Mode = Mode.SANDBOX
    past_seconds: int = Field(default=300, ge=1, le=86400)
    future_seconds: int = Field(default=60, ge=0, le=3600)
    retry_base_seconds: float = Field(default=5.0, gt=0, le=60)
    retry_budget_seconds: int = Field(default=900, ge=1, le=604_800)
    retry_attempts: int = Field(default=8, ge=1, le=100)
    lease_seconds: int = Field(default=15, ge=11, le=300)
    keep_days: int | None = Field(default=None, ge=1, le=36_500)

    @property
    def window(self) -> FreshnessWindow:
        """How far timestamps may lie from our clock."""
        return FreshnessWindow(timedelta(seconds=self.past_seconds), timedelta(seconds=self.future_seconds))

    @property
    def membership(self) -> RegistryMembership | None:
        """Our membership in OCEN 4.0; None if we are not a member.

        Raises:
            SettingsError: a part of it is missing, or the secret cannot be read.
        """
        if not self.registry_url:
            return None
        if not self.registry_url.startswith("https://"):
            raise SettingsError("OCEN_REGISTRY_URL: give one that begins with https://")
        if not (self.participant_id and self.client_id and self.client_secret_file):
            raise SettingsError(
                "OCEN_REGISTRY_URL needs OCEN_PARTICIPANT_ID, OCEN_CLIENT_ID and OCEN_CLIENT_SECRET_FILE: "
                "the registry gives them at registration"
            )
        return RegistryMembership(
            self.registry_url,
            self.participant_id,
            self.client_id,
            _read_secret("OCEN_CLIENT_SECRET_FILE", self.client_secret_file),
            tuple(part.strip() for part in self.product_networks.split(",") if part.strip()),
            _dialects(self.dialects),
            self.registry_signs,
            timedelta(seconds=self.registry_cache_seconds),
        )


Settings = TypeVar("Settings", bound=ServiceSettings)


def load_settings(kind: type[Settings]) -> Settings:
    """Read settings of that kind from the environment.

    Raises:
        SettingsError: a variable is missing or has a value that it cannot have.
    """
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"OCEN_{'_'.join(str(part) for part in first['loc']).upper()}"
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from error
