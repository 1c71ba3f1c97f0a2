"""The options of commands that start a pair, and the settings that are made of them."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from sandbox.cli.options import CERTS_DIR, DATA_DIR, CertsDir, DataDir
from sandbox.errors import SandboxError
from sandbox.pair_settings import DEFAULT_BASE_PORT, LogLevel, PairSettings
from sandbox.settings import LENDERS, Folders, NodeName, OcenVersion
from shared.node.settings import LogFormat

HIGHEST_BASE_PORT = 65_535 - 1_003

Status = TypeVar("Status")


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
