"""A data folder outlives its keys and its ports: the nodes are told of both when the pair is started again."""

import json
import shutil
from pathlib import Path

from sandbox.preparation import free_base_port
from tests.live.command import Command


def test_a_pair_with_new_keys_and_other_ports_goes_on_with_its_old_data(command: Command, tmp_path: Path) -> None:
    assert command("up", "--detach").returncode == 0
    assert command("send", "TriggerLoanAcceptanceRequest", "--wait", "60").returncode == 0
    assert command("down").returncode == 0
    shutil.rmtree(tmp_path / "certs" / "generated")

    base = free_base_port()
    started = command("up", "--detach", "--base-port", str(base))

    assert started.returncode == 0, started.stdout + started.stderr
    sent = command("send", "TriggerLoanAcceptanceRequest", "--wait", "60")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    listed = json.loads((tmp_path / "certs" / "generated" / "participants.json").read_text())
    for organisation, at in (("LENDER01", "lsp"), ("LSP123", "lender")):
        keys = command("keys", "list", "--of", organisation, "--at", at).stdout
        statuses = [line.split()[2] for line in keys.splitlines() if line.split()[:1] == ["key"]]
        assert sorted(statuses) == ["ACTIVE,", "BACKUP,", "RETIRED,", "RETIRED,"]
        theirs = (participant["keys"] for participant in listed if participant["organisation_id"] == organisation)
        new = {key["kid"] for known in theirs for key in known}
        assert all(kid in keys for kid in new)
    assert f"https://localhost:{base}" in command("participants").stdout
