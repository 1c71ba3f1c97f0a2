"""A throw-away pair: keys, settings and databases in a folder of its own, on free ports.

For the benchmark, for drills, and for tests that need real processes.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox.network import Membership, RegistryOps, join, member_environment
from sandbox.ops_client import OpsClient
from sandbox.pki import Organisation, initialise, registry_leaf
from sandbox.settings import NodeName
from sandbox.supervisor import COMMANDS, NodePlan, Supervisor
from shared.protocol.messages import Role

_ORGANISATIONS = {
    "lender": ("LENDER01", "Sandbox Lender", Role.LENDER),
    "lsp": ("LSP123", "Sandbox LSP", Role.LOAN_AGENT),
}


@dataclass(frozen=True, slots=True)
class ThrowawayPair:
    """A pair that runs until its `with` block ends: its operator planes, and the folder with its keys."""

    certs: Path
    lender: OpsClient
    lsp: OpsClient


@contextmanager
def throwaway_pair(folder: Path, database_urls: Mapping[str, str]) -> Iterator[ThrowawayPair]:
    """Start a pair in `folder`, wait until it is ready, and end it on leaving.

    Raises:
        SandboxError: a node cannot run as it is set up.
        NodeDiedError: a node ended, or is not ready in time.
    """
    environments = throwaway_environments(folder, database_urls)
    plans = [
        NodePlan(name, COMMANDS[name], {**os.environ, **environment}, folder / f"{name}.log")
        for name, environment in ((NodeName(side), one) for side, one in environments.items())
    ]
    with Supervisor(plans) as supervisor, ExitStack() as stack:
        ops = {plan.name: stack.enter_context(ops_client(plan.name, plan.environment)) for plan in plans}
        supervisor.await_ready(lambda name: ops[name].is_ready())
        yield ThrowawayPair(folder / "certs", ops[NodeName.LENDER], ops[NodeName.LSP])


@dataclass(frozen=True, slots=True)
class ThrowawayNetwork:
    """A network of OCEN 4.0 that runs until its `with` block ends: lenders, an LSP, and the registry that knows them.

    `members` are by organisation id; the environments are those that the processes were started with.
    """

    certs: Path
    registry_url: str
    registry: RegistryOps
    nodes: Mapping[str, OpsClient]
    members: Mapping[str, Membership]
    environments: Mapping[str, Mapping[str, str]]


@contextmanager
def throwaway_registry(folder: Path, certs: Path, **settings: str) -> Iterator[tuple[str, RegistryOps]]:
    """Start a registry in `folder`, and end it on leaving; return its URL and its operator plane."""
    environment = registry_environment(folder, certs) | settings
    plan = NodePlan(
        NodeName.REGISTRY, COMMANDS[NodeName.REGISTRY], {**os.environ, **environment}, folder / "registry.log"
    )
    token = Path(environment["OCEN_OPS_TOKEN_FILE"]).read_text("utf-8")
    with (
        Supervisor([plan]) as supervisor,
        RegistryOps("registry", f"http://127.0.0.1:{environment['OCEN_OPS_PORT']}", token) as ops,
    ):
        supervisor.await_ready(lambda _: ops.is_ready())
        yield environment["OCEN_PUBLIC_URL"], ops


def registry_environment(folder: Path, certs: Path) -> dict[str, str]:
    """Make a TLS certificate and settings for a registry on free ports; return its environment."""
    port, ops_port = free_ports(2)
    certificate, private_key = registry_leaf(certs, ["localhost"], datetime.now(UTC))
    token = folder / "registry-token"
    token.write_text("a-token-for-a-throw-away-registry")
    return {
        "OCEN_DATABASE_URL": f"sqlite:///{folder / 'registry.db'}",
        "OCEN_PORT": str(port),
        "OCEN_OPS_PORT": str(ops_port),
        "OCEN_OPS_TOKEN_FILE": str(token),
        "OCEN_PUBLIC_URL": f"https://localhost:{port}",
        "OCEN_TLS_CERTIFICATE": str(certificate),
        "OCEN_TLS_PRIVATE_KEY": str(private_key),
        "OCEN_TRUST": str(certs / "ca.pem"),
        "OCEN_KEYS_FOLDER": str(folder / "registry-keys"),
    }


@dataclass(frozen=True, slots=True)
class ThrowawayMembership:
    """A registry that runs until its `with` block ends, and two members of it that have not been started.

    `environments` are by side, `lender` and `lsp`; `members` by organisation id.
    """

    registry_url: str
    registry: RegistryOps
    members: Mapping[str, Membership]
    environments: Mapping[str, Mapping[str, str]]


@contextmanager
def throwaway_membership(folder: Path, database_urls: Mapping[str, str]) -> Iterator[ThrowawayMembership]:
    """Start a registry in `folder` and make a lender and an LSP its members; end it on leaving.

    Raises:
        SandboxError: it cannot run as it is set up, or says no.
        NodeDiedError: it ended, or is not ready in time.
    """
    environments = throwaway_environments(folder, database_urls)
    with throwaway_registry(folder, folder / "certs") as (url, registry):
        members = {}
        for side, environment in environments.items():
            identity = Path(environment["OCEN_IDENTITY"])
            members[identity.parent.name] = member = join(registry, identity)
            environments[side] = environment | member_environment(identity.parent, member, url)
        yield ThrowawayMembership(url, registry, members, environments)


@contextmanager
def throwaway_network(folder: Path, database_urls: Mapping[str, str]) -> Iterator[ThrowawayNetwork]:
    """Start a registry, and a lender and an LSP that are its members, in `folder`; end them on leaving.

    Raises:
        SandboxError: one of them cannot run as it is set up.
        NodeDiedError: one of them ended, or is not ready in time.
    """
    with throwaway_membership(folder, database_urls) as given, ExitStack() as stack:
        plans = [
            NodePlan(name, COMMANDS[name], {**os.environ, **environment}, folder / f"{name}.log")
            for name, environment in ((NodeName(side), one) for side, one in given.environments.items())
        ]
        supervisor = stack.enter_context(Supervisor(plans))
        ops = {plan.name: stack.enter_context(ops_client(plan.name, plan.environment)) for plan in plans}
        supervisor.await_ready(lambda name: ops[name].is_ready())
        nodes = {_ORGANISATIONS[name][0]: client for name, client in ops.items()}
        started = {_ORGANISATIONS[side][0]: environment for side, environment in given.environments.items()}
        yield ThrowawayNetwork(folder / "certs", given.registry_url, given.registry, nodes, given.members, started)


def ops_client(name: NodeName, environment: Mapping[str, str]) -> OpsClient:
    """Return a client of the operator plane of a node with that environment."""
    token = Path(environment["OCEN_OPS_TOKEN_FILE"]).read_text("utf-8")
    return OpsClient(name.label, f"http://127.0.0.1:{environment['OCEN_OPS_PORT']}", token)


def throwaway_environments(folder: Path, database_urls: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Make keys and settings in `folder`; return the environment for each side, `lender` and `lsp`.

    `database_urls` may name a database for a side; otherwise it is a SQLite file in the folder.
    """
    ports = free_ports(2 * len(_ORGANISATIONS))
    planes = {side: (ports.pop(), ports.pop()) for side in _ORGANISATIONS}
    organisations = [
        Organisation(organisation_id, name, role, f"https://localhost:{planes[side][0]}")
        for side, (organisation_id, name, role) in _ORGANISATIONS.items()
    ]
    pki = initialise(folder / "certs", organisations, (), datetime.now(UTC))
    token = folder / "ops-token"
    token.write_text("a-token-for-a-throw-away-pair")
    return {
        side: {
            "OCEN_IDENTITY": str(pki.identities[organisation_id]),
            "OCEN_PARTICIPANTS": str(pki.participants),
            "OCEN_DATABASE_URL": database_urls.get(side, f"sqlite:///{folder / side}.db"),
            "OCEN_PORT": str(planes[side][0]),
            "OCEN_OPS_PORT": str(planes[side][1]),
            "OCEN_OPS_TOKEN_FILE": str(token),
            "OCEN_OTP_SECRET_FILE": str(folder / "otp-secret"),
        }
        for side, (organisation_id, _, _) in _ORGANISATIONS.items()
    }


def free_ports(count: int) -> list[int]:
    """Return so many ports of loopback that nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
