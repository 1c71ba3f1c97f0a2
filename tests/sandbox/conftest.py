"""A PKI folder of the sandbox pair for each test, copied from one that is made once, and commands run on its files."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pki.folder import SANDBOX_PAIR, initialise
from sandbox.settings import Folders, NodeName
from tests.sandbox.command_bench import Bench
from tests.sandbox.nodes import Pair, operator_plane, run_of
from tests.sandbox.pki_folder import NOW


@pytest.fixture(autouse=True)
def _no_width_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print as into a pipe: workers that share the tests are told the width of the terminal of their parent."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def made_pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder from which tests get their copies; not to be changed."""
    folder = tmp_path_factory.mktemp("pki") / "certs" / "generated"
    initialise(folder, SANDBOX_PAIR, ["pair.example"], NOW)
    return folder


@pytest.fixture
def pki_folder(made_pki: Path, tmp_path: Path) -> Path:
    """`certs/generated` of the pair, for the test to change."""
    return Path(shutil.copytree(made_pki, tmp_path / "certs" / "generated"))


@pytest.fixture
def pair(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Pair]:
    """A pair of stand-ins for nodes that answer from tables."""
    folders = Folders(tmp_path / "data")
    pair = Pair(folders, capfd)
    with operator_plane(pair.lender, []) as lender, operator_plane(pair.lsp, pair.asked) as lsp:
        run_of(folders, {NodeName.LENDER: lender, NodeName.LSP: lsp}, os.getpid())
        yield pair


@pytest.fixture
def network(tmp_path: Path, pki_folder: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Pair]:
    """Stand-ins for a pair that speaks OCEN 4.0 and for its registry; `told` is what the registry was asked."""
    folders = Folders(tmp_path / "data", pki_folder)
    pair = Pair(folders, capfd)
    with (
        operator_plane(pair.lender, []) as lender,
        operator_plane(pair.lsp, pair.asked) as lsp,
        operator_plane(pair.registry, pair.told) as registry,
    ):
        urls = {NodeName.REGISTRY: registry, NodeName.LENDER: lender, NodeName.LSP: lsp}
        run_of(folders, urls, os.getpid())
        yield pair


@pytest.fixture
def bench(pki_folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(pki_folder, capfd, monkeypatch)
