"""Stand-ins for nodes: an operator plane that answers from a table, and processes that only wait."""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli import main
from sandbox.running import Run, RunningNode, read_run, write_run
from sandbox.settings import Folders, NodeName
from sandbox.supervisor import NodePlan

TOKEN = "a token of more than 16 characters"
WAITS = (sys.executable, "-c", "import signal; print('here', flush=True); signal.pause()")
DIES = (sys.executable, "-c", "print('first'); print('last words'); raise SystemExit(3)")
UNUSABLE = (sys.executable, "-c", "print('OCEN_PORT: the port is in use; choose another'); raise SystemExit(2)")

Answers = dict[str, tuple[int, Any]]
"""What is answered to `METHOD /path`, whatever the query says."""


@contextmanager
def operator_plane(answers: Mapping[str, tuple[int, Any]], asked: list[tuple[str, Any]]) -> Iterator[str]:
    """Serve the answers on loopback to whoever has the token; `asked` gets every call with its body."""

    class Plane(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            asked.append((f"{self.command} {self.path}", body))
            known = self.headers["authorization"] == f"Bearer {TOKEN}"
            call = f"{self.command} {self.path.partition('?')[0]}"
            status, answer = answers.get(call, (404, {"detail": "unknown"})) if known else (401, {"detail": "no token"})
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - the names are the library's
        do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the library's)
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Plane) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def alive(organisation_id: str, pid: int) -> Answers:
    """What a node answers about itself."""
    return {
        "GET /health": (200, {"status": "ok", "pid": pid}),
        "GET /ready": (200, {"ready": True}),
        "GET /refusals": (200, {"items": []}),
        "GET /identity": (
            200,
            {"organisation_id": organisation_id, "kid": "kid-1", "backup_kids": ["kid-2"], "certificate": "ab"},
        ),
    }


def registry_alive(pid: int) -> Answers:
    """What a registry answers about itself."""
    return {
        "GET /health": (200, {"status": "ok", "pid": pid}),
        "GET /ready": (200, {"ready": True}),
        "GET /participants": (200, {"items": []}),
    }


class Pair:
    """A pair of stand-ins, and commands run on it."""

    def __init__(self, folders: Folders, capture: pytest.CaptureFixture[str]) -> None:
        self.registry: Answers = registry_alive(os.getpid())
        self.told: list[tuple[str, Any]] = []
        self.lender: Answers = alive("LENDER01", os.getpid())
        self.lsp: Answers = alive("LSP123", os.getpid())
        self.asked: list[tuple[str, Any]] = []
        self._folders, self._capture = folders, capture

    @property
    def certs(self) -> Path:
        """The folder of keys that it runs with."""
        run = read_run(self._folders)
        assert run is not None
        return run.certs

    @certs.setter
    def certs(self, folder: Path) -> None:
        run = read_run(self._folders)
        assert run is not None
        write_run(self._folders, run.model_copy(update={"certs": folder}))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, "--data-dir", str(self._folders.data)])
        out, err = self._capture.readouterr()
        return status, out, err


def run_of(folders: Folders, urls: Mapping[NodeName, str], pid: int) -> Run:
    """Write the run file of a pair whose operator planes are at these addresses."""
    folders.data.mkdir(parents=True, exist_ok=True)
    folders.token_file.write_text(TOKEN)
    folders.token_file.chmod(0o600)
    ids = {NodeName.LENDER: "LENDER01", NodeName.LSP: "LSP123", NodeName.REGISTRY: ""}
    nodes = {
        name: RunningNode(
            organisation_id=ids[name], pid=pid, url=f"https://{name}.example", ops_url=url, log=folders.log(name)
        )
        for name, url in urls.items()
    }
    run = Run(started_at=datetime(2031, 5, 6, tzinfo=UTC), supervisor=None, certs=folders.certs, nodes=nodes)
    write_run(folders, run)
    return run


def plan(folder: Path, command: tuple[str, ...], name: NodeName = NodeName.LENDER) -> NodePlan:
    return NodePlan(name, command, {}, folder / f"{name}.log")
