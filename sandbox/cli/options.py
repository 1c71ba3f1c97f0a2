"""The options that several commands share, and what is made of them."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from sandbox.errors import SandboxError
from sandbox.pki.folder import DEFAULT_FOLDER
from sandbox.settings import (
    DEFAULT_BASE_PORT,
    DEFAULT_DATA_FOLDER,
    LENDERS,
    NODES,
    Folders,
    LogLevel,
    NodeName,
    OcenVersion,
    PairSettings,
)
from shared.node.settings import LogFormat
from shared.protocol.messages import Role

HIGHEST_BASE_PORT = 65_535 - 1_003


RoleName = Literal["LENDER", "LSP"]
"""Roles as people say them; OCEN 4's word for the LSP is Loan Agent."""


def role_named(name: RoleName) -> Role:
    """Return the role that a participant of that name has in the network."""
    return Role.LENDER if name == "LENDER" else Role.LOAN_AGENT


DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="OCEN_DATA_DIR", help="Folder of databases, logs and secrets.")
]
CertsDir = Annotated[
    Path, typer.Option("--certs-dir", "--folder", envvar="OCEN_CERTS_DIR", help="Folder of keys and certificates.")
]
BasePort = Annotated[
    int,
    typer.Option(
        min=2,
        max=HIGHEST_BASE_PORT,
        envvar="OCEN_BASE_PORT",
        help="The lender's port; the LSP's is the next, then those of further lenders, the registry's is the one "
        "before; the operator planes' are 1000 higher.",
    ),
]
Version = Annotated[
    OcenVersion,
    typer.Option("--version", envvar="OCEN_VERSION", help="v4: OCEN 4.0 too, with a registry that all are members of."),
]
Lenders = Annotated[
    int, typer.Option(min=1, max=len(LENDERS), envvar="OCEN_LENDERS", help="So many lenders: LENDER01, LENDER02, ...")
]
Host = Annotated[
    str,
    typer.Option(
        envvar="OCEN_PUBLIC_HOST",
        help="Host name of the base URLs and in the certificates; any but localhost opens the nodes to the network.",
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        help="Databases of all, with {node} where lender, lsp, lender02, lender03 or registry goes: "
        "postgresql://ocen@localhost/ocen_{node}."
    ),
]
LenderDatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar=NodeName.LENDER.database_variable,
        help="The lender's database.",
        show_default="SQLite in the data folder",
    ),
]
LspDatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar=NodeName.LSP.database_variable, help="The LSP's database.", show_default="SQLite in the data folder"
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", envvar="OCEN_STRICT", help="Answer refusals with the error code alone.")
]
LogFormatOption = Annotated[LogFormat, typer.Option(envvar="OCEN_LOG_FORMAT", help="How log lines look.")]
LogLevelOption = Annotated[
    LogLevel, typer.Option(envvar="OCEN_LOG_LEVEL", case_sensitive=False, help="From which level on nodes log.")
]


def node_named(text: str) -> NodeName:
    """Return the node of that name; the registry is none. Raises BadParameter if there is no such node."""
    if text not in NODES:
        raise typer.BadParameter(f"there is no node {text}: choose from {', '.join(NODES)}")
    return NodeName(text)


def node_option(flag: str, *, text: str, default: str | bool = True) -> Any:
    """Make an option that names a node; `text` is its help, `default` is what the help says of leaving it out."""
    return typer.Option(flag, help=text, show_default=default, parser=node_named, metavar="|".join(NODES))


At = Annotated[NodeName | None, node_option("--at", text="Only at this node.", default="all nodes")]

OrgName = Annotated[str | None, typer.Option("--name", help="Its name.", show_default="the organisation id")]
Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", help="Address or network that it calls from; up to three.", show_default="loopback"),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Participant id, or organisation id.")]
Of = Annotated[str | None, typer.Option("--of", metavar="ORG", help="A counterparty's.", show_default="the nodes' own")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the key.")]

DATA_DIR = DEFAULT_DATA_FOLDER
CERTS_DIR = DEFAULT_FOLDER

Status = TypeVar("Status")


def pair_settings(
    *,
    data_dir: DataDir = DATA_DIR,
    certs_dir: CertsDir = CERTS_DIR,
    base_port: BasePort = DEFAULT_BASE_PORT,
    host: Host = "localhost",
    database_url: DatabaseUrl = None,
    lender_database_url: LenderDatabaseUrl = None,
    lsp_database_url: LspDatabaseUrl = None,
    version: Version = OcenVersion.V3,
    lenders: Lenders = 1,
    strict: Strict = False,
    log_format: LogFormatOption = LogFormat.JSON,
    log_level: LogLevelOption = LogLevel.INFO,
) -> PairSettings:
    """Make the settings of a pair from its options. Raises SandboxError if both nodes have one database."""
    given = {NodeName.LENDER: lender_database_url, NodeName.LSP: lsp_database_url}
    urls = {name: given.get(name) or (database_url or "").replace("{node}", name.value) for name in NodeName}
    if urls[NodeName.LENDER] and urls[NodeName.LENDER] == urls[NodeName.LSP]:
        raise SandboxError("the nodes cannot share one database: write {node} where lender or lsp goes in the URL")
    return PairSettings(
        folders=Folders(data_dir, certs_dir),
        base_port=base_port,
        host=host,
        database_urls=urls,
        strict=strict,
        log_format=log_format,
        log_level=log_level,
        version=version,
        lenders=lenders,
    )


def with_pair_settings(command: Callable[..., Status]) -> Callable[..., Status]:
    """Give a command, in place of its parameter `settings`, the options from which `pair_settings` makes them."""
    shared = inspect.signature(pair_settings).parameters
    own = [parameter for name, parameter in inspect.signature(command).parameters.items() if name != "settings"]

    @functools.wraps(command)
    def run(**given: Any) -> Status:
        return command(settings=pair_settings(**{name: given.pop(name) for name in shared}), **given)

    run.__signature__ = inspect.Signature([*own, *shared.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared.values())}
    return run
