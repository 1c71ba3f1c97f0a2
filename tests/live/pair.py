"""The pair as its users run it: two processes with TLS between them, each with its own ports and database."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.ops_client import OpsClient
from sandbox.pki.organisation import Organisation
from shared.node.identity import Identity, load_identity
from shared.protocol.messages import Role
from tests.equipment.deadline import DEADLINE
from tests.equipment.environments import environments_in
from tests.live.books import Books
from tests.live.logs import assert_nothing_failed
from tests.live.program import Program
from tests.live.waiting import eventually

LENDER, LSP = "LENDER01", "LSP123"

NOWHERE = "https://localhost:1"
"""A base URL at which nobody answers."""

ACME = Organisation("ACME", "Acme Loans", Role.LOAN_AGENT, NOWHERE)
SECOND_BANK = Organisation("BANK02", "Second Bank", Role.LENDER, NOWHERE)
"""Two further participants, who are known to the pair and have keys, but no node."""


class Side:
    """One node as a process of its own: `python -m lender_app` or `python -m lsp_app`, or another `command`."""

    def __init__(self, name: str, settings: Mapping[str, str], folder: Path) -> None:
        """Prepare it; nothing runs yet. `settings` are its environment variables `OCEN_...`."""
        self.settings = dict(settings)
        self.url = f"https://127.0.0.1:{settings['OCEN_PORT']}"
        self.log = folder / f"{name}.log"
        self.log.touch()
        self.arguments = ("-m", f"{name}_app")
        self.command: tuple[str, ...] = ()
        self._process: Program | subprocess.Popen[bytes] | None = None
        token = Path(settings["OCEN_OPS_TOKEN_FILE"]).read_text()
        self.ops = OpsClient(name, f"http://127.0.0.1:{settings['OCEN_OPS_PORT']}", token, timeout=DEADLINE)

    @cached_property
    def identity(self) -> Identity:
        """Who it is, private keys included."""
        return load_identity(Path(self.settings["OCEN_IDENTITY"]))

    @property
    def public_key(self) -> str:
        """The public half of its signing key, in PEM."""
        return self.identity.signing_key.public().to_pem()

    @cached_property
    def books(self) -> Books:
        """Its database."""
        return Books(self.settings["OCEN_DATABASE_URL"])

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of its process."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OCEN_")}
        return {**inherited, **self.settings}

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has been started, and not been ended by us."""
        return self._process is not None

    def poll(self) -> int | None:
        """The exit status of its process, once that has ended by itself."""
        assert self._process is not None
        return self._process.poll()

    def launch(self) -> None:
        """Start its process, and do not wait."""
        if not self.command:
            self._process = Program(self.arguments, self.environment, self.log, self.log)
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log)

    def await_ready(self) -> None:
        """Wait until it takes messages."""
        eventually(self._is_ready)

    def start(self) -> None:
        """Start its process, and wait until it takes messages."""
        self.launch()
        self.await_ready()

    def stop(self) -> int:
        """Ask it to end (SIGTERM), wait for that, and give its exit status."""
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(DEADLINE)
        self._process = None
        return status

    def kill(self) -> None:
        """End it in the middle of whatever it does (SIGKILL)."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def close(self) -> None:
        """End it if it runs, and let go of everything."""
        try:
            if self._process is not None:
                self.stop()
        finally:
            if self._process is not None:
                self.kill()
            self.ops.close()
            if "books" in self.__dict__:
                self.books.close()

    def received(self, request_id: str, message: str) -> dict[str, Any] | None:
        """A message that it has accepted, as its operator plane shows it."""
        return self._one_of("received", request_id, message)

    def sent(self, request_id: str, message: str) -> dict[str, Any] | None:
        """A message that it sends or has sent, with every try."""
        return self._one_of("sent", request_id, message)

    def delivered(self, request_id: str, message: str) -> dict[str, Any] | None:
        """A message that it has sent, and whose ack it has."""
        sent = self.sent(request_id, message)
        return sent if sent is not None and sent["state"] == "DELIVERED" else None

    def tried(self, request_id: str, message: str, tries: int) -> dict[str, Any] | None:
        """A message that it has tried to send at least so many times."""
        sent = self.sent(request_id, message)
        return sent if sent is not None and sent["tries"] >= tries else None

    def has_nothing_to_send(self) -> bool:
        """Whether no delivery waits or is under way."""
        return not any(self.ops.messages(1, state=state) for state in ("WAITING", "SENDING"))

    def _one_of(self, direction: str, request_id: str, message: str) -> dict[str, Any] | None:
        history = self.ops.message(request_id) or {direction: []}
        return next((record for record in history[direction] if record["message"] == message), None)

    def _is_ready(self) -> bool:
        assert self.poll() is None, f"it has ended: {self.log.read_text()[-2000:]}"
        return self.ops.is_ready()


@dataclass(frozen=True)
class Pair:
    """Lender and LSP, who know each other and the further organisations of the certificates folder `certs`."""

    lender: Side
    lsp: Side
    certs: Path

    def start(self) -> None:
        """Start both, or the one that does not run."""
        for side in (self.lender, self.lsp):
            if not side.is_running:
                side.launch()
        for side in (self.lender, self.lsp):
            side.await_ready()

    def close(self) -> None:
        """End both."""
        try:
            self.lsp.close()
        finally:
            self.lender.close()


PairFactory = Callable[..., Pair]
"""Makes a pair with the settings that it is given by name, not yet started."""


@contextmanager
def pair_in(
    folder: Path, certs: Path, database_urls: Mapping[str, str] | None = None, /, **settings: object
) -> Iterator[Pair]:
    """A pair with copies of these keys, not yet started; `settings` are added to the environment of both."""
    shutil.copytree(certs, folder / "certs")
    added = {f"OCEN_{name.upper()}": str(value) for name, value in settings.items()}
    environments = environments_in(folder, database_urls)
    sides = {name: Side(name, {**environment, **added}, folder) for name, environment in environments.items()}
    pair = Pair(**sides, certs=folder / "certs")
    try:
        yield pair
    finally:
        pair.close()
    for side in sides.values():
        assert_nothing_failed(side.log)
