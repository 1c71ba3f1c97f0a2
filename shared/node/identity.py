"""Who we are: organisation id, role, signing keys and TLS files, as the identity file of a node names them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from shared.node.onboarded import ALGORITHM, Kid, OrganisationId, first_flaw
from shared.protocol.participants import KeyStatus, ParticipantRole
from shared.protocol.signing import KeyMaterialError, SigningKey, load_private_key


class IdentityError(Exception):
    """The identity file or a file that it names cannot be used; the message names it and the mend."""


class _KeyFile(BaseModel):
    kid: Kid
    file: Path
    status: KeyStatus


class _IdentityFile(BaseModel):
    organisation_id: OrganisationId
    role: ParticipantRole
    keys: Annotated[list[_KeyFile], Field(min_length=1)]
    tls_certificate: Path
    tls_private_key: Path
    trust: Path


@dataclass(frozen=True, slots=True)
class Identity:
    """One participant as it knows itself. `signing_key` is the ACTIVE one; `trust` is PEM text of trusted issuers."""

    organisation_id: str
    role: ParticipantRole
    signing_key: SigningKey
    backup_keys: tuple[SigningKey, ...]
    tls_certificate: Path
    tls_private_key: Path
    trust: str


def load_identity(path: Path) -> Identity:
    """Load an identity file and the keys that it names, relative to itself.

    Raises:
        IdentityError: a file is missing or cannot be used, or not exactly one key is ACTIVE.
    """
    folder = path.parent
    try:
        stated = _IdentityFile.model_validate_json(_text(path))
    except ValidationError as error:
        raise IdentityError(f"{path}: {first_flaw(error)}") from error
    active = [_load_key(folder, key) for key in stated.keys if key.status is KeyStatus.ACTIVE]
    if len(active) != 1:
        raise IdentityError(f"{path}: keys: {len(active)} are ACTIVE; mark exactly one, the other as BACKUP")
    return Identity(
        organisation_id=stated.organisation_id,
        role=stated.role,
        signing_key=active[0],
        backup_keys=tuple(_load_key(folder, key) for key in stated.keys if key.status is KeyStatus.BACKUP),
        tls_certificate=folder / stated.tls_certificate,
        tls_private_key=folder / stated.tls_private_key,
        trust=_text(folder / stated.trust),
    )


def _load_key(folder: Path, key: _KeyFile) -> SigningKey:
    file = folder / key.file
    try:
        return load_private_key(_text(file), key.kid, ALGORITHM)
    except KeyMaterialError as error:
        raise IdentityError(f"{file}: {error}") from error


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IdentityError(f"{file} cannot be read; make the keys with: ocen-sandbox pki init") from error
