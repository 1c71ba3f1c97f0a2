"""The registry as its users run it: a process of its own, with TLS, and curl as the client."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.equipment.deadline import DEADLINE
from tests.equipment.ports import free_ports
from tests.live.logs import assert_nothing_failed
from tests.live.program import Program
from tests.live.waiting import eventually

TOKEN = "a-token-for-a-throw-away-registry"


class LiveRegistry:
    """`python -m registry_app`, with the certificate of the sandbox's lender and the sandbox's authority."""

    def __init__(self, folder: Path, certs: Path, database_url: str) -> None:
        """Prepare it; nothing runs yet."""
        port, ops_port = free_ports(2)
        self.authority = certs / "ca.pem"
        self.url = f"https://localhost:{port}"
        self.log = folder / "registry.log"
        self.log.touch()
        (folder / "registry-token").write_text(TOKEN)
        self.settings = {
            "OCEN_DATABASE_URL": database_url,
            "OCEN_PORT": str(port),
            "OCEN_OPS_PORT": str(ops_port),
            "OCEN_OPS_TOKEN_FILE": str(folder / "registry-token"),
            "OCEN_PUBLIC_URL": self.url,
            "OCEN_TLS_CERTIFICATE": str(certs / "LENDER01" / "tls.pem"),
            "OCEN_TLS_PRIVATE_KEY": str(certs / "LENDER01" / "tls.key"),
            "OCEN_TRUST": str(self.authority),
            "OCEN_KEYS_FOLDER": str(folder / "token-keys"),
        }
        self.arguments = ("-m", "registry_app")
        headers = {"authorization": f"Bearer {TOKEN}"}
        self.ops = httpx.Client(base_url=f"http://127.0.0.1:{ops_port}", headers=headers, timeout=DEADLINE)
        self._process: Program | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of its process."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OCEN_")}
        return {**inherited, **self.settings}

    def start(self) -> None:
        """Start its process, and wait until it takes calls."""
        self._process = Program(self.arguments, self.environment, self.log, self.log)
        eventually(self._is_ready)

    def stop(self) -> int:
        """Ask it to end (SIGTERM), wait for that, and give its exit status."""
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(DEADLINE)
        self._process = None
        return status

    def close(self) -> None:
        """End it if it runs, and let go of everything."""
        self.ops.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def curl(self, path: str, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
        """Call it with curl: the status of the answer (0: no answer), and its JSON."""
        command = ["curl", "-sS", "--cacert", self.authority, "-w", "\n%{http_code}", *arguments, f"{self.url}{path}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body or "{}")

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"it has ended: {self.log.read_text()[-2000:]}"
        try:
            return self.ops.get("/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def live_registry(folder: Path, certs: Path, database_url: str) -> Iterator[LiveRegistry]:
    """A registry that runs."""
    registry = LiveRegistry(folder, certs, database_url)
    try:
        registry.start()
        yield registry
    finally:
        registry.close()
    assert_nothing_failed(registry.log)
