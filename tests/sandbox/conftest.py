"""A PKI folder of the sandbox pair for each test, copied from one that is made once, and commands run on its files."""

import shutil
from pathlib import Path

import pytest

from sandbox.pki import SANDBOX_PAIR, initialise
from tests.sandbox.command_bench import Bench
from tests.sandbox.pki_folder import NOW


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
def bench(pki_folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(pki_folder, capfd, monkeypatch)
