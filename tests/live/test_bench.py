"""The benchmark as people run it, in each version of OCEN."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.settings import OcenVersion
from tests.equipment.deadline import DEADLINE

EXCHANGES = 100


@pytest.mark.parametrize("version", OcenVersion)
def test_the_benchmark_measures_every_version_by_the_same_figures(tmp_path: Path, version: OcenVersion) -> None:
    program = Path(sys.executable).with_name("ocen-sandbox")
    done = subprocess.run(
        [program, "bench", "--version", version, "--exchanges", str(EXCHANGES), "--rounds", "1", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["version"], report["exchanges"], report["rounds"]) == (version, EXCHANGES, 1)
    measured = ("exchanges_per_s", "rsa_limit_per_s", "ratio", "rsa_cpu_share", "cpu_ms_per_exchange")
    assert all(report[name] > 0 for name in measured)
    assert all(report[name]["p50"] <= report[name]["p99"] for name in ("ack_ms", "callback_ms"))
    assert list(tmp_path.iterdir()) == []
