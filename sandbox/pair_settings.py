"""How a sandbox runs: ports, host name, databases, version of OCEN; and what each service is told of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Final

import typer

from sandbox.pki.folder import REGISTRY_FOLDER, SANDBOX_PAIR
from sandbox.pki.organisation import Organisation
from sandbox.settings import LENDERS, NODES, PAIR, Folders, NodeName, OcenVersion
from shared.node.settings import LogFormat, Mode
from shared.protocol.messages import Role

OPS_PORT_DISTANCE: Final = 1000
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class LogLevel(StrEnum):
    """From which level on a node logs."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


_ORGANISATIONS: Final = {
    **dict(zip(PAIR, SANDBOX_PAIR, strict=True)),
    NodeName.LENDER02: Organisation("LENDER02", "Second Sandbox Lender", Role.LENDER, ""),
    NodeName.LENDER03: Organisation("LENDER03", "Third Sandbox Lender", Role.LENDER, ""),
}


@dataclass(frozen=True, slots=True)
class PairSettings:
    """How to run the pair, and with it further lenders and the registry; what is an option of commands says so.

    Attributes:
        database_urls: where a node does not use its own SQLite file.
        strict: without it refusals are told as OCEN_MODE says, explained by default.
    """

    folders: Folders = field(default_factory=Folders)
    base_port: Annotated[
        int,
        typer.Option(
            min=2,
            max=65_535 - OPS_PORT_DISTANCE - len(NODES) + 1,
            envvar="OCEN_BASE_PORT",
            help="The lender's port; the LSP's is the next, then those of further lenders, the registry's is the one "
            "before; the operator planes' are 1000 higher.",
        ),
    ] = 8444
    host: Annotated[
        str,
        typer.Option(
            envvar="OCEN_PUBLIC_HOST",
            help="Host name of the base URLs and in the certificates; "
            "any but localhost opens the nodes to the network.",
        ),
    ] = "localhost"
    database_urls: Mapping[NodeName, str] = field(default_factory=dict)
    version: Annotated[
        OcenVersion,
        typer.Option(
            "--version", envvar="OCEN_VERSION", help="v4: OCEN 4.0 too, with a registry that all are members of."
        ),
    ] = OcenVersion.V3
    lenders: Annotated[
        int,
        typer.Option(min=1, max=len(LENDERS), envvar="OCEN_LENDERS", help="So many lenders: LENDER01, LENDER02, ..."),
    ] = 1
    strict: Annotated[
        bool, typer.Option("--strict", envvar="OCEN_STRICT", help="Answer refusals with the error code alone.")
    ] = False
    log_format: Annotated[LogFormat, typer.Option(envvar="OCEN_LOG_FORMAT", help="How log lines look.")] = (
        LogFormat.JSON
    )
    log_level: Annotated[
        LogLevel, typer.Option(envvar="OCEN_LOG_LEVEL", case_sensitive=False, help="From which level on nodes log.")
    ] = LogLevel.INFO

    @property
    def nodes(self) -> tuple[NodeName, ...]:
        """The nodes that run, the pair first."""
        return tuple(name for name in NODES if name not in LENDERS[self.lenders :])

    @property
    def services(self) -> tuple[NodeName, ...]:
        """All that runs, in the order in which it is started."""
        return (NodeName.REGISTRY, *self.nodes) if self.version is OcenVersion.V4 else self.nodes

    @property
    def is_local(self) -> bool:
        """Whether only this machine calls the nodes."""
        return self.host in LOOPBACK_NAMES

    @property
    def listen_address(self) -> str:
        """The address on which the protocol planes listen; the operator planes never leave loopback."""
        if self.host == "::1":
            return self.host
        return "127.0.0.1" if self.is_local else "0.0.0.0"

    def port(self, node: NodeName) -> int:
        """The port of a node's protocol plane."""
        return self.base_port + (-1 if node is NodeName.REGISTRY else NODES.index(node))

    def ops_port(self, node: NodeName) -> int:
        """The port of a node's operator plane."""
        return self.port(node) + OPS_PORT_DISTANCE

    def ops_url(self, node: NodeName) -> str:
        """Where a node's operator plane is."""
        return f"http://127.0.0.1:{self.ops_port(node)}"

    def url(self, node: NodeName) -> str:
        """Where a node's protocol plane is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port(node)}"

    def organisation(self, node: NodeName) -> Organisation:
        """The organisation that a node is, with the base URL of these settings."""
        organisation = replace(_ORGANISATIONS[node], base_url=self.url(node))
        return organisation if self.is_local else replace(organisation, ip_addresses=())

    def database_url(self, node: NodeName) -> str:
        """The database of a node."""
        return self.database_urls.get(node) or f"sqlite:///{self.folders.data.absolute() / f'{node.value}.db'}"

    def environment(self, node: NodeName) -> dict[str, str]:
        """Return the whole environment of a service's process: ours, with what its settings ask for.

        It sees its own database URL, which may hold a password, and no other's.
        """
        inherited = {k: v for k, v in os.environ.items() if k not in {name.database_variable for name in NodeName}}
        this_machine = {"OCEN_UNLIMITED_SOURCES": "127.0.0.1,::1"}  # where all clients have one address
        return {**this_machine, **inherited, **self.own_environment(node)}

    def own_environment(self, node: NodeName) -> dict[str, str]:
        """Return the variables that these settings set for a service."""
        data, certs = self.folders.data.absolute(), self.folders.certs.absolute()
        own: dict[str, object] = {
            "OCEN_DATABASE_URL": self.database_url(node),
            "OCEN_HOST": self.listen_address,
            "OCEN_PORT": self.port(node),
            "OCEN_OPS_HOST": "127.0.0.1",
            "OCEN_OPS_PORT": self.ops_port(node),
            "OCEN_OPS_TOKEN_FILE": self.folders.token_file.absolute(),
            "OCEN_LOG_FORMAT": self.log_format.value,
            "OCEN_LOG_LEVEL": self.log_level.value,
        }
        if node is NodeName.REGISTRY:
            own |= {
                "OCEN_PUBLIC_URL": self.url(node),
                "OCEN_TLS_CERTIFICATE": certs / REGISTRY_FOLDER / "tls.pem",
                "OCEN_TLS_PRIVATE_KEY": certs / REGISTRY_FOLDER / "tls.key",
                "OCEN_TRUST": certs / "ca.pem",
                "OCEN_KEYS_FOLDER": data / "registry-keys",
            }
        else:
            own |= {
                "OCEN_IDENTITY": self.folders.identity(node).absolute(),
                "OCEN_PARTICIPANTS": certs / "participants.json",
            }
            own |= {"OCEN_MODE": Mode.STRICT.value} if self.strict else {}
        if node in LENDERS:
            own["OCEN_OTP_SECRET_FILE"] = self.folders.otp_secret_file(node).absolute()
        return {name: str(value) for name, value in own.items()}
