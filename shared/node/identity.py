"""This node's identity: its own record from the identity file, and the key that it signs with at present."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from shared.node.onboarding.record import (
    KeyRecord,
    Kid,
    OnboardedRole,
    OrganisationRecord,
    ParticipantRecord,
    first_error,
)
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from shared.protocol.profiles import V3, Originator
from shared.protocol.signing import KeyMaterialError, SigningKey, load_private_key
from shared.transport.tls_files import CertificateFiles


class IdentityError(Exception):
    """The identity file or a file that it names cannot be used; the message names it and what to do."""


class KeyFile(BaseModel):
    """A signing key of ours; `file` is relative to the identity file."""

    kid: Kid
    file: Path
    status: KeyStatus


class IdentityFile(OrganisationRecord):
    """The identity file: what a counterparty would ask for on its form, and where our private files are.

    `tls_client_certificate` is for calling, where `tls_certificate` is made for serving alone; without a private key
    of its own it is of that of `tls_certificate`.
    """

    role: OnboardedRole
    keys: Annotated[list[KeyFile], Field(min_length=1)]
    tls_certificate: Path
    tls_private_key: Path
    tls_client_certificate: Path | None = None
    tls_client_private_key: Path | None = None
    trust: Path | None = None


@dataclass(slots=True)
class Identity:
    """This node's own participant, with its private keys.

    Attributes:
        tls_client_certificate: what we call with, if `tls_certificate` is for serving alone.
        signing_key: the key that signs now; `OwnKeys` changes it while the node runs, and `backup_keys` with it.
        trust: PEM text of issuers that we trust beside the certificates that counterparties have registered.
        key_files: where the private keys that the identity file names are, by kid.
        own_record: what the identity file says of us, as a record that a counterparty could register.
        originators: how messages of each profile name us; a profile that is missing is not spoken.
    """

    organisation_id: str
    role: Role
    signing_key: SigningKey
    backup_keys: tuple[SigningKey, ...]
    tls_certificate: Path
    tls_private_key: Path
    trust: str
    tls_client_certificate: Path | None = None
    tls_client_private_key: Path | None = None
    key_files: Mapping[str, Path] = field(default_factory=dict)
    own_record: ParticipantRecord | None = None
    originators: dict[str, Originator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.originators.setdefault(V3.name, Originator(self.organisation_id))

    @property
    def calling(self) -> CertificateFiles:
        """The files of the certificate that we call with: our only one, or the one for that use."""
        certificate = self.tls_client_certificate or self.tls_certificate
        return CertificateFiles(certificate, self.tls_client_private_key or self.tls_private_key)

    @property
    def certificate_files(self) -> list[CertificateFiles]:
        """The files of our certificates, each once; the one that we serve with comes first."""
        return list(dict.fromkeys((CertificateFiles(self.tls_certificate, self.tls_private_key), self.calling)))


def load_identity(path: Path) -> Identity:
    """Load an identity file and the keys that it names, relative to itself.

    The private half of a key that counts no more need not be there; then our own record does not list it.

    Raises:
        IdentityError: a file is missing or cannot be used, or not exactly one key is ACTIVE.
    """
    folder = path.parent
    try:
        file = IdentityFile.model_validate_json(read_text(path))
    except ValidationError as error:
        raise IdentityError(f"{path}: {first_error(error)}; see certs/README.md") from error
    keys = {
        entry.kid: load_own_key(folder / entry.file, entry.kid)
        for entry in file.keys
        if entry.status.counts or (folder / entry.file).exists()
    }
    active = [entry.kid for entry in file.keys if entry.status is KeyStatus.ACTIVE]
    if len(active) != 1:
        raise IdentityError(f"{path}: keys: {len(active)} are ACTIVE; mark exactly one, the other as BACKUP")
    identity = Identity(
        organisation_id=file.organisation_id,
        role=file.role,
        signing_key=keys[active[0]],
        backup_keys=tuple(keys[entry.kid] for entry in file.keys if entry.status is KeyStatus.BACKUP),
        tls_certificate=folder / file.tls_certificate,
        tls_private_key=folder / file.tls_private_key,
        trust=read_text(folder / file.trust) if file.trust else "",
        tls_client_certificate=folder / file.tls_client_certificate if file.tls_client_certificate else None,
        tls_client_private_key=folder / file.tls_client_private_key if file.tls_client_private_key else None,
        key_files={entry.kid: folder / entry.file for entry in file.keys},
    )
    identity.own_record = _own_record(file, [read_text(own.certificate) for own in identity.certificate_files], keys)
    return identity


def load_own_key(file: Path, kid: str) -> SigningKey:
    """Load a private signing key of ours.

    Raises:
        IdentityError: the file cannot be read, or holds no key that can be used.
    """
    try:
        return load_private_key(read_text(file), kid, V3.algorithm)
    except KeyMaterialError as error:
        raise IdentityError(f"{file}: {error}") from error


def read_text(file: Path) -> str:
    """Read a file of the identity.

    Raises:
        IdentityError: it cannot be read.
    """
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IdentityError(f"{file} cannot be read; make the keys with: ocen-sandbox pki init") from error


def _own_record(file: IdentityFile, certificates: list[str], keys: Mapping[str, SigningKey]) -> ParticipantRecord:
    return ParticipantRecord(
        **file.model_dump(include={*OrganisationRecord.model_fields}),
        tls_certificates=certificates,
        keys=[
            KeyRecord(kid=entry.kid, status=entry.status, pem=keys[entry.kid].public().to_pem())
            for entry in file.keys
            if entry.kid in keys
        ],
    )
