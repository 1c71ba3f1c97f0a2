"""What the PKI tests ask of a folder: its contents, refusals that change nothing, TLS between its organisations."""

import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.pki.certificates import PkiError
from sandbox.pki.folder import SANDBOX_PAIR, initialise
from sandbox.pki.organisation import Organisation
from shared.protocol.messages import Role

NOW = datetime.now(UTC).replace(microsecond=0)  # OpenSSL judges by the real clock; the maker is told the time
THIRD = Organisation("BANK.3", "Third Bank", Role.LENDER, "https://bank.example:9443")


def again(folder: Path, *, now: datetime = NOW) -> None:
    initialise(folder, SANDBOX_PAIR, [], now)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and modification time."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(folder: Path, act: Callable[[], object]) -> str:
    """Check that the act is refused in one line and changes nothing; return the line."""
    before = contents(folder)
    with pytest.raises(PkiError) as caught:
        act()
    assert contents(folder) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit_directory(folder: Path, edit: Callable[[list[dict[str, Any]]], object]) -> None:
    path = folder / "participants.json"
    entries = json.loads(path.read_text())
    edit(entries)
    path.write_text(json.dumps(entries))


def directory(folder: Path) -> dict[str, dict[str, Any]]:
    return {entry["organisation_id"]: entry for entry in json.loads((folder / "participants.json").read_text())}


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """Run a TLS handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in ends * 4:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue


def context(folder: Path, organisation_id: str, purpose: ssl.Purpose) -> ssl.SSLContext:
    made = ssl.create_default_context(purpose, cafile=folder / "ca.pem")
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.load_cert_chain(folder / organisation_id / "tls.pem", folder / organisation_id / "tls.key")
    return made


def connect(folder: Path, server: str = "LENDER01", name: str = "localhost") -> None:
    """Let LSP123 call the server under that host name, each side judging the other strictly."""
    serving = context(folder, server, ssl.Purpose.CLIENT_AUTH)
    handshake(serving, context(folder, "LSP123", ssl.Purpose.SERVER_AUTH), name)
