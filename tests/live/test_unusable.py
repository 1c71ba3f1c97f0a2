"""A node that cannot run as it is set up ends at once, with status 2 and one line that says what to do."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.pair import Pair, Side, pair_in
from tests.live.program import run_program


@pytest.fixture(scope="module")
def idle_pair(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Pair]:
    """A pair that could run, and does not."""
    with pair_in(tmp_path_factory.mktemp("idle"), certs) as pair:
        yield pair


def told(side: Side, **changes: str | None) -> str:
    """The one line that a side writes when it is started with these settings changed, or (None) left out."""
    changed = {**side.environment, **changes}
    environment = {name: value for name, value in changed.items() if value is not None}
    done = run_program(side.arguments, environment, side.log.parent)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("plane", ["OCEN_PORT", "OCEN_OPS_PORT"])
def test_a_port_in_use_is_told_in_one_line(idle_pair: Pair, plane: str) -> None:
    port = idle_pair.lender.settings[plane]
    with socket.create_server(("127.0.0.1", int(port))):
        line = told(idle_pair.lender)

    assert f"port {port}: the port is in use; stop the program that holds it or choose another port" in line


def test_a_missing_identity_file_is_told_in_one_line(idle_pair: Pair) -> None:
    line = told(idle_pair.lsp, OCEN_IDENTITY="/no/such/identity.json")

    assert line == "/no/such/identity.json cannot be read; make the keys with: ocen-sandbox pki init"


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("sqlite:////no/such/folder/lender.db", "its folder must exist and be writable"),
        ("postgresql+psycopg://postgres@127.0.0.1:1/lender", "correct the database URL or start the server"),
        ("mysql://lender", "use sqlite:///path/to/file or postgresql"),
    ],
    ids=["no folder", "no server", "another kind"],
)
def test_a_database_that_cannot_be_used_is_told_in_one_line(idle_pair: Pair, url: str, hint: str) -> None:
    assert hint in told(idle_pair.lender, OCEN_DATABASE_URL=url)


def test_a_missing_setting_is_told_in_one_line(idle_pair: Pair) -> None:
    assert told(idle_pair.lsp, OCEN_OPS_TOKEN_FILE=None).startswith("OCEN_OPS_TOKEN_FILE: ")
