"""`evidence` against stand-ins of the two nodes: the file it writes, what it prints, and its exit status."""

import hashlib
import json
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from sandbox.cli import main
from sandbox.settings import Folders, NodeName
from tests.sandbox.nodes import Answers, alive, operator_plane, run_of

ROUTE = "GET /messages/r-1/evidence"


def bundle(*flaws: str, journal_of: str = "LENDER01") -> bytes:
    part = {"name": "1-request", "what": "a request", "note": "", "flaws": flaws}
    part["verdict"] = "does not hold" if flaws else "holds"
    unsent = {
        "name": "2-callback",
        "what": "a callback",
        "note": "not yet",
        "flaws": [],
        "verdict": "nothing to verify",
    }
    manifest: dict[str, Any] = {"holds": not flaws, "journal_of": journal_of, "parts": [part, unsent]}
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
    return packed.getvalue()


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[NodeName, Answers]]:
    monkeypatch.chdir(tmp_path)
    answers = {NodeName.LENDER: alive("LENDER01", os.getpid()), NodeName.LSP: alive("LSP123", os.getpid())}
    with (
        operator_plane(answers[NodeName.LENDER], []) as lender,
        operator_plane(answers[NodeName.LSP], []) as lsp,
    ):
        run_of(Folders(tmp_path / "data"), {NodeName.LENDER: lender, NodeName.LSP: lsp}, os.getpid())
        yield answers


def run(*arguments: str) -> int:
    return main(["evidence", *arguments, "--data-dir", "data"])


def test_the_file_is_the_nodes_own_and_every_part_is_printed(
    pair: dict[NodeName, Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    made = bundle()
    pair[NodeName.LENDER][ROUTE] = (200, made)
    assert run("r-1", "--out", "proof.zip") == 0
    assert Path("proof.zip").read_bytes() == made
    assert Path("proof.zip").stat().st_mode & 0o777 == 0o600
    out = capsys.readouterr().out
    assert "✓ 1-request  a request\n- 2-callback  a callback  not yet\n" in out
    assert f"proof.zip has it as the lender LENDER01 does, sha256 {hashlib.sha256(made).hexdigest()}" in out


def test_evidence_that_does_not_hold_is_written_and_told_with_status_1(
    pair: dict[NodeName, Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    pair[NodeName.LENDER][ROUTE] = (200, bundle("signature_verifies: expected a, found b"))
    assert run("r-1") == 1
    assert Path("evidence.zip").exists()
    out = capsys.readouterr().out
    assert "✗ 1-request  a request\n    signature_verifies: expected a, found b\n" in out
    assert "✗ Not all of it holds: something has been changed." in out


def test_what_does_not_hold_is_red(pair: dict[NodeName, Answers], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    pair[NodeName.LENDER][ROUTE] = (200, bundle("a flaw"))
    assert run("r-1") == 1
    assert "\x1b[31m" in capsys.readouterr().out.partition("a flaw")[0].rpartition("\n")[2]


def test_the_node_may_be_chosen_and_otherwise_is_the_one_that_has_it(
    pair: dict[NodeName, Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    pair[NodeName.LSP][ROUTE] = (200, bundle(journal_of="LSP123"))
    assert run("r-1") == 0
    assert "as the LSP LSP123 does" in capsys.readouterr().out
    assert run("r-1", "--at", "lender", "--out", "lender.zip") == 2
    assert not Path("lender.zip").exists()
    assert "nothing was accepted or sent under r-1: list messages with" in capsys.readouterr().err


def test_a_file_that_is_there_is_not_overwritten(
    pair: dict[NodeName, Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    pair[NodeName.LENDER][ROUTE] = (200, bundle())
    Path("evidence.zip").write_text("precious")
    assert run("r-1") == 2
    assert Path("evidence.zip").read_text() == "precious"
    assert "evidence.zip is there already: name another file with --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [((200, b"not a zip file"), "the node's answer is no evidence"), ((500, {"detail": "it failed"}), "it failed")],
)
def test_an_answer_that_is_no_evidence_leaves_no_file(
    pair: dict[NodeName, Answers], capsys: pytest.CaptureFixture[str], answer: tuple[int, Any], sentence: str
) -> None:
    pair[NodeName.LENDER][ROUTE] = answer
    assert run("r-1") == 2
    assert sentence in capsys.readouterr().err
    assert not Path("evidence.zip").exists()
