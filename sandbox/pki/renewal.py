"""A new TLS certificate for an organisation of the folder: made beside the one in use, and put in its place later.

In between, counterparties can be told, so that the old and the new certificate count at the same time.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki import certificates, files
from sandbox.pki.certificates import PkiError
from sandbox.pki.folder import load_authority
from sandbox.pki.organisation import certificate_files, kept_or_new_key
from shared.node.onboarding.certificates import uses_of
from shared.transport.tls_files import CertificateFiles


@dataclass(frozen=True, slots=True)
class Renewal:
    """A certificate that waits beside the one in use; `next_key` is there only if the private key is new too."""

    certificate: Path
    key: Path
    next_certificate: Path
    next_key: Path

    @property
    def pem(self) -> str:
        """The new certificate."""
        return self.next_certificate.read_text("utf-8")


def put_in_place(renewals: Sequence[Renewal], then: Callable[[], object]) -> None:
    """Let the new files take the place of those in use; if `then` fails, put the former ones back.

    Raises:
        OSError: a file cannot be written.
        Exception: whatever `then` raises.
    """
    with ExitStack() as undo:
        for made in renewals:
            undo.callback(files.write_public, made.certificate, made.certificate.read_bytes())
            undo.callback(files.write_private, made.key, made.key.read_bytes())
            if made.next_key.exists():
                files.write_private(made.key, made.next_key.read_bytes())
            files.write_public(made.certificate, made.next_certificate.read_bytes())
        then()
        undo.pop_all()
    for made in renewals:
        made.next_key.unlink(missing_ok=True)
        made.next_certificate.unlink()


def prepare_renewals(folder: Path, organisation_id: str, now: datetime, *, new_key: bool) -> list[Renewal]:
    """Make new certificates for the same names and uses, the server's first; return those that were made before.

    Certificates that were prepared and are not in use yet are not made again. A new one is valid from `now` (UTC).
    `new_key` asks for a new private key too; otherwise the key stays.

    Raises PkiError if the folder lacks the organisation's keys or the authority's private key.
    """
    home = folder / organisation_id
    if not (home / "identity.json").exists():
        raise PkiError(f"{folder} has no keys of {organisation_id}: its holder renews its certificate itself")
    identity = files.read_identity(home / "identity.json")
    own = certificate_files(home, identity)
    return [_prepare(pair, organisation_id, folder, now, new_key=new_key) for pair in own]


def _prepare(own: CertificateFiles, subject: str, folder: Path, now: datetime, *, new_key: bool) -> Renewal:
    certificate, key = own
    made = Renewal(certificate, key, certificate.with_suffix(".next.pem"), key.with_suffix(".next.key"))
    if made.next_certificate.exists():
        return made
    if not new_key:  # what waits without a certificate was begun and interrupted; it would come with the wrong one
        made.next_key.unlink(missing_ok=True)
    former = files.parse_certificate(certificate.read_bytes(), certificate)
    private = kept_or_new_key(made.next_key) if new_key else files.read_private_key(key)
    hosts = list(certificates.hosts_of(former))
    leaf = certificates.leaf_certificate(
        load_authority(folder, now), subject, private.public_key(), hosts, now, uses=uses_of(former)
    )
    files.write_public(made.next_certificate, leaf.public_bytes(Encoding.PEM))
    return made
