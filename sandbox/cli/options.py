"""The options that several commands share, and what is made of them."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sandbox.settings import DEFAULT_CERTS_FOLDER, DEFAULT_DATA_FOLDER, NODES, NodeName
from shared.protocol.messages import Role

RoleName = Literal["LENDER", "LSP"]
"""Roles as people say them; OCEN 4's word for the LSP is Loan Agent."""

DialectChoice = Literal["strict", "authstarter", "rfc"]
"""How a peer of OCEN 4.0 signs; rfc is of former releases: `dialect_named` takes it for strict, and says so."""


def role_named(name: RoleName) -> Role:
    """Return the role that a participant of that name has in the network."""
    return Role.LENDER if name == "LENDER" else Role.LOAN_AGENT


DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="OCEN_DATA_DIR", help="Folder of databases, logs and secrets.")
]
CertsDir = Annotated[
    Path, typer.Option("--certs-dir", "--folder", envvar="OCEN_CERTS_DIR", help="Folder of keys and certificates.")
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
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the history.")]

DATA_DIR = DEFAULT_DATA_FOLDER
CERTS_DIR = DEFAULT_CERTS_FOLDER
