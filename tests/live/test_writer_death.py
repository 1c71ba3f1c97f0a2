"""A node whose writer has died cannot go on: the process ends and says so, for whoever started it to start it anew."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.equipment.environments import environments_in
from tests.live.pair import Side
from tests.live.waiting import eventually

DIES_WHEN_TOLD = """
import os, pathlib, runpy
from shared.storage.transactions import Transactions

execute = Transactions.execute

def die(self, jobs):
    if pathlib.Path(os.environ["TOLD"]).exists():
        raise MemoryError("nothing left")
    execute(self, jobs)

Transactions.execute = die
runpy.run_module("lender_app", run_name="__main__")
"""


@pytest.fixture
def lender(tmp_path: Path, certs: Path) -> Iterator[Side]:
    """A running lender whose writer dies once the file `told` is there."""
    shutil.copytree(certs, tmp_path / "certs")
    settings = environments_in(tmp_path)["lender"]
    side = Side("lender", {**settings, "TOLD": str(tmp_path / "told")}, tmp_path)
    side.command = (sys.executable, "-c", DIES_WHEN_TOLD)
    side.start()
    yield side
    side.close()


def test_a_node_whose_writer_dies_ends_with_a_line_that_says_so(lender: Side) -> None:
    Path(lender.settings["TOLD"]).touch()

    status = eventually(lender.poll)

    assert status == 1
    *_, line = lender.log.read_text().splitlines()
    assert line == (
        "The thread that writes to the database has ended (MemoryError('nothing left')), so this process ends too: "
        "start it again."
    )
