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
from sandbox.ops_client import OpsClient
from sandbox.registry_ops import RegistryOps
from sandbox.settings import LENDERS, PAIR, Folders, NodeName

PROBE_SECONDS: Final = 2.0

UP: Final = "ocen-sandbox up"
UP_V4: Final = f"{UP} --version v4"
"""The commands that start a sandbox, for hints."""


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

    def node_of(self, organisation_id: str) -> NodeName | None:
        """Return the node that is an organisation; None if none is."""
        return next((name for name, node in self.nodes.items() if node.organisation_id == organisation_id), None)

    @property
    def command(self) -> str:
        """The command that starts as many nodes that speak the same."""
        lenders = sum(name in LENDERS for name in self.nodes)
        further = f" --lenders {lenders}" if lenders > 1 else ""
        return f"{UP_V4 if self.speaks_v4 else UP}{further}"


def write_run(folders: Folders, run: Run) -> None:
    """Write the run file; a reader meets the old one or the new one, never half of it."""
    draft = folders.run_file.with_suffix(".new")
    draft.write_text(run.model_dump_json(indent=2) + "\n", "utf-8")
    draft.replace(folders.run_file)


def read_run(folders: Folders) -> Run | None:
    """Read the run file; None if there is none.

    Raises SandboxError if it cannot be read, or is not what was written.
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


def run_of(folders: Folders) -> Run:
    """Read the run file of what runs. Raises SandboxError as `read_run` does, and if nothing runs."""
    run = read_run(folders)
    if run is None:
        raise _nothing_runs(folders, UP)
    return run


def remove_run(folders: Folders, run: Run) -> None:
    """Remove the run file if it is still that run's."""
    with contextlib.suppress(SandboxError):
        current = read_run(folders)
        if current is not None and current.nodes == run.nodes:
            folders.run_file.unlink(missing_ok=True)


def ops_token(folders: Folders) -> str:
    """Read the token of the operator planes. Raises SandboxError if there is none."""
    try:
        return folders.token_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxError(f"{folders.token_file} cannot be read: start the pair with `ocen-sandbox up`") from error


def nodes_alive(folders: Folders, run: Run | None) -> dict[NodeName, RunningNode]:
    """Return those nodes of the run that are there now, and are ours."""
    if run is None or not folders.token_file.exists():
        return {}
    alive = {}
    for name, node in run.nodes.items():
        with operator_plane(folders, name, node) as ops:
            if ops.is_process(node.pid, node.organisation_id):
                alive[name] = node
    return alive


def operator_plane(folders: Folders, name: NodeName, node: RunningNode) -> OpsClient | RegistryOps:
    """Return a client of a service's operator plane that does not wait long for an answer."""
    kind = RegistryOps if name is NodeName.REGISTRY else OpsClient
    return kind(name.label, node.ops_url, ops_token(folders), timeout=PROBE_SECONDS)


class NodesRunning(dict[NodeName, OpsClient]):
    """Clients of the nodes that run; one that does not is named with the way to start it."""

    def __init__(self, up: str) -> None:
        """`up` is the command that starts nodes that speak the same, one lender only."""
        super().__init__()
        self._up = up

    def __missing__(self, name: NodeName) -> OpsClient:
        """Raise SandboxError."""
        raise SandboxError(f"no {name.label} runs: `ocen-sandbox down`, then `{self._up} --lenders {len(LENDERS)}`")


@contextlib.contextmanager
def connected(folders: Folders, up: str = UP) -> Iterator[Mapping[NodeName, OpsClient]]:
    """Have a client of each node that runs, the registry aside; `up` is the command that would start what is needed.

    Raises SandboxError if the sandbox does not run, or only a part of it.
    """
    with clients_of(folders, _running(folders, up)) as nodes:
        yield nodes


@contextlib.contextmanager
def clients_of(folders: Folders, running: Mapping[NodeName, RunningNode]) -> Iterator[Mapping[NodeName, OpsClient]]:
    """Have a client of each of these nodes, the registry aside."""
    nodes = NodesRunning(UP_V4 if NodeName.REGISTRY in running else UP)
    with contextlib.ExitStack() as stack:
        for name, node in running.items():
            if name is not NodeName.REGISTRY:
                nodes[name] = stack.enter_context(OpsClient(name.label, node.ops_url, ops_token(folders)))
        yield nodes


@contextlib.contextmanager
def connected_registry(folders: Folders) -> Iterator[RegistryOps]:
    """Have a client of the registry that runs. Raises SandboxError if it does not."""
    registry = _running(folders, UP_V4).get(NodeName.REGISTRY)
    if registry is None:
        raise SandboxError(f"the sandbox runs without a registry: `ocen-sandbox down`, then `{UP_V4}`")
    with RegistryOps(NodeName.REGISTRY.label, registry.ops_url, ops_token(folders)) as ops:
        yield ops


def _running(folders: Folders, up: str) -> Mapping[NodeName, RunningNode]:
    run = read_run(folders)
    alive = nodes_alive(folders, run)
    if run is None or not alive:
        raise _nothing_runs(folders, up)
    for name in (*PAIR, *run.nodes):
        if name not in alive:
            raise SandboxError(f"the {name.label} does not run: run `ocen-sandbox down`, then `{run.command}`")
    return alive


def _nothing_runs(folders: Folders, up: str) -> SandboxError:
    hint = f"start it with `{up}`, or name the folder of one that runs with --data-dir"
    return SandboxError(f"the sandbox does not run (data folder {folders.data}): {hint}")


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
