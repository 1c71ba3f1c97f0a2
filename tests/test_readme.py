"""The README tells no lie that a test can catch."""

import re
from pathlib import Path

import pytest

from lender_app.policy import MAGIC_PREFIXES, AcceptancePolicy
from sandbox.cli import main
from sandbox.cli.app import COMMANDS, loaded
from shared.protocol.checks import REQUEST_CHECKS, V4_REQUEST_CHECKS
from shared.protocol.problems import Problem

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_table_of_errors_is_the_table_of_problems() -> None:
    rows = re.findall(r"^\| `(\w+)`(\*?) \| (\d{3}) \| (.*) \|$", README, re.MULTILINE)
    assert rows == [
        (problem.code, "*" if problem.published else "", str(problem.status), problem.meaning)
        for problem in sorted(Problem, key=lambda problem: problem.code)
    ]


def test_the_number_of_checks_is_right() -> None:
    assert f"{len(REQUEST_CHECKS)} named checks" in README
    page = (ROOT / "docs" / "v4.md").read_text("utf-8")
    assert set(re.findall(r"(\d+) checks", page)) == {str(len(V4_REQUEST_CHECKS))}


def test_every_command_is_listed_and_every_listed_command_exists() -> None:
    table = README.partition("## The command line")[2].partition("###")[0]
    listed = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)", row)}
    commands = {path for path in COMMANDS if " " not in path}
    subcommands = {name for path in commands for name in getattr(loaded(path), "commands", {})}
    assert listed - subcommands == commands


def test_the_magic_ids_and_the_limits_of_an_otp_are_those_of_the_policy() -> None:
    assert set(re.findall(r"^\| `(\w+-)` \|", README, re.MULTILINE)) == set(MAGIC_PREFIXES)
    policy = AcceptancePolicy()
    minutes = policy.otp_validity.total_seconds() / 60
    assert f"valid for {minutes:.0f} minutes and allows {policy.tries} wrong answers" in README


def test_every_number_that_a_clause_cites_is_among_the_positions() -> None:
    positions = (ROOT / "docs" / "positions.md").read_text("utf-8")
    sources = [
        file.read_text("utf-8")
        for package in ("shared", "lender_app", "registry_app")
        for file in (ROOT / package).rglob("*.py")
    ]
    cited = {number for source in sources for number in re.findall(r"\b[CGS]\d{1,2}\b", source)}
    assert cited == set(re.findall(r"^\| ([CGS]\d+) \|", positions, re.MULTILINE))
    answers = {
        answer
        for row in re.findall(r"^\| [CGS]\d+ \|.*\| ([P\d, ]+) \|$", positions, re.MULTILINE)
        for answer in row.split(", ")
    }
    assert all(f"**{answer}. " in positions for answer in answers)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    named = re.findall(r"`((?:shared|lender_app|lsp_app|sandbox|tests|examples|docs|certs)/[\w./-]*)`", text)
    linked = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    missing = [name for name in named if not name.startswith("certs/generated/") and not (ROOT / name).exists()]
    headings = {f"#{title.lower().replace(' ', '-')}" for title in re.findall(r"^##+ (.+)$", text, re.MULTILINE)}
    missing += [target for target in linked if target not in headings and not (page.parent / target).exists()]
    assert not missing


def test_the_published_sample_verifies_by_the_command_that_the_readme_gives(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = ROOT / "examples" / "published-sample"
    with (sample / "envelope.json").open() as envelope:
        monkeypatch.setattr("sys.stdin", envelope)
        assert main(["verify", "--profile", "v3", "--key", str(sample / "public.pem")]) == 0
    assert "signature_verifies" in capsys.readouterr().out
