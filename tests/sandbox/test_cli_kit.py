"""`kit`: a whole folder and an onboarded organisation, or neither."""

import json
from datetime import UTC, datetime
from errno import ENOTEMPTY
from pathlib import Path

import pytest

from sandbox.forms import read_form
from sandbox.pki.organisation import own_form
from tests.sandbox.nodes import Pair
from tests.sandbox.test_cli_participants import KNOWN


@pytest.fixture
def ready(pair: Pair, pki_folder: Path) -> Pair:
    """A pair that runs with the keys of `pki_folder`, and whose LSP takes any form."""
    pair.certs = pki_folder
    ours = own_form(pki_folder / "LSP123" / "identity.json").model_dump()
    pair.lsp["GET /identity/form"] = (200, ours)
    pair.lsp["POST /participants"] = (201, {"participant": KNOWN, "ours": ours})
    return pair


def wish(out: Path, *options: str) -> list[str]:
    return ["kit", "--org", "BANK_02", "--role", "LENDER", "--out", str(out), *options]


def test_a_kit_has_a_form_that_is_the_one_handed_in(ready: Pair, tmp_path: Path) -> None:
    out = tmp_path / "kits" / "bank"
    status, said, err = ready.run(*wish(out, "--base-url", "https://bank.example:8600/ocen"))
    assert (status, err) == (0, "")
    where = f"--data-dir {tmp_path / 'data'}"  # the pair's, which is not where a command looks by itself
    assert f"ocen-sandbox send TriggerLoanAcceptanceRequest --to BANK_02 --wait 2 {where}" in said
    form = read_form((out / "form.yaml").read_text(), "form.yaml", out, datetime.now(UTC))
    assert ready.asked[-1] == ("POST /participants", form.model_dump())
    assert "https://bank.example:8600/ocen" in (out / "README.md").read_text()
    assert (out / ".gitignore").read_text() == "*\n"
    assert "$" not in (out / "README.md").read_text().replace('"$(cat', "")


def test_private_files_of_a_kit_are_the_owners_alone(ready: Pair, tmp_path: Path) -> None:
    ready.run(*wish(tmp_path / "bank"))
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "bank").iterdir()}
    private = {name for name in modes if name.endswith((".key", ".p12")) or name.startswith("passwords")}
    assert private == {
        "signing.key",
        "backup.key",
        "tls.key",
        "keystore.p12",
        "truststore.p12",
        "passwords-not-for-production.txt",
    }
    assert {modes[name] for name in private} == {0o600}
    assert {name for name, mode in modes.items() if mode & 0o100 and name != "counterparty"} == {
        "sign.sh",
        "send-message.sh",
        "callback.sh",
        "listener.py",
    }
    assert json.loads((tmp_path / "bank" / "payload.json").read_text())["response"] == {"error": "0"}


def test_a_folder_that_holds_something_is_left_alone_and_nobody_is_onboarded(ready: Pair, tmp_path: Path) -> None:
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "mine").write_text("x")
    status, _, err = ready.run(*wish(tmp_path / "bank"))
    assert (status, err.count("\n")) == (2, 1)
    assert "bank is there already: name a new or empty folder with --out" in err
    assert [path.name for path in (tmp_path / "bank").iterdir()] == ["mine"]
    assert not [call for call, _ in ready.asked if call.startswith("POST")]


def test_a_link_in_place_of_the_folder_is_refused_and_nobody_is_onboarded(ready: Pair, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "bank").symlink_to(tmp_path / "elsewhere")
    status, _, err = ready.run(*wish(tmp_path / "bank"))
    assert status == 2
    assert "bank is there already: name a new or empty folder with --out" in err
    assert not [call for call, _ in ready.asked if call.startswith("POST")]


def test_the_keys_of_who_has_been_onboarded_stay_where_the_folder_cannot_be_made(
    ready: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def filled_meanwhile(draft: Path, folder: Path) -> None:
        raise OSError(ENOTEMPTY, "Directory not empty")

    monkeypatch.setattr(Path, "rename", filled_meanwhile)
    status, _, err = ready.run(*wish(tmp_path / "kits" / "bank"))
    (draft,) = (tmp_path / "kits").iterdir()
    assert status == 2
    assert f"(Directory not empty): its organisation is onboarded, and the kit is in {draft}" in " ".join(err.split())
    assert (draft / "signing.key").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--base-url", "http://x"], "'http://x' is no base URL"),
        (["--address", "1.2.3.4.5"], "'1.2.3.4.5' is no IP address or network"),
        ([], "the LSP says: it is onboarded already"),
    ],
)
def test_what_is_refused_leaves_no_folder_behind(ready: Pair, tmp_path: Path, options: list[str], said: str) -> None:
    ready.lsp["POST /participants"] = (409, {"detail": "it is onboarded already"})
    before = sorted(tmp_path.iterdir())
    status, _, err = ready.run(*wish(tmp_path / "bank", *options))
    assert (status, err.count("\n")) == (2, 1)
    assert said in err
    assert sorted(tmp_path.iterdir()) == before
