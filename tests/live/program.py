"""Our programs as processes, forked from one that has imported them: most of what a start costs is imports.

What only a process that began as its users begin it can show is shown by the nodes that `ocen-sandbox up` starts, and
by the pages whose commands a shell runs.
"""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

from tests.equipment.deadline import DEADLINE

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["shared.node.process", "lender_app.app", "lsp_app.app", "registry_app.service", "sandbox.cli"]
    + [f"sandbox.cli.{commands}" for commands in ("show", "lifecycle", "sending", "journal", "keys", "registry")]
)


class Program:
    """What `python` runs with these arguments (`-m` and a module, or a file): a process with an environment of its own.

    What it writes is added to two files, which may be one.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        stdout: Path,
        stderr: Path,
        folder: Path | None = None,
    ) -> None:
        """Start it, in a folder of its own if one is given, and do not wait."""
        started = (tuple(arguments), dict(environment), stdout, stderr, folder)
        self._process = _FORKS.Process(target=_become, args=started, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status, once it has ended."""
        return self._process.exitcode

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._process.terminate()

    def kill(self) -> None:
        """End it in the middle of whatever it does (SIGKILL)."""
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, so many seconds at most; its exit status."""
        self._process.join(timeout)
        status = self._process.exitcode
        assert status is not None, f"process {self.pid} has not ended after {timeout} s"
        return status


def run_program(
    arguments: Sequence[str], environment: Mapping[str, str], outputs: Path, folder: Path | None = None
) -> CompletedProcess[str]:
    """Run a program until it ends by itself; its exit status and what it has written, which is kept in `outputs`."""
    stdout, stderr = outputs / "stdout", outputs / "stderr"
    for file in (stdout, stderr):
        file.write_bytes(b"")
    status = Program(arguments, environment, stdout, stderr, folder).wait(DEADLINE)
    return CompletedProcess(arguments, status, stdout.read_text("utf-8"), stderr.read_text("utf-8"))


def _become(
    arguments: Sequence[str], environment: Mapping[str, str], stdout: Path, stderr: Path, folder: Path | None
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, file in ((1, stdout), (2, stderr)):
        with file.open("ab") as stream:
            os.dup2(stream.fileno(), number)
    if folder:
        os.chdir(folder)
    if arguments[0] == "-m":
        sys.argv = list(arguments[1:])
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        runpy.run_path(arguments[0], run_name="__main__")
