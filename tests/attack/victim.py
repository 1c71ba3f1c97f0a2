"""The pair that is attacked: lender and LSP as processes of some checkout, on loopback, until a `with` block ends."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from ssl import SSLContext
from typing import Any

from sandbox.pki.folder import issue
from shared.clock import SystemClock
from shared.node.identity import load_identity
from shared.protocol.signing import SigningKey
from tests.attack.wire import OURSELVES, Address, post
from tests.equipment.environments import environments_in
from tests.live.forger import caller
from tests.live.letters import TRIGGER, envelope, letter, path_of
from tests.live.pair import ACME, LSP, Pair, Side

ATTACKER = ACME.organisation_id
"""A participant that the lender knows; the good client is another one, the LSP."""


@dataclass(frozen=True)
class Victim:
    """A running pair. All attacks go to its lender."""

    pair: Pair

    @property
    def address(self) -> Address:
        """Where the lender takes messages."""
        return OURSELVES, int(self.pair.lender.settings["OCEN_PORT"])

    @property
    def database(self) -> str:
        """The lender's SQLite file."""
        return self.pair.lender.settings["OCEN_DATABASE_URL"].removeprefix("sqlite:///")

    @property
    def operator_token(self) -> str:
        """What opens the lender's operator plane."""
        return Path(self.pair.lender.settings["OCEN_OPS_TOKEN_FILE"]).read_text()

    def tls(self, organisation_id: str) -> SSLContext:
        """TLS of a client that has the certificate of that organisation."""
        home = self.pair.certs / organisation_id
        return caller(self.pair.certs / "ca.pem", home / "tls.pem", home / "tls.key")

    @cached_property
    def attacker_key(self) -> SigningKey:
        """The signing key of the attacker."""
        return load_identity(self.pair.certs / ATTACKER / "identity.json").signing_key

    def message(self, organisation_id: str = LSP, **members: Any) -> bytes:
        """Write a POST of a message that is signed and stamped just now, with these members added."""
        key = self.attacker_key if organisation_id == ATTACKER else self.pair.lsp.identity.signing_key
        return post(path_of(TRIGGER), envelope(letter(TRIGGER, organisation_id, **members), key))

    def cpu_seconds(self) -> float:
        """The CPU time that the lender's process has used until now (proc(5))."""
        fields = Path(f"/proc/{self.pair.lender.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """The resident memory of the lender's process."""
        pages = int(Path(f"/proc/{self.pair.lender.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def make_keys(folder: Path) -> Path:
    """Make keys and certificates, once for all pairs; return their folder."""
    environments_in(folder)
    issue(folder / "certs", ACME, SystemClock().now())
    return folder / "certs"


@contextmanager
def victim_of(checkout: Path, certs: Path, folder: Path) -> Iterator[Victim]:
    """Start a pair with the code of a checkout that has been installed (`make install`), and end it on leaving."""
    shutil.copytree(certs, folder / "certs")
    environments = environments_in(folder)
    sides = {name: Side(name, environment, folder) for name, environment in environments.items()}
    for name, side in sides.items():
        # -I: not the modules of the folder that we are in, but those that this Python was installed with.
        side.command = (str(checkout / ".venv/bin/python"), "-I", "-m", f"{name}_app")
    pair = Pair(**sides, certs=folder / "certs")
    try:
        pair.start()
        yield Victim(pair)
    finally:
        for side in sides.values():
            if side.is_running:
                side.kill()  # in good order it takes seconds after some attacks
            side.close()
