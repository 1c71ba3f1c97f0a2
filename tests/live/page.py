"""A page whose commands are run as they stand there, in a folder and on ports of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.equipment.deadline import DEADLINE

ROOT = Path(__file__).parents[2]


def blocks_of(page: Path) -> list[str]:
    """The blocks of commands of a page."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run_page(script: str, folder: Path, base_port: int) -> str:
    """Run a page's commands, all of which have to succeed, with our `ocen-sandbox`; what they and it have said.

    What they leave behind is ended: the pair, and those whose process ids they have put into `listener` or `listeners`.
    """
    (folder / "examples").symlink_to(ROOT / "examples")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "OCEN_BASE_PORT": str(base_port)}
    for inherited in ("OCEN_DATA_DIR", "OCEN_CERTS_DIR"):
        environment.pop(inherited, None)
    output = folder / "output"
    with output.open("w") as stream:
        try:
            done = subprocess.run(
                ["sh", "-eu", "-c", f"trap 'kill ${{listener:-}} ${{listeners:-}} 2> /dev/null || :' EXIT\n{script}"],
                cwd=folder, env=environment, stdout=stream, stderr=stream, check=False, timeout=DEADLINE,
            )  # fmt: skip
        finally:
            subprocess.run(["ocen-sandbox", "down"], cwd=folder, env=environment, capture_output=True, check=False)
    said = output.read_text()
    assert done.returncode == 0, said[-3000:]
    return said
