"""TLS certificates that the sandbox's own authority might have issued at another time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki.certificates import leaf_certificate
from sandbox.pki.folder import load_authority
from shared.protocol.signing import new_private_key, private_pem
from tests.live.pair import LSP, Pair, Side
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
    key, hosts = new_private_key(), ["localhost", "127.0.0.1"]
    certificate = leaf_certificate(
        load_authority(certs, datetime.now(UTC)), organisation_id, key.public_key(), hosts, now
    )
    leaf = Leaf(folder / "leaf.pem", folder / "leaf.key")
    leaf.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    leaf.private_key.write_bytes(private_pem(key))
    return leaf


def renew(side: Side, by: Side, pair: Pair, folder: Path) -> tuple[Leaf, str]:
    """Renew a side's certificate as its operator would, `by` being told before; the former, and its thumbprint."""
    organisation_id, home = side.identity.organisation_id, side.identity.tls_certificate.parent
    former = Leaf(folder / "former.pem", folder / "former.key")
    thumbprint = side.ops.identity()["certificate"]
    (home / "tls.pem").rename(former.certificate)
    (home / "tls.key").rename(former.private_key)
    leaf = leaf_issued_at(datetime.now(UTC), pair.certs, folder, organisation_id)
    by.ops.add_certificate(organisation_id, leaf.certificate.read_text(), "renewed")
    leaf.private_key.rename(home / "tls.key")
    leaf.certificate.rename(home / "tls.pem")
    assert side.ops.identity()["certificate"] == thumbprint
    assert side.ops.renew_certificate() == side.ops.identity()["certificate"] != thumbprint
    return former, thumbprint
