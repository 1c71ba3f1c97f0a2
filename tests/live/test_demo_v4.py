"""OCEN 4.0 as people meet it on the command line: the demo, and a network in the background."""

import json
import re
import stat
from pathlib import Path

from shared.node.identity import load_identity
from shared.protocol.signing import SigningKey
from tests.live.command import Command


def ids(folder: Path) -> dict[str, str]:
    """The participant id of every organisation that is a member."""
    files = (folder / "certs" / "generated").glob("*/membership.json")
    return {file.parent.name: json.loads(file.read_text())["participant_id"] for file in files}


def own_keys(folder: Path, organisation_id: str) -> tuple[SigningKey, ...]:
    """The signing keys of an organisation as its identity file has them, the active one first."""
    identity = load_identity(folder / "certs" / "generated" / organisation_id / "identity.json")
    return identity.signing_key, *identity.backup_keys


def test_the_demo_goes_from_the_token_to_the_heartbeat_with_two_lenders(command: Command, tmp_path: Path) -> None:
    done = command("demo", "--version", "v4", "--lenders", "2", "--exit")
    assert (done.returncode, done.stderr) == (0, "")
    out = done.stdout
    assert re.findall(r"\d ((?:Create|Trigger|Verify)\w+)", out) == [
        *["CreateLoanApplicationsRequest", "CreateLoanApplicationsResponse"] * 2,
        "TriggerLoanAcceptanceRequest",
        "TriggerLoanAcceptanceResponse",
        "VerifyLoanAcceptanceRequest",
        "VerifyLoanAcceptanceResponse",
    ]
    for word in (
        "access token, RS256, for 24 hours",
        "GET /service/participant-roles/1",
        "✓ token_signature_verifies",
        "✓ both_are_in_the_product_network",
        "is your OTP",
        "LOAN_AGREEMENT_COMPLETED",
        "requestedAmount 250000 when it was signed, 950000 now",
        "✗ signature_verifies",
        "signed refusal, HTTP 401, error AUTH1001",
        "✓ Every step held.",
        "Next, while the network runs (ocen-sandbox up --version v4 --lenders 2):",
    ):
        assert word in out
    for member in ("requestId", "traceId", "signature"):
        first, second = re.findall(rf"^  {member}  +(\S+)$", out, re.MULTILINE)
        assert first != second
    assert len(re.findall(r"^✓  \w+ +[A-Z_]+ +with \w+ +200$", out, re.MULTILINE)) == 16
    assert not re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", out)  # no token is shown
    assert all(len(line) <= 110 for line in out.splitlines())
    assert not (tmp_path / ".sandbox" / "run.json").exists()


def test_a_network_is_started_again_with_the_same_ids_and_the_keys_that_changed_while_v3_ran_alone(
    command: Command, tmp_path: Path
) -> None:
    up = command("up", "--version", "v4", "--lenders", "3", "--detach")
    assert (up.returncode, up.stderr) == (0, "")
    assert "The network is ready." in up.stdout
    assert "Registry  of OCEN 4.0 at https://localhost:" in up.stdout
    assert "LENDER02  lender at https://localhost:" in up.stdout
    before = ids(tmp_path)
    assert before.keys() == {"LENDER01", "LENDER02", "LENDER03", "LSP123"}
    for organisation_id, participant_id in before.items():
        assert f"participant {participant_id}, client" in up.stdout
        secret = tmp_path / "certs" / "generated" / organisation_id / "client-secret"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert command("status").returncode == 0
    assert command("send", "TriggerLoanAcceptanceRequest").returncode == 0
    assert command("demo", "--version", "v4", "--exit").returncode == 0
    assert command("demo", "--exit").returncode == 0
    first, second = (key.kid for key in own_keys(tmp_path, "LSP123"))
    ended = "Ended: the registry, the lender, the LSP, the lender LENDER02 and the lender LENDER03.\n"
    assert command("down").stdout == ended

    assert command("up", "--detach").returncode == 0
    assert command("demo", "--exit").returncode == 0
    for arguments in (
        ("retire", second),
        ("retire", second, "--of", "LSP123"),
        ("add", "--at", "lsp", "--kid", "later", "--out", "later.pub.pem"),
        ("add", "--of", "LSP123", "--kid", "later", "--file", "later.pub.pem"),
        ("switch", "later"),
        ("retire", first),
    ):
        assert command("keys", *arguments).returncode == 0
    assert command("down").stdout == "Ended: the lender and the LSP.\n"

    assert command("up", "--version", "v4", "--detach").returncode == 0
    assert ids(tmp_path) == before
    shown = command("registry", "show", "LSP123").stdout
    assert re.findall(r"^  key +(\S+)$", shown, re.MULTILINE) == ["later"]
    assert command("send", "v4/TriggerLoanAcceptanceRequest").returncode == 0
    assert command("down").stdout == "Ended: the registry, the lender and the LSP.\n"


def test_messages_of_v4_are_sent_and_shown_and_a_further_organisation_joins(command: Command, tmp_path: Path) -> None:
    assert command("up", "--version", "v4", "--lenders", "2", "--detach").returncode == 0
    for arguments in (("--to", "LENDER02"), ("--to", ids(tmp_path)["LENDER01"]), ()):
        sent = command("send", "v4/CreateLoanApplicationsRequest", *arguments)
        assert (sent.returncode, sent.stderr) == (0, "")
        assert "loanApplicationStatus PROCESSING" in sent.stdout
    shown = command("messages", sent.stdout.split()[1]).stdout
    assert len(re.findall(r"^  Signature: eyJ[\w-]+\.\.[\w-]+$", shown, re.MULTILINE)) == 8
    assert not re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", shown)
    assert command("pki", "issue", "BANK01", "--role", "LENDER").returncode == 0
    assert command("registry", "join", "BANK01").returncode == 0
    first = ids(tmp_path)["BANK01"]
    assert "Lender (LENDER02)" in command("registry", "list").stdout
    assert "UNDER_REVIEW, a pause" in command("registry", "suspend", "BANK01", "--reason", "a pause").stdout
    assert command("registry", "approve", "BANK01").returncode == 0
    assert command("registry", "rotate-key").returncode == 0
    assert command("registry", "offboard", "BANK01", "--reason", "the end").returncode == 0
    assert command("registry", "join", "BANK01").returncode == 0
    assert ids(tmp_path)["BANK01"] != first
    assert "CREATE_LOAN_APPLICATION_REQUEST" in command("registry", "events").stdout
