"""A node that cannot run as it is set up ends at once, with status 2 and one line that says the mend."""

import socket
import subprocess

import pytest

from tests.live.conftest import PairFactory
from tests.live.pair import Side


def told(side: Side) -> str:
    """Start it in vain; the one line that it writes."""
    done = subprocess.run(side.command, env=side.environment, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("plane", ["OCEN_PORT", "OCEN_OPS_PORT"])
def test_a_port_in_use_is_told_in_one_line(make_pair: PairFactory, plane: str) -> None:
    lender = make_pair().lender
    with socket.create_server(("127.0.0.1", int(lender.settings[plane]))):
        line = told(lender)

    assert f"port {lender.settings[plane]}" in line
    assert "stop the program that holds it or choose another port" in line


def test_a_missing_identity_file_is_told_in_one_line(make_pair: PairFactory) -> None:
    lsp = make_pair().lsp
    lsp.settings["OCEN_IDENTITY"] += ".not-there"

    assert f"{lsp.settings['OCEN_IDENTITY']} cannot be read; make the keys with: ocen-sandbox pki init" in told(lsp)


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("sqlite:////no/such/folder/lender.db", "its folder must exist and be writable"),
        ("postgresql+psycopg://postgres@127.0.0.1:1/lender", "correct the database URL or start the server"),
        ("mysql://lender", "use sqlite:///path/to/file or postgresql"),
    ],
    ids=["no folder", "no server", "another kind"],
)
def test_a_database_that_cannot_be_used_is_told_in_one_line(make_pair: PairFactory, url: str, mend: str) -> None:
    lender = make_pair().lender
    lender.settings["OCEN_DATABASE_URL"] = url

    assert mend in told(lender)


def test_a_missing_setting_is_told_in_one_line(make_pair: PairFactory) -> None:
    lsp = make_pair().lsp
    del lsp.settings["OCEN_OPS_TOKEN_FILE"]

    assert told(lsp).startswith("OCEN_OPS_TOKEN_FILE: ")
