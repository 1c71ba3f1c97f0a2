"""What a PKI folder holds, for people: fingerprints, expiry and kids. Only public files are opened."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from sandbox.pki import certificates, files
from sandbox.pki.certificates import PkiError
from shared.node.onboarding.record import KeyRecord, ParticipantRecord
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """A certificate: SHA-256 of its DER in lower-case hex, aware UTC expiry, and the hosts that it names."""

    subject: str
    fingerprint: str
    expires_at: datetime
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeySummary:
    """A listed public key: SHA-256 of its SPKI DER in lower-case hex."""

    kid: str
    algorithm: str
    status: KeyStatus
    bits: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ParticipantSummary:
    """One entry of participants.json; `held` tells that its private keys lie in the folder too."""

    organisation_id: str
    name: str
    role: Role
    base_url: str
    certificates: tuple[CertificateSummary, ...]
    keys: tuple[KeySummary, ...]
    held: bool


@dataclass(frozen=True, slots=True)
class PkiSummary:
    """A whole folder."""

    folder: Path
    authority: CertificateSummary
    participants: tuple[ParticipantSummary, ...]


def describe(folder: Path) -> PkiSummary:
    """Read what the folder's public files say.

    Raises:
        PkiError: the folder was not initialised, or a file is broken.
    """
    authority, directory = folder / "ca.pem", folder / "participants.json"
    try:
        listed = files.read_directory(directory)
        certificate = files.parse_certificate(authority.read_bytes(), authority)
    except FileNotFoundError as error:
        raise PkiError(f"{folder} has no certificate authority yet: run `ocen-sandbox pki init` first") from error
    except OSError as error:
        raise PkiError(f"{error.filename}: {error.strerror}: use a folder that this user may read") from error
    participants = tuple(_participant(folder, directory, entry) for entry in listed)
    return PkiSummary(folder, _certificate(certificate), participants)


def _participant(folder: Path, source: Path, entry: ParticipantRecord) -> ParticipantSummary:
    parsed = [files.parse_certificate(pem.encode(), source) for pem in entry.tls_certificates]
    return ParticipantSummary(
        organisation_id=entry.organisation_id,
        name=entry.name,
        role=entry.role,
        base_url=entry.base_url,
        certificates=tuple(_certificate(certificate) for certificate in parsed),
        keys=tuple(_key(key, source) for key in entry.keys),
        held=(folder / entry.organisation_id / "identity.json").exists(),
    )


def _certificate(certificate: x509.Certificate) -> CertificateSummary:
    return CertificateSummary(
        subject=certificate.subject.rfc4514_string(),
        fingerprint=certificate.fingerprint(SHA256()).hex(),
        expires_at=certificate.not_valid_after_utc,
        hosts=certificates.hosts_of(certificate),
    )


def _key(entry: KeyRecord, source: Path) -> KeySummary:
    public = files.parse_public_key(entry.pem.encode(), source)
    return KeySummary(entry.kid, entry.algorithm, entry.status, public.key_size, certificates.key_fingerprint(public))
