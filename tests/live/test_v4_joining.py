"""The page about OCEN 4.0 keeps its word: joining with a service of one's own works by its commands, in their order."""

import re
import shutil
from pathlib import Path

import pytest

from sandbox.preparation import free_base_port
from tests.live.page import ROOT, blocks_of, run_page

MISSING = [tool for tool in ("sh", "openssl", "curl", "python3") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")


def blocks(base: int) -> str:
    """The commands of the page, with the ports of a network at this base, and free ones for who joins."""
    script = "\n".join(blocks_of(ROOT / "docs" / "v4.md"))
    script = script.replace("localhost:8443", f"localhost:{base - 1}").replace(
        "127.0.0.1:9443", f"127.0.0.1:{base + 999}"
    )
    free = base + 5  # between the last port of this network and the first of another
    for number, port in enumerate(sorted(set(re.findall(r"localhost:(86\d\d)", script)))):
        script = script.replace(f"localhost:{port}", f"localhost:{free + number}")
    return script


def test_whoever_follows_the_page_joins_and_exchanges_messages(tmp_path: Path) -> None:
    base = free_base_port()
    said = run_page(blocks(base), tmp_path, base)
    assert said.count("accepted: requestId") == 3
    assert "✓ v4/TriggerLoanAcceptanceResponse from" in said
    assert said.count("triggerLoanAcceptanceResponse: accepted") >= 2
    assert "callback: HTTP 200, error 0" in said
