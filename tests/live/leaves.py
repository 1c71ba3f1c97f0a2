"""TLS certificates that the sandbox's own authority might have issued at another time."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki import certificates, files
from shared.protocol.signing import new_private_key, private_pem
from tests.live.pair import LSP


@dataclass(frozen=True)
class Leaf:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    private_key: Path


def leaf_issued_at(now: datetime, certs: Path, folder: Path, organisation_id: str = LSP) -> Leaf:
    """A certificate in that name, right in everything, with two years to go from `now`; nobody registered it."""
    certificate = files.parse_certificate((certs / "ca.pem").read_bytes(), certs / "ca.pem")
    authority = certificates.Authority(certificate, files.read_private_key(certs / "ca.key"))
    key = new_private_key()
    issued = certificates.leaf_certificate(authority, organisation_id, key.public_key(), ["localhost"], now)
    leaf = Leaf(folder / "leaf.pem", folder / "leaf.key")
    leaf.certificate.write_bytes(issued.public_bytes(Encoding.PEM))
    leaf.private_key.write_bytes(private_pem(key))
    return leaf
