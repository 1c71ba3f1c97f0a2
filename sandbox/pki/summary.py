"""What a PKI folder holds, for people. Only public files are opened."""

from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.pki import files
from sandbox.pki.certificates import PkiError
from shared.node.onboarding.record import ParticipantRecord


class Listed(NamedTuple):
    """One entry of participants.json; `held` tells that its private keys lie in the folder too."""

    record: ParticipantRecord
    certificates: list[x509.Certificate]
    keys: list[rsa.RSAPublicKey]
    held: bool


def describe(folder: Path) -> tuple[x509.Certificate, list[Listed]]:
    """Read what the folder's public files say: the authority, and who is listed.

    Raises:
        PkiError: the folder was not initialised, or a file is broken.
    """
    authority, directory = folder / "ca.pem", folder / "participants.json"
    try:
        listed = [
            Listed(
                record,
                [files.parse_certificate(pem.encode(), directory) for pem in record.tls_certificates],
                [files.parse_public_key(key.pem.encode(), directory) for key in record.keys],
                (folder / record.organisation_id / "identity.json").exists(),
            )
            for record in files.read_directory(directory)
        ]
        return files.parse_certificate(authority.read_bytes(), authority), listed
    except FileNotFoundError as error:
        raise PkiError(f"{folder} has no certificate authority yet: run `ocen-sandbox pki init` first") from error
    except OSError as error:
        raise PkiError(f"{error.filename}: {error.strerror}: use a folder that this user may read") from error
