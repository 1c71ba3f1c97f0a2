"""The files of a PKI folder: their formats, and how they are written so that no reader meets half a file.

A file is written beside its place and moved there; a private key is readable by its owner alone from the first byte.
"""

import json
import os
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydantic import ValidationError

from sandbox.pki.certificates import PkiError
from shared.node.identity import IdentityFile
from shared.node.onboarding.record import OnboardingError, ParticipantRecord, read_records

_PRIVATE, _PUBLIC = 0o600, 0o644


def read_directory(path: Path) -> list[ParticipantRecord]:
    """Read participants.json, the directory that all sides load; no file means that nobody is listed yet.

    Raises PkiError if it is not the JSON that belongs there.
    """
    try:
        return read_records(path) if path.exists() else []
    except OnboardingError as error:
        raise PkiError(f"{error}: put the right value or file back, or delete the file") from error


def write_directory(path: Path, participants: list[ParticipantRecord]) -> None:
    """Write participants.json, unless it says just that already."""
    _write_json(path, [participant.model_dump(mode="json") for participant in participants])


def read_identity(path: Path) -> IdentityFile:
    """Read an identity.json. Raises PkiError if it is not the JSON that belongs there."""
    try:
        return IdentityFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PkiError(f"{path}: {place}: {first['msg']}: put the right value or file back") from error


def write_identity(path: Path, identity: IdentityFile) -> None:
    """Write an identity.json, unless it says just that already."""
    _write_json(path, identity.model_dump(mode="json", exclude_none=True))


def read_private_key(path: Path) -> rsa.RSAPrivateKey:
    """Read an RSA private key in PEM, PKCS#8 or traditional. Raises PkiError if it is something else."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise PkiError(f"{path} is no private key in plain PEM: put the right file back") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise PkiError(f"{path} is no RSA key: put the right file back")
    return key


def parse_certificate(pem: bytes, source: Path) -> x509.Certificate:
    """Parse a certificate in PEM that was found in the file `source`. Raises PkiError if it is something else."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise PkiError(f"{source} holds no X.509 certificate in PEM: put the right one back") from error


def parse_public_key(pem: bytes, source: Path) -> rsa.RSAPublicKey:
    """Parse an RSA public key in PEM that was found in the file `source`. Raises PkiError if it is something else."""
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise PkiError(f"{source} holds a key that is no public key in PEM: put the right one back") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise PkiError(f"{source} holds a key that is not RSA: put the right one back")
    return key


def write_private(path: Path, content: bytes) -> None:
    """Write a file for the owner's eyes only."""
    _write(path, content, _PRIVATE)


def write_public(path: Path, content: bytes) -> None:
    """Write a file that everybody may read."""
    _write(path, content, _PUBLIC)


def _write_json(path: Path, content: object) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
    if not path.exists() or path.read_bytes() != text:
        write_public(path, text)


def _write(path: Path, content: bytes, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp creates with mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
