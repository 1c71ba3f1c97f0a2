"""The services of a sandbox by name, and the folders that it keeps its files in."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from shared.protocol.messages import Role

DEFAULT_DATA_FOLDER: Final = Path(".sandbox")
DEFAULT_CERTS_FOLDER: Final = Path("certs/generated")


class OcenVersion(StrEnum):
    """What the nodes of a sandbox speak: OCEN v3 alone, or OCEN 4.0 too, with its registry."""

    V3 = "v3"
    V4 = "v4"


class NodeName(StrEnum):
    """The services of a sandbox, as commands name them: the pair, further lenders, and the registry of OCEN 4.0."""

    LENDER = "lender"
    LSP = "lsp"
    LENDER02 = "lender02"
    LENDER03 = "lender03"
    REGISTRY = "registry"

    @property
    def short(self) -> str:
        """How tables name it, as --at does."""
        return "LSP" if self is NodeName.LSP else self.value

    @property
    def kind(self) -> str:
        """What it is, where its organisation id stands beside."""
        return NodeName.LENDER.value if self in LENDERS else self.short

    @property
    def label(self) -> str:
        """How sentences name it; of several lenders all but the first by organisation id."""
        return f"{self.kind} {self.value.upper()}" if self in LENDERS[1:] else self.kind

    @property
    def module(self) -> str:
        """The module that runs it: `python -m MODULE`."""
        return "lender_app" if self in LENDERS else f"{self.value}_app"

    @property
    def role(self) -> Role:
        """Its role in the network; the registry has none."""
        return Role.LENDER if self in LENDERS else Role.LOAN_AGENT

    @property
    def organisation_id(self) -> str:
        """Its organisation in this sandbox; the registry is none."""
        return _ORGANISATION_IDS.get(self, self.value.upper())

    @property
    def other(self) -> "NodeName":
        """The node of the pair that it talks to."""
        return NodeName.LSP if self in LENDERS else NodeName.LENDER

    @property
    def database_variable(self) -> str:
        """The environment variable of the sandbox that names its database."""
        return f"OCEN_{self.value.upper()}_DATABASE_URL"


PAIR: Final = (NodeName.LENDER, NodeName.LSP)
"""The two nodes that every sandbox has."""

LENDERS: Final = (NodeName.LENDER, NodeName.LENDER02, NodeName.LENDER03)
"""The lenders that a sandbox can have."""

NODES: Final = (*PAIR, *LENDERS[1:])
"""All that take part in the network; their ports are those from the base port on, in this order."""

_ORGANISATION_IDS: Final = {NodeName.LENDER: "LENDER01", NodeName.LSP: "LSP123"}


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a sandbox keeps its files: `data` for databases, logs and secrets, `certs` for keys and certificates."""

    data: Path = DEFAULT_DATA_FOLDER
    certs: Path = DEFAULT_CERTS_FOLDER

    @property
    def run_file(self) -> Path:
        """What runs at present: process ids and addresses."""
        return self.data / "run.json"

    @property
    def token_file(self) -> Path:
        """The bearer token of all operator planes."""
        return self.data / "ops-token"

    @property
    def clock_file(self) -> Path:
        """A setting of business time that not every node has taken yet."""
        return self.data / "clock.json"

    def otp_secret_file(self, lender: NodeName) -> Path:
        """The secret that a lender hashes OTPs with."""
        return self.data / ("otp-secret" if lender is NodeName.LENDER else f"otp-secret-{lender.value}")

    def log(self, node: NodeName) -> Path:
        """The log of a node."""
        return self.data / "logs" / f"{node.value}.log"

    def identity(self, node: NodeName) -> Path:
        """The identity file of a node."""
        return self.certs / node.organisation_id / "identity.json"
