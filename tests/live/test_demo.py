"""The command line as people meet it: the demo, and the pair in the background."""

import re
from pathlib import Path

from tests.live.command import Command


def test_the_demo_shows_the_whole_exchange_and_a_refusal_and_ends_the_pair(command: Command, tmp_path: Path) -> None:
    done = command("demo", "--exit")
    assert (done.returncode, done.stderr) == (0, "")
    arrows = re.findall(r"\d (Trigger\w+|Verify\w+)", done.stdout)
    assert arrows == [
        "TriggerLoanAcceptanceRequest",
        "TriggerLoanAcceptanceResponse",
        "VerifyLoanAcceptanceRequest",
        "VerifyLoanAcceptanceResponse",
    ]
    for word in ("✓ signature_verifies", "status SUCCESS", "is your OTP", "✓ Every step held."):
        assert word in done.stdout
    for word in (
        "✗ signature_verifies",
        "found     a signature by this key that does not verify",
        "signed refusal, HTTP 401",
    ):
        assert word in done.stdout
    assert "\x1b" not in done.stdout
    assert all(len(line) <= 110 for line in done.stdout.splitlines())
    assert not (tmp_path / ".sandbox" / "run.json").exists()
    assert command("status").returncode == 1


def test_a_pair_in_another_folder_says_how_it_is_ended(command: Command) -> None:
    started = command("up", "--detach", "--data-dir", "elsewhere").stdout
    end = "ocen-sandbox down --data-dir elsewhere"
    try:
        assert started.endswith(f"end it with: {end}\n")
    finally:
        assert command(*end.split()[1:]).stdout == "Ended: the lender and the LSP.\n"


def test_a_pair_in_the_background_is_used_by_every_command_and_ended_by_down(command: Command) -> None:
    assert command("up", "--detach").returncode == 0
    assert command("status").returncode == 0
    again = command("up")
    assert (again.returncode, again.stdout) == (2, "")
    assert "the pair runs already" in again.stderr
    assert command("demo", "--exit").stdout.startswith("Using the pair that runs already, at https://localhost:")
    issued = command("pki", "issue", "BANK01", "--role", "LENDER")
    assert "know it from now on" in issued.stdout
    sent = command("send", "TriggerLoanAcceptanceRequest")
    assert sent.returncode == 0
    request_id = sent.stdout.split()[1]
    assert "HTTP 200, ACCEPTED" in command("messages", request_id).stdout
    assert request_id in command("sms").stdout
    assert command("down").stdout == "Ended: the lender and the LSP.\n"
    assert command("down").stdout == "Nothing runs in .sandbox.\n"
