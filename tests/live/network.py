"""The network of OCEN 4.0 as its users run it: a registry, a lender and an LSP as processes, all of which can end."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.network import Membership, join, member_environment
from sandbox.registry_ops import RegistryOps
from sandbox.settings import OcenVersion
from shared.catalogue.table import example_of, find_message
from tests.equipment.deadline import DEADLINE
from tests.equipment.environments import environments_in
from tests.live.logs import assert_nothing_failed
from tests.live.pair import LENDER, LSP, Pair, Side

CACHE_SECONDS = 6
"""Nothing that the registry has said of a participant counts longer in these tests."""

TRIGGER, TRIGGERED = "v4/TriggerLoanAcceptanceRequest", "v4/TriggerLoanAcceptanceResponse"
VERIFY, VERIFIED = "v4/VerifyLoanAcceptanceRequest", "v4/VerifyLoanAcceptanceResponse"
CREATE, CREATED = "v4/CreateLoanApplicationsRequest", "v4/CreateLoanApplicationsResponse"


class RegistrySide(Side):
    """`python -m registry_app`."""

    def __init__(self, settings: Mapping[str, str], folder: Path) -> None:
        """Prepare it; nothing runs yet."""
        super().__init__("registry", settings, folder)
        token = Path(settings["OCEN_OPS_TOKEN_FILE"]).read_text()
        self.admin = RegistryOps("registry", f"http://127.0.0.1:{settings['OCEN_OPS_PORT']}", token, timeout=DEADLINE)

    @property
    def public_url(self) -> str:
        """Where clients call it."""
        return self.settings["OCEN_PUBLIC_URL"]

    def asked(self, operation: str) -> int:
        """How often an operation was asked for, named by the path of its route."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines())
        return sum(line["event"] == "answered" and line["operation"] == operation for line in lines)

    def close(self) -> None:
        """End it if it runs, and let go of everything."""
        self.admin.close()
        super().close()


@dataclass(frozen=True)
class Network(Pair):
    """A pair whose members the registry knows; `members` are by organisation id."""

    registry: RegistrySide
    members: dict[str, Membership] = field(default_factory=dict)

    def admit(self, organisation_id: str) -> Membership:
        """Make one of the organisations in `certs` a member, by its present keys."""
        member = join(self.registry.admin, self.certs / organisation_id / "identity.json")
        self.members[organisation_id] = member
        return member

    def start(self) -> None:
        """Start the registry and both nodes, as far as they do not run; the nodes become members first."""
        if not self.registry.is_running:
            self.registry.start()
        for organisation_id, side in ((LENDER, self.lender), (LSP, self.lsp)):
            if organisation_id not in self.members:
                member, home = self.admit(organisation_id), self.certs / organisation_id
                side.settings |= member_environment(home, member, self.registry.public_url)
        super().start()

    def close(self) -> None:
        """End all three."""
        try:
            super().close()
        finally:
            self.registry.close()

    def content(self, message: str, **members: Any) -> dict[str, Any]:
        """The catalogue's example of a message between the two, with these members changed or added."""
        member = self.members[LENDER]
        product = {"productId": member.product_id, "productNetworkId": member.product_network_id}
        return {**example_of(find_message(message)), "productData": product, **members}

    def send(self, message: str, **members: Any) -> str:
        """Have the LSP send a message to the lender; its requestId."""
        content = self.content(message, **members)
        return str(self.lsp.ops.send(message, self.members[LENDER].participant_id, content)["request_id"])


@contextmanager
def network_in(
    folder: Path, certs: Path, database_urls: Mapping[str, str] | None = None, /, **settings: object
) -> Iterator[Network]:
    """A network with copies of these keys, not yet started; `settings` are added to the environment of both nodes."""
    shutil.copytree(certs, folder / "certs")
    added = {f"OCEN_{name.upper()}": str(value) for name, value in settings.items()}
    environments = environments_in(folder, database_urls, OcenVersion.V4)
    registry = RegistrySide(environments.pop("registry"), folder)
    sides = {name: Side(name, {**environment, **added}, folder) for name, environment in environments.items()}
    network = Network(**sides, certs=folder / "certs", registry=registry)
    try:
        yield network
    finally:
        network.close()
    for side in (*sides.values(), registry):
        assert_nothing_failed(side.log)
