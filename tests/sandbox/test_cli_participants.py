"""`onboard` and `participants`: what is asked of which node, and what people see."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sandbox.forms import template
from sandbox.pki.organisation import own_form
from tests.sandbox.nodes import Pair

KNOWN: dict[str, Any] = {
    "organisation_id": "BANK01",
    "name": "Example Bank",
    "role": "LENDER",
    "base_url": "https://localhost:8446",
    "envelope_member": "header",
    "ip_addresses": ["127.0.0.1"],
    "judges_addresses": False,
    "certificates": ["ab" * 32],
    "keys": [{"kid": "k-1", "algorithm": "RS512", "status": "ACTIVE", "thumbprint": "x"}],
}
AT = "2031-05-06T07:08:09.123Z"
DETAILS: dict[str, Any] = {
    "organisation_id": "BANK01",
    "name": "Example Bank",
    "role": "LENDER",
    "onboarded_at": AT,
    "offboarded_at": AT,
    "offboarded_because": "pilot has ended",
    "keys": [
        {
            "kid": "k-1",
            "algorithm": "RS512",
            "status": "BLOCKED",
            "thumbprint": "x",
            "pem": "",
            "changes": [
                {"at": AT, "status": "ACTIVE", "reason": "onboarded"},
                {"at": AT, "status": "BLOCKED", "reason": "laptop stolen"},
            ],
        }
    ],
    "certificates": [
        {
            "thumbprint": "ab" * 32,
            "subject": "CN=BANK01",
            "expires_at": AT,
            "uses": ["serving", "calling"],
            "registered_at": AT,
            "removed_at": AT,
            "removed_because": "renewed",
            "pem": "",
        }
    ],
}


@pytest.fixture
def form(pki_folder: Path, tmp_path: Path) -> Path:
    for name in ("tls.pem", "signing.pub.pem", "backup.pub.pem"):
        shutil.copy(pki_folder / "LENDER01" / name, tmp_path)
    (tmp_path / "form.yaml").write_text(template())
    return tmp_path / "form.yaml"


@pytest.fixture
def taking(pair: Pair, pki_folder: Path) -> Pair:
    """A pair whose nodes know BANK01, and take whatever they are told of it."""
    ours = own_form(pki_folder / "LSP123" / "identity.json").model_dump()
    pair.lsp["GET /participants"] = (200, {"items": [KNOWN]})
    pair.lender["GET /participants"] = (200, {"items": []})
    pair.lsp["POST /participants"] = (201, {"participant": KNOWN, "ours": ours})
    pair.lsp["GET /participants/BANK01"] = (200, DETAILS)
    for call in ("PATCH /participants/BANK01", "POST /participants/BANK01/offboard"):
        pair.lsp[call] = (200, DETAILS)
    return pair


def test_a_form_goes_to_the_node_of_the_other_role_and_ours_comes_back(taking: Pair, form: Path) -> None:
    status, out, err = taking.run("onboard", "--file", str(form))
    assert (status, err) == (0, "")
    assert "The LSP knows it from now on" in out
    assert "organisation_id: LSP123" in out
    assert "-----BEGIN CERTIFICATE-----" in out
    (sent,) = (body for call, body in taking.asked if call == "POST /participants")
    assert sent["tls_certificate"] == (form.parent / "tls.pem").read_text()


def test_our_form_is_written_where_it_is_wanted_with_its_pem_files(taking: Pair, form: Path, tmp_path: Path) -> None:
    status, out, _ = taking.run("onboard", "--file", str(form), "--answer", str(tmp_path / "peer" / "form.yaml"))
    assert status == 0
    assert "BEGIN" not in out
    assert sorted(path.name for path in (tmp_path / "peer").iterdir()) == [
        "LSP123-backup.pub.pem",
        "LSP123-signing.pub.pem",
        "LSP123-tls.pem",
        "form.yaml",
    ]


def test_every_error_of_a_form_has_a_line_of_its_own_and_no_node_hears_of_it(taking: Pair, form: Path) -> None:
    form.write_text(template().replace("LENDER", "BANK").replace("https://", "http://"))
    status, out, err = taking.run("onboard", "--file", str(form))
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "ocen-sandbox: the form cannot be taken, and nothing is stored:",
        "  base_url: 'http://localhost:8446' is not encrypted: give one that begins with https://",
        "  role: 'BANK': write LENDER or LSP",
    ]
    assert not [call for call, _ in taking.asked if call.startswith("POST")]


def test_an_answer_that_cannot_be_written_is_refused_before_anything_is_stored(taking: Pair, form: Path) -> None:
    status, _, err = taking.run("onboard", "--file", str(form), "--answer", str(form.parent))
    assert status == 2
    assert "is a folder: name a file for our form" in err
    assert not [call for call, _ in taking.asked if call.startswith("POST")]


def test_the_template_needs_no_pair(pair: Pair) -> None:
    assert pair.run("onboard", "--template") == (0, template(), "")
    assert "`ocen-sandbox onboard --template` writes one" in pair.run("onboard")[2]


def test_the_history_of_a_participant_has_times_and_reasons(taking: Pair) -> None:
    status, out, _ = taking.run("participants", "show", "BANK01")
    assert status == 0
    for line in (
        "offboarded  2031-05-06 07:08:09 UTC, pilot has ended",
        "2031-05-06 07:08:09 UTC  BLOCKED, laptop stolen",
        "removed     2031-05-06 07:08:09 UTC, renewed",
    ):
        assert line in out


def test_a_change_goes_to_the_nodes_that_know_the_participant(taking: Pair) -> None:
    status, out, _ = taking.run("participants", "set", "BANK01", "--address", "10.0.0.5", "--no-judge-addresses")
    assert status == 0
    assert taking.asked[-2] == (
        "PATCH /participants/BANK01",
        {"ip_addresses": ["10.0.0.5"], "judges_addresses": False, "reason": ""},
    )
    assert "calls from   127.0.0.1; not judged" in out
    assert taking.run("participants", "offboard", "BANK01", "--reason", "ended")[0] == 0
    assert taking.asked[-1] == ("POST /participants/BANK01/offboard", {"reason": "ended"})


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["set", "BANK01"], "nothing to change: give --base-url"),
        (["set", "BANK09", "--name", "x"], "no node knows BANK09: see `ocen-sandbox participants`"),
        (["set", "BANK01", "--name", "x", "--at", "lender"], "the lender does not know BANK01"),
        (["show", "BANK09"], "no node knows BANK09, and never did"),
        (["offboard", "BANK01"], "Missing option '--reason'"),
    ],
)
def test_a_wrong_wish_gives_one_line_and_changes_nothing(taking: Pair, command: list[str], said: str) -> None:
    status, out, err = taking.run("participants", *command)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert {call.split()[0] for call, _ in taking.asked} <= {"GET"}


def test_a_data_folder_that_stands_before_the_command_is_not_passed_over(taking: Pair, tmp_path: Path) -> None:
    status, _, err = taking.run("participants", "--data-dir", str(tmp_path), "list")
    assert status == 2
    assert f"write participants list --data-dir {tmp_path}" in err
