"""The command line as a process, in a folder and on ports of its own."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from sandbox.preparation import free_base_port
from tests.live.program import run_program

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Run `ocen-sandbox` in an empty folder, on ports of its own."""
    program = Path(sys.executable).with_name("ocen-sandbox")
    variables = {**os.environ, "OCEN_BASE_PORT": str(free_base_port()), "COLUMNS": "100"}
    outputs = tmp_path_factory.mktemp("outputs")

    def run(*arguments: str) -> CompletedProcess[str]:
        return run_program([str(program), *arguments], variables, outputs, tmp_path)

    yield run
    run("down")
