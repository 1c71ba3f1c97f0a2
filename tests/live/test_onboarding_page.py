"""The page about onboarding keeps its word: its commands run, in their order, against a pair of their own."""

import re
import shutil
from pathlib import Path

import pytest

from sandbox.preparation import free_base_port
from tests.live.page import ROOT, blocks_of, run_page

MISSING = [tool for tool in ("sh", "awk", "openssl", "curl", "python3") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")


def blocks() -> str:
    """The commands of the page, each block announced, with ports that are free in place of the page's."""
    commands = enumerate(blocks_of(ROOT / "docs" / "onboarding.md"))
    script = "\n".join(f"echo '--- block {number}'\n{block}" for number, block in commands)
    base = free_base_port() + 2
    for number, port in enumerate(sorted(set(re.findall(r"localhost:(\d+)", script)))):
        script = script.replace(f"localhost:{port}", f"localhost:{base + number}")
    return script


def test_every_command_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    said = run_page(blocks(), tmp_path, free_base_port())
    assert said.count("accepted: requestId") == 11
    assert "ACTIVE, a laptop was stolen" in said
    assert "Ended: the lender and the LSP." in said
    assert "Traceback" not in said
