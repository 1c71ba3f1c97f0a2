import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from sandbox import cli
from sandbox.cli import main
from sandbox.cli.app import COMMANDS, loaded
from sandbox.cli.diagram import SequenceDiagram
from sandbox.cli.pair_options import pair_settings
from sandbox.errors import NodeDiedError, SandboxError
from sandbox.settings import Folders, NodeName
from tests.sandbox.nodes import alive, operator_plane, run_of

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return status, out, err

    return run


NAMES = [path for path in COMMANDS if " " not in path]


def commands() -> list[str]:
    """Return the path of every command, those of groups too."""
    groups = {path: getattr(loaded(path), "commands", {}) for path in NAMES}
    return [*NAMES, *(f"{path} {name}" for path, members in groups.items() for name in members)]


def test_the_bare_command_prints_the_help_page(run: Run) -> None:
    status, out, err = run()
    assert (status, err) == (0, "")
    assert all(re.search(rf"│ {name}\b", out) for name in NAMES)


def test_a_group_without_a_command_prints_its_help_page(run: Run) -> None:
    status, out, err = run("pki")
    assert (status, err) == (0, "")
    assert "issue" in out


@pytest.mark.parametrize("path", COMMANDS)
def test_a_list_of_commands_says_of_each_what_its_own_help_page_begins_with(path: str) -> None:
    assert loaded(path).help.splitlines()[0] == COMMANDS[path][2]


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        ("--version", "shared httpx pydantic cryptography"),
        ("--help", "shared httpx pydantic cryptography"),
        ("status --help", "sqlalchemy fastapi cryptography jwcrypto yaml"),
        ("messages --help", "sqlalchemy fastapi cryptography jwcrypto yaml shared.catalogue"),
        ("status --data-dir no-such", "sqlalchemy fastapi cryptography jwcrypto yaml"),
        ("participants --help", "sqlalchemy fastapi yaml sandbox.pki"),
    ],
)
def test_a_command_imports_only_what_it_needs(arguments: str, spared: str) -> None:
    run = f"import sys; from sandbox.cli import main; main({arguments.split()}); print(*sys.modules, file=sys.stderr)"
    imported = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True).stderr.split()
    assert "typer" in imported
    assert not set(imported) & set(spared.split())


@pytest.mark.parametrize("command", commands())
def test_every_command_has_a_help_page_of_80_columns(command: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = run(*command.split(), "--help")
    assert status == 0
    assert f"Usage: ocen-sandbox {command}" in out
    text = out.split("╭")[0].splitlines()
    assert all(len(line.rstrip()) <= 80 for line in text)
    assert all(line.strip() not in ("to", "the", "a") for line in text)  # no line of ours is broken once more


def test_the_version_is_printed(run: Run) -> None:
    assert re.fullmatch(r"ocen-sandbox \d+\.\d+\.\d+\n", run("--version")[1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fly"], "No such command 'fly'; see `ocen-sandbox --help`"),
        (["up", "--xyz"], "No such option: --xyz; see `ocen-sandbox up --help`"),
        (["up", "--base-port", "70000"], "less than or equal to 64532; see `ocen-sandbox up --help`"),
        (["up", "--base-port", "high"], "--base-port"),
        (["send", "TriggerLoanAcceptanceRequest", "--from", "x"], "there is no node x: choose from lender, lsp"),
        (["keys", "block", "k-1"], "Missing option '--reason'; see `ocen-sandbox keys block --help`"),
        (["keys", "fly"], "No such command 'fly'; see `ocen-sandbox keys --help`"),
        (["keys", "keys", "list"], "No such command 'keys'; see `ocen-sandbox keys --help`"),
        (["up", "--database-url", "postgresql://db/ocen"], "cannot share one database: write {node}"),
        (["demo", "--lender-database-url", "a", "--lsp-database-url", "a"], "cannot share one database"),
        (["up", "--log-level", "LOUD"], "--log-level"),
        (["up", "--version", "v5"], "--version"),
        (["up", "--lenders", "4"], "--lenders"),
        (["messages", "--at", "registry"], "there is no node registry: choose from lender, lsp, lender02, lender03"),
        (["send", "Foo"], "there is no message Foo: choose from CreateLoanApplicationsRequest"),
        (["send", "TriggerLoanAcceptanceRequest", "--file", "no-such"], "no-such cannot be read"),
        (["pki", "show", "--certs-dir", "no-such"], "run `ocen-sandbox pki init` first"),
        (["pki", "issue", "BANK01", "--role", "BANK"], "--role"),
        (["pki", "issue", "A/B", "--role", "LENDER"], "'A/B' cannot be an organisation id here"),
    ],
)
def test_wrong_input_gives_one_line_and_status_2(arguments: list[str], said: str, run: Run) -> None:
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("ocen-sandbox: ")
    assert said in err


def test_the_marks_of_the_command_line_survive_a_stream_of_plain_ascii(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as out:
        monkeypatch.setattr("sys.stdout", out)
        run()
    assert "| demo" in (tmp_path / "out").read_text()


def test_down_and_status_say_so_where_nothing_runs(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        status, out, err = run("down", "--data-dir", tmp_path)
        assert (status, out, err) == (0, f"Nothing runs in {tmp_path}.\n", "")
    status, out, _ = run("status", "--data-dir", tmp_path)
    assert (status, out) == (1, f"Nothing runs in {tmp_path}; start the pair with: ocen-sandbox up\n")


def test_up_says_in_one_line_that_the_pair_runs_already(run: Run, tmp_path: Path) -> None:
    folders = Folders(tmp_path / "data")
    with (
        operator_plane(alive("LENDER01", os.getpid()), []) as lender,
        operator_plane(alive("LSP123", os.getpid()), []) as lsp,
    ):
        run_of(folders, {NodeName.LENDER: lender, NodeName.LSP: lsp}, os.getpid())
        status, out, err = run("up", "--data-dir", folders.data, "--certs-dir", tmp_path / "certs")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "the pair runs already" in err
    assert not (tmp_path / "certs").exists()


def test_a_node_that_died_is_told_with_the_end_of_its_log(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise NodeDiedError("the lender has died (exit status 3)", ["[first]", "last"])

    monkeypatch.setattr(cli, "app", die)
    status, _, err = run("up")
    assert status == 1
    assert err.splitlines() == [
        "ocen-sandbox: the lender has died (exit status 3); the end of its log:",
        "  [first]",
        "  last",
    ]


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 0)])
def test_an_interruption_and_a_reader_that_went_away_end_quietly(
    error: BaseException, status: int, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", stop)
    with (tmp_path / "err").open("w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        assert run("up")[0] == status
    assert (tmp_path / "err").read_text() == ""


def test_pki_init_makes_the_pair_with_the_urls_given_and_lets_it_call_from_anywhere(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    status, out, _ = run(
        "pki", "init", "--folder", folder, "--any-address", "--lender-url", "https://a:1", "--lsp-url", "https://b:2"
    )
    assert status == 0
    assert "LSP123/identity.json" in out
    entries = json.loads((folder / "participants.json").read_text())
    assert [(entry["base_url"], entry["ip_addresses"]) for entry in entries] == [
        ("https://a:1", []),
        ("https://b:2", []),
    ]
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600


def test_pki_show_prints_kids_and_fingerprints_and_no_private_key(run: Run, pki_folder: Path) -> None:
    _, out, _ = run("pki", "show", "--certs-dir", pki_folder)
    entries = json.loads((pki_folder / "participants.json").read_text())
    assert all(key["kid"] in out for entry in entries for key in entry["keys"])
    assert "PRIVATE" not in out


def test_pki_issue_without_a_pair_that_runs_says_when_the_nodes_will_know(
    run: Run, pki_folder: Path, tmp_path: Path
) -> None:
    arguments = ("pki", "issue", "BANK01", "--certs-dir", pki_folder, "--data-dir", tmp_path / "data")
    status, out, _ = run(*arguments, "--role", "LSP")
    assert status == 0
    assert "The sandbox does not run. The next `ocen-sandbox up` loads it from" in out
    entry = json.loads((pki_folder / "participants.json").read_text())[-1]
    assert (entry["organisation_id"], entry["role"], entry["ip_addresses"]) == (
        "BANK01",
        "LOAN_AGENT",
        ["127.0.0.1", "::1"],
    )
    assert run(*arguments, "--role", "LSP")[0] == 2


@pytest.mark.parametrize("same_keys", [True, False])
def test_pki_issue_onboards_with_both_nodes_if_they_have_the_same_authority(
    run: Run, pki_folder: Path, tmp_path: Path, same_keys: bool
) -> None:
    folders = Folders(tmp_path / "data", pki_folder if same_keys else tmp_path / "other")
    known = {"POST /participants": (201, {})}
    asked: list[tuple[str, Any]] = []
    with (
        operator_plane({**alive("LENDER01", os.getpid()), **known}, asked) as lender,
        operator_plane({**alive("LSP123", os.getpid()), **known}, asked) as lsp,
    ):
        run_of(folders, {NodeName.LENDER: lender, NodeName.LSP: lsp}, os.getpid())
        where = ("--certs-dir", pki_folder, "--data-dir", folders.data)
        status, out, _ = run("pki", "issue", "BANK01", "--role", "LENDER", *where)
    assert status == 0
    forms = [body for call, body in asked if call == "POST /participants"]
    assert [form["organisation_id"] for form in forms] == (["BANK01"] * 2 if same_keys else [])
    said = "The lender and the LSP that run know it from now on." if same_keys else "uses other keys"
    assert said in out


def test_one_database_url_for_both_nodes_has_a_place_for_their_names() -> None:
    settings = pair_settings(database_url="postgresql://db/ocen_{node}", lsp_database_url="sqlite:///own.db")
    assert settings.database_url(NodeName.LENDER) == "postgresql://db/ocen_lender"
    assert settings.database_url(NodeName.LSP) == "sqlite:///own.db"
    with pytest.raises(SandboxError):
        pair_settings(database_url="postgresql://db/ocen")


@pytest.mark.parametrize("width", [40, 80, 100, 120])
def test_every_line_of_a_diagram_is_equally_wide_up_to_the_right_lifeline(width: int) -> None:
    console = Console(width=width, record=True, quiet=False, file=Path(os.devnull).open("w"))  # noqa: SIM115
    diagram = SequenceDiagram(console, "LSP123", "LENDER01")
    diagram.gap()
    diagram.text(Text("word " * 30), at="LENDER01")
    diagram.arrow("LSP123", Text("1 TriggerLoanAcceptanceRequest"), 0)
    diagram.arrow("LENDER01", Text("ack"), 12)
    console.file.close()
    lines = console.export_text().splitlines()
    ends = {max(line.rfind("│"), line.rfind("┤")) for line in lines[1:]}
    assert len(ends) == 1
    assert lines[0].endswith("LENDER01")
    assert len(lines[0]) == ends.pop() + 1
