"""The page about OCEN 4.0 keeps its word: joining with a service of one's own works by its commands, in their order."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.equipment.ports import free_base_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "v4.md").read_text("utf-8")
MISSING = [tool for tool in ("sh", "openssl", "curl", "python3") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")


def blocks(base: int) -> str:
    """The commands of the page, with the ports of a network at this base, and free ones for who joins."""
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    script = script.replace("localhost:8443", f"localhost:{base - 1}").replace(
        "127.0.0.1:9443", f"127.0.0.1:{base + 999}"
    )
    free = base + 5  # between the last port of this network and the first of another
    for number, port in enumerate(sorted(set(re.findall(r"localhost:(86\d\d)", script)))):
        script = script.replace(f"localhost:{port}", f"localhost:{free + number}")
    return script


def test_whoever_follows_the_page_joins_and_exchanges_messages(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    base = free_base_port()
    environment = {**os.environ, "PATH": programs, "OCEN_BASE_PORT": str(base)}
    for inherited in ("OCEN_DATA_DIR", "OCEN_CERTS_DIR"):
        environment.pop(inherited, None)
    output = tmp_path / "output"
    with output.open("w") as stream:
        try:
            done = subprocess.run(
                ["sh", "-eu", "-c", f"trap 'kill ${{listeners:-}} 2> /dev/null || :' EXIT\n{blocks(base)}"],
                cwd=tmp_path, env=environment, stdout=stream, stderr=stream, check=False, timeout=240,
            )  # fmt: skip
        finally:
            subprocess.run(["ocen-sandbox", "down"], cwd=tmp_path, env=environment, capture_output=True, check=False)
    said = output.read_text()
    assert done.returncode == 0, said[-3000:]
    assert said.count("accepted: requestId") == 3
    assert "✓ v4/TriggerLoanAcceptanceResponse from" in said
    assert said.count("triggerLoanAcceptanceResponse: accepted") >= 2
    assert "callback: HTTP 200, error 0" in said
