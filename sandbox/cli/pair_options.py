"""The options of commands that start a pair: those that its settings name, and where its files and databases are."""

import functools
import inspect
from collections.abc import Callable
from itertools import chain
from typing import Annotated, Any, TypeVar, get_origin

import typer

from sandbox.cli.options import CERTS_DIR, DATA_DIR, CertsDir, DataDir
from sandbox.errors import SandboxError
from sandbox.pair_settings import PairSettings
from sandbox.settings import Folders, NodeName

Status = TypeVar("Status")

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


def pair_settings(
    *,
    data_dir: DataDir = DATA_DIR,
    certs_dir: CertsDir = CERTS_DIR,
    database_url: DatabaseUrl = None,
    lender_database_url: LenderDatabaseUrl = None,
    lsp_database_url: LspDatabaseUrl = None,
    **others: Any,
) -> PairSettings:
    """Make the settings of a pair from its options. Raises SandboxError if both nodes have one database."""
    given = {NodeName.LENDER: lender_database_url, NodeName.LSP: lsp_database_url}
    urls = {name: given.get(name) or (database_url or "").replace("{node}", name.value) for name in NodeName}
    if urls[NodeName.LENDER] and urls[NodeName.LENDER] == urls[NodeName.LSP]:
        raise SandboxError("the nodes cannot share one database: write {node} where lender or lsp goes in the URL")
    return PairSettings(folders=Folders(data_dir, certs_dir), database_urls=urls, **others)


def with_pair_settings(command: Callable[..., Status]) -> Callable[..., Status]:
    """Give a command, in place of its parameter `settings`, the options from which `pair_settings` makes them."""
    known = chain(*(inspect.signature(made).parameters.values() for made in (pair_settings, PairSettings)))
    options = (parameter for parameter in known if get_origin(parameter.annotation) is Annotated)
    shared = [option.replace(kind=option.KEYWORD_ONLY) for option in options]
    own = [parameter for name, parameter in inspect.signature(command).parameters.items() if name != "settings"]

    @functools.wraps(command)
    def run(**given: Any) -> Status:
        return command(settings=pair_settings(**{option.name: given.pop(option.name) for option in shared}), **given)

    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
    return run
