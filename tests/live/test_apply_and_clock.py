"""A loan that is applied for on the command line, and business time that is set there."""

import json
import os
import re
import signal
from pathlib import Path

from tests.live.command import Command
from tests.live.waiting import eventually

DAY = re.compile(r"^(lender|LSP) +(\w+ \d+ \w+ \d+) ", re.MULTILINE)


def test_a_loan_is_applied_for_and_its_offers_are_shown(command: Command) -> None:
    assert command("up", "--detach").returncode == 0
    applied = command("apply", "--pan", "AAGCK1002Q", "--amount", "50000", "--months", "3")
    assert applied.returncode == 0, applied.stderr
    assert "LENDER01  OFFERED" in applied.stdout  # what is between may pass too quickly to be seen
    asked = [line.split()[3] for line in command("messages").stdout.splitlines() if "  LSP     sent" in line]
    assert asked == [
        "CreateLoanApplicationsRequest",
        *["ConsentHandleRequest", "ConsentStatusRequest"] * 2,
        "GenerateOffersRequest",
    ]
    assert "31.2109" in applied.stdout  # 50,000 at 16.5 % in 3 instalments, less a fee of 1,180
    assert "The borrower takes " in applied.stdout
    refused = command("apply", "--pan", "AAGCK2001Q")
    assert refused.returncode == 1
    assert "rejected: The credit score is below 600." in refused.stdout


def test_the_clock_leaves_both_nodes_at_the_same_day_though_one_was_down(command: Command, tmp_path: Path) -> None:
    assert command("up", "--detach").returncode == 0
    pid = json.loads((tmp_path / ".sandbox" / "run.json").read_text())["nodes"]["lsp"]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: "LSP" not in dict(DAY.findall(command("clock").stdout)))
    first, again = command("clock", "+4d"), command("clock", "+4d")
    assert (first.returncode, again.returncode) == (1, 1)
    assert "Not reached: the LSP; start it and repeat `ocen-sandbox clock +4d`." in first.stdout
    assert DAY.findall(first.stdout) == DAY.findall(again.stdout)
    assert command("clock", "+5d").returncode == 2
    command("down")
    assert command("up", "--detach").returncode == 0
    both = dict(DAY.findall(command("clock", "+4d").stdout))
    assert both["lender"] == both["LSP"]
    assert "real time" not in re.sub("ahead of real time", "", command("clock").stdout)
