"""A throw-away pair: keys, settings and databases in a folder of its own, on free ports.

For the benchmark, for drills, and for tests that need real processes.
"""

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox.ops_client import OpsClient
from sandbox.pki import Organisation, initialise
from sandbox.settings import NodeName
from sandbox.supervisor import NodePlan, Supervisor
from shared.protocol.participants import ParticipantRole

_ORGANISATIONS = {
    "lender": ("LENDER01", "Sandbox Lender", ParticipantRole.LENDER),
    "lsp": ("LSP123", "Sandbox LSP", ParticipantRole.LOAN_AGENT),
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
        NodePlan(name, (sys.executable, "-m", name.module), {**os.environ, **environment}, folder / f"{name}.log")
        for name, environment in ((NodeName(side), one) for side, one in environments.items())
    ]
    with Supervisor(plans) as supervisor, ExitStack() as stack:
        ops = {plan.name: stack.enter_context(ops_client(plan.name, plan.environment)) for plan in plans}
        supervisor.await_ready(lambda name: ops[name].is_ready())
        yield ThrowawayPair(folder / "certs", ops[NodeName.LENDER], ops[NodeName.LSP])


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
