"""The command line as a process, in a folder and on ports of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.preparation import free_base_port
from tests.equipment.deadline import DEADLINE

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """Run `ocen-sandbox` in an empty folder, on ports of its own."""
    program = Path(sys.executable).with_name("ocen-sandbox")
    variables = {**os.environ, "OCEN_BASE_PORT": str(free_base_port()), "COLUMNS": "100"}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [program, *arguments],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )

    yield run
    run("down")
