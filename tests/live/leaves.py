"""TLS certificates that the sandbox's own authority might have issued at another time."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.pki import Organisation, renewed_leaf
from shared.protocol.participants import ParticipantRole
from tests.live.pair import LSP, NOWHERE
from tests.node.certificates import Authority


@dataclass(frozen=True)
class Leaf:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    private_key: Path


def sandbox_authority(certs: Path) -> Authority:
    """The sandbox's own authority, for leaves that are wrong in one respect."""
    return Authority.read(certs / "ca.pem", certs / "ca.key")


def leaf_issued_at(now: datetime, certs: Path, folder: Path, organisation_id: str = LSP) -> Leaf:
    """A certificate in that name, right in everything, with two years to go from `now`; nobody registered it."""
    organisation = Organisation(organisation_id, organisation_id, ParticipantRole.LOAN_AGENT, NOWHERE)
    certificate, private_key = renewed_leaf(certs, organisation, now)
    leaf = Leaf(folder / "leaf.pem", folder / "leaf.key")
    leaf.certificate.write_bytes(certificate)
    leaf.private_key.write_bytes(private_key)
    return leaf
