"""What runs at present: the run file that `up` writes, believed only as far as the nodes themselves confirm it.

A machine may have been restarted, a process killed, its id given to a stranger. So a node counts as running only if
its operator plane answers under the recorded address with the recorded process id, and takes the sandbox's token.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from sandbox.errors import SandboxError
from sandbox.network import RegistryOps
from sandbox.ops_client import OpsClient
from sandbox.settings import LENDERS, PAIR, Folders, NodeName

PROBE_SECONDS: Final = 2.0


class RunningNode(BaseModel):
    """One service as it was started; the registry is no organisation, so the id of its organisation is empty."""

    organisation_id: str
    pid: int
    url: str
    ops_url: str
    log: Path


class Run(BaseModel):
    """One start of a sandbox. `supervisor` is the process that ends with it; None when it was started detached."""

    started_at: datetime
    supervisor: int | None
    certs: Path
    nodes: dict[NodeName, RunningNode]
    stopping: bool = False

    @property
    def speaks_v4(self) -> bool:
        """Whether the nodes speak OCEN 4.0 beside OCEN v3."""
        return NodeName.REGISTRY in self.nodes


def write_run(folders: Folders, run: Run) -> None:
    """Write the run file; a reader meets the old one or the new one, never half of it."""
    draft = folders.run_file.with_suffix(".new")
    draft.write_text(run.model_dump_json(indent=2) + "\n", "utf-8")
    draft.replace(folders.run_file)


def read_run(folders: Folders) -> Run | None:
    """Read the run file; None if there is none.

    Raises:
        SandboxError: it cannot be read, or is not what was written.
    """
    try:
        return Run.model_validate_json(folders.run_file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SandboxError(f"{folders.run_file} cannot be read ({error.strerror}): name another --data-dir") from error
    except ValidationError as error:
        raise SandboxError(
            f"{folders.run_file} is not what ocen-sandbox wrote: delete it, and end nodes that still run by hand"
        ) from error


def remove_run(folders: Folders, run: Run) -> None:
    """Remove the run file if it is still that run's."""
    with contextlib.suppress(SandboxError):
        current = read_run(folders)
        if current is not None and current.nodes == run.nodes:
            folders.run_file.unlink(missing_ok=True)


def ops_token(folders: Folders) -> str:
    """Read the token of the operator planes.

    Raises:
        SandboxError: there is none.
    """
    try:
        return folders.token_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxError(f"{folders.token_file} cannot be read: start the pair with `ocen-sandbox up`") from error


def nodes_alive(folders: Folders, run: Run | None) -> dict[NodeName, RunningNode]:
    """Return those nodes of the run that are there now, and are ours."""
    if run is None or not folders.token_file.exists():
        return {}
    token = ops_token(folders)
    alive = {}
    for name, node in run.nodes.items():
        if _is_alive(name, node, token):
            alive[name] = node
    return alive


def operator_plane(
    name: NodeName, node: RunningNode, token: str, timeout: float = PROBE_SECONDS
) -> OpsClient | RegistryOps:
    """Return a client of a service's operator plane; `timeout` is in seconds."""
    kind = RegistryOps if name is NodeName.REGISTRY else OpsClient
    return kind(name.label, node.ops_url, token, timeout=timeout)


class NodesRunning(dict[NodeName, OpsClient]):
    """Clients of the nodes that run; one that does not is named with the way to start it."""

    def __missing__(self, name: NodeName) -> OpsClient:
        """Raise SandboxError."""
        raise SandboxError(
            f"no {name.label} runs: `ocen-sandbox down`, then `ocen-sandbox up --lenders {len(LENDERS)}`"
        )


@contextlib.contextmanager
def connected(folders: Folders) -> Iterator[Mapping[NodeName, OpsClient]]:
    """Have a client of each node that runs, the registry aside.

    Raises:
        SandboxError: the sandbox does not run, or only a part of it.
    """
    nodes = {name: node for name, node in _running(folders).items() if name is not NodeName.REGISTRY}
    token = ops_token(folders)
    with contextlib.ExitStack() as stack:
        yield NodesRunning(
            (name, stack.enter_context(OpsClient(name.label, node.ops_url, token))) for name, node in nodes.items()
        )


@contextlib.contextmanager
def connected_registry(folders: Folders) -> Iterator[RegistryOps]:
    """Have a client of the registry that runs.

    Raises:
        SandboxError: it does not.
    """
    registry = _running(folders).get(NodeName.REGISTRY)
    if registry is None:
        raise SandboxError(
            "the sandbox runs without a registry: `ocen-sandbox down`, then `ocen-sandbox up --version v4`"
        )
    with RegistryOps(NodeName.REGISTRY.label, registry.ops_url, ops_token(folders)) as ops:
        yield ops


def _running(folders: Folders) -> Mapping[NodeName, RunningNode]:
    run = read_run(folders)
    alive = nodes_alive(folders, run)
    if run is None or not alive:
        raise SandboxError(
            f"the sandbox does not run (data folder {folders.data}): start it with `ocen-sandbox up`, "
            "or name the folder of one that runs with --data-dir"
        )
    for name in (*PAIR, *run.nodes):
        if name not in alive:
            v4 = " --version v4" if run.speaks_v4 else ""
            raise SandboxError(f"the {name.label} does not run: run `ocen-sandbox down`, then `ocen-sandbox up{v4}`")
    return alive


def _is_alive(name: NodeName, node: RunningNode, token: str) -> bool:
    with operator_plane(name, node, token) as ops:
        if isinstance(ops, RegistryOps):
            return ops.is_process(node.pid)
        return ops.is_process(node.pid, node.organisation_id)


def process_exists(pid: int) -> bool:
    """Tell whether a process of that id runs; one that has ended and waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()[0] != "Z"
    return True
