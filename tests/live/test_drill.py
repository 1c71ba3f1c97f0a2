"""The rotation drill as people run it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.equipment.deadline import DEADLINE


@pytest.mark.check("OCEN-ROT-02", "OCEN-ROT-03", "OCEN-ROT-05", "OCEN-ROT-06")
def test_in_the_drill_nothing_is_lost_and_only_what_is_blocked_or_removed_is_refused(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("ocen-sandbox")
    done = subprocess.run(
        [program, "drill", "rotation", "--seconds", "10", "--rate", "10", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["holds"], report["lost"], report["refused"]) == (True, [], [])
    assert report["completed"] == report["requests"] >= 50
    assert [refusal["is_right"] for refusal in report["refused_as_it_has_to_be"]] == [True] * 3
    assert len(report["timeline"]) == 11
    used = {kid for stretch in report["timeline"] for kid in stretch["accepted"]}
    assert used == {key["kid"] for key in report["keys"]}
    assert list(tmp_path.iterdir()) == []
