"""What the operator plane needs of its node, and the parameter that gives it to the routes."""

from typing import Annotated, Protocol

from fastapi import Depends, Request
from sqlalchemy import Engine

from shared.clock import Clock
from shared.node.directory import Directory
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.onboarding.registrar import Registrar
from shared.node.readiness import ReadinessCheck
from shared.node.registry.member import Member
from shared.node.send.sender import Sender
from shared.node.settings import NodeSettings
from shared.node.telemetry import Telemetry
from shared.transport.tls import TlsTrust


class OperatedNode(Protocol):
    """The parts of a node that an operator sees or acts on."""

    settings: NodeSettings
    clock: Clock
    identity: Identity
    telemetry: Telemetry
    engine: Engine
    directory: Directory
    journal: Journal
    sender: Sender
    registrar: Registrar
    trust: TlsTrust
    readiness: ReadinessCheck
    member: Member | None


async def _node(request: Request) -> OperatedNode:
    node: OperatedNode = request.app.state.node
    return node


TheNode = Annotated[OperatedNode, Depends(_node)]
"""The parameter through which a route is given its node."""
