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
from sandbox.settings import PAIR, Folders, NodeName

PROBE_SECONDS: Final = 2.0


class RunningNode(BaseModel):
    """One node as it was started."""

    organisation_id: str
    pid: int
    url: str
    ops_url: str
    log: Path


class Run(BaseModel):
    """One start of the pair. `supervisor` is the process that ends with it; None when it was started detached."""

    started_at: datetime
    supervisor: int | None
    certs: Path
    nodes: dict[NodeName, RunningNode]
    stopping: bool = False


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
        with OpsClient(name.label, node.ops_url, token, timeout=PROBE_SECONDS) as ops:
            if ops.is_process(node.pid, node.organisation_id):
                alive[name] = node
    return alive


@contextlib.contextmanager
def connected(folders: Folders) -> Iterator[Mapping[NodeName, OpsClient]]:
    """Have a client of each node of the pair that runs.

    Raises:
        SandboxError: the pair does not run, or only half of it.
    """
    run = read_run(folders)
    alive = nodes_alive(folders, run)
    if not alive:
        raise SandboxError(
            f"the sandbox does not run (data folder {folders.data}): start it with `ocen-sandbox up`, "
            "or name the folder of one that runs with --data-dir"
        )
    for name in PAIR:
        if name not in alive:
            raise SandboxError(f"the {name.label} does not run: run `ocen-sandbox down`, then `ocen-sandbox up`")
    token = ops_token(folders)
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(OpsClient(name.label, node.ops_url, token)) for name, node in alive.items()}


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
