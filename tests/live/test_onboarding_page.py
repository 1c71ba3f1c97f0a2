"""The page about onboarding keeps its word: its commands run, in their order, against a pair of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.equipment.ports import free_base_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "onboarding.md").read_text("utf-8")
MISSING = [tool for tool in ("sh", "awk", "openssl", "curl", "python3") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")


def blocks() -> str:
    """The commands of the page, each block announced, with ports that are free in place of the page's."""
    commands = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    script = "\n".join(f"echo '--- block {number}'\n{block}" for number, block in enumerate(commands))
    base = free_base_port() + 2
    for number, port in enumerate(sorted(set(re.findall(r"localhost:(\d+)", script)))):
        script = script.replace(f"localhost:{port}", f"localhost:{base + number}")
    return script


def test_every_command_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "OCEN_BASE_PORT": str(free_base_port())}
    for inherited in ("OCEN_DATA_DIR", "OCEN_CERTS_DIR"):
        environment.pop(inherited, None)
    output = tmp_path / "output"
    with output.open("w") as stream:
        try:
            done = subprocess.run(
                ["sh", "-eu", "-c", f"trap 'kill ${{listener:-}} 2> /dev/null || :' EXIT\n{blocks()}"],
                cwd=tmp_path, env=environment, stdout=stream, stderr=stream, check=False, timeout=240,
            )  # fmt: skip
        finally:
            subprocess.run(["ocen-sandbox", "down"], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, output.read_text()[-3000:]
    said = output.read_text()
    assert said.count("accepted: requestId") == 11
    assert "ACTIVE, a laptop was stolen" in said
    assert "Ended: the lender and the LSP." in said
    assert "Traceback" not in said
