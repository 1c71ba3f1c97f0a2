"""The PKI folder as a whole: initialise it, issue for a further organisation, keep participants.json in step."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki import certificates, files
from sandbox.pki.certificates import Authority, PkiError
from sandbox.pki.organisation import Organisation, complete, kept_or_new_key
from sandbox.settings import DEFAULT_CERTS_FOLDER
from shared.node.onboarding.record import KeyRecord, ParticipantRecord
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus

DEFAULT_FOLDER: Final = DEFAULT_CERTS_FOLDER
REGISTRY_FOLDER: Final = "registry"

SANDBOX_PAIR: Final = (
    Organisation("LENDER01", "Sandbox Lender", Role.LENDER, "https://localhost:8444", ("lender",)),
    Organisation("LSP123", "Sandbox LSP", Role.LOAN_AGENT, "https://localhost:8445", ("lsp",)),
)
"""The two organisations of a sandbox; the further host names are their services in docker-compose.yml."""


def initialise(
    folder: Path, participants: Sequence[Organisation], host_names: Sequence[str], now: datetime
) -> dict[str, Path]:
    """Make what is missing of the folder, for these organisations and for those issued in it before.

    Returns each identity.json that lies in the folder, by organisation id.
    In participants.json an organisation's name and base URL become what is given here; its addresses, envelope
    member and key statuses stay as they are, and so do organisations of which only public material is here.

    Args:
        host_names: further names and addresses for the certificates of `participants`.
        now: aware time from which new certificates are valid, and at which old ones must still be.

    Raises PkiError if something given is wrong, or something that exists cannot be used; the message says what to do.
    """
    wanted = {
        organisation.organisation_id: (organisation, organisation.hosts(host_names)) for organisation in participants
    }
    with _plain_file_errors():
        listed = {record.organisation_id: record for record in files.read_directory(folder / "participants.json")}
        for organisation_id, entry in listed.items():
            if organisation_id not in wanted and _identity_path(folder, organisation_id).exists():
                organisation = Organisation(organisation_id, entry.name, entry.role, entry.base_url)
                wanted[organisation_id] = (organisation, organisation.hosts())
        _refuse_look_alikes([*listed, *wanted])
        folder.mkdir(parents=True, exist_ok=True)
        authority = load_authority(folder, now)
        for organisation_id, (organisation, hosts) in wanted.items():
            leaves, keys = complete(folder / organisation_id, organisation, hosts, authority, now)
            listed[organisation_id] = _record(organisation, listed.get(organisation_id), leaves, keys)
        files.write_directory(folder / "participants.json", list(listed.values()))
    paths = {organisation_id: _identity_path(folder, organisation_id) for organisation_id in listed}
    return {organisation_id: path for organisation_id, path in paths.items() if path.exists()}


def issue(folder: Path, organisation: Organisation, now: datetime) -> dict[str, Path]:
    """Make keys and a certificate for a further organisation and list it in participants.json; `now` is aware.

    Raises:
        PkiError: the id is taken or cannot name a folder, the base URL or a host name is wrong, or the folder has
            no authority yet; nothing is changed then.
    """
    organisation.hosts()
    organisation_id = organisation.organisation_id
    with _plain_file_errors():
        if not (folder / "ca.pem").exists():
            raise PkiError(f"{folder} has no certificate authority yet: run `ocen-sandbox pki init` first")
        listed = [entry.organisation_id for entry in files.read_directory(folder / "participants.json")]
        if organisation_id in listed or _identity_path(folder, organisation_id).exists():
            raise PkiError(f"{organisation_id} exists already in {folder}: choose another organisation id")
    return initialise(folder, [organisation], (), now)


def registry_leaf(folder: Path, hosts: Sequence[str], now: datetime) -> tuple[Path, Path]:
    """Return certificate and private key of the registry, made first if there are none.

    It is nobody's counterparty, so a certificate that does not serve now is replaced: one that has expired, or does
    not name one of the `hosts`. `now` (aware) is from when on a new certificate is valid.

    Raises PkiError if the authority cannot issue, or a file or a host name is none.
    """
    names = list(dict.fromkeys(certificates.canonical_host(name) for name in hosts))
    home = folder / REGISTRY_FOLDER
    certificate, key = home / "tls.pem", home / "tls.key"
    with _plain_file_errors():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        public, authority = kept_or_new_key(key).public_key(), load_authority(folder, now)
        shown = files.parse_certificate(certificate.read_bytes(), certificate) if certificate.exists() else None
        if shown is None or certificates.leaf_fault(shown, authority, public, names, now):
            leaf = certificates.leaf_certificate(authority, REGISTRY_FOLDER, public, names, now)
            files.write_public(certificate, leaf.public_bytes(Encoding.PEM))
    return certificate, key


def _refuse_look_alikes(organisation_ids: Iterable[str]) -> None:
    """Ids that differ in case alone would share a folder on many file systems."""
    seen: dict[str, str] = {}
    for organisation_id in organisation_ids:
        other = seen.setdefault(organisation_id.lower(), organisation_id)
        if other != organisation_id:
            raise PkiError(f"{organisation_id} differs from {other} in case alone: choose another organisation id")


def load_authority(folder: Path, now: datetime) -> Authority:
    """Load the folder's authority, made first if there is none; `now` (aware) is when it has to be valid.

    Raises PkiError if it cannot be used.
    """
    certificate_path, key_path = folder / "ca.pem", folder / "ca.key"
    if not certificate_path.exists():
        made = certificates.authority_certificate(kept_or_new_key(key_path), now)
        files.write_public(certificate_path, made.public_bytes(Encoding.PEM))
    certificate = files.parse_certificate(certificate_path.read_bytes(), certificate_path)
    key = files.read_private_key(key_path) if key_path.exists() else None
    if key is not None and key.public_key() != certificate.public_key():
        raise PkiError(f"{key_path} is not the key of ca.pem: put the right one back, or delete the folder")
    if certificate.not_valid_after_utc <= now:
        raise PkiError(f"{certificate_path} has expired: delete the folder and run `ocen-sandbox pki init`")
    return Authority(certificate, key)


class Listed(NamedTuple):
    """One entry of participants.json; `held` tells that its private keys lie in the folder too."""

    record: ParticipantRecord
    certificates: list[x509.Certificate]
    keys: list[rsa.RSAPublicKey]
    held: bool


def describe(folder: Path) -> tuple[x509.Certificate, list[Listed]]:
    """Read what the folder's public files say: the authority, and who is listed.

    Raises PkiError if the folder was not initialised, or a file is broken.
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


def _record(
    organisation: Organisation, before: ParticipantRecord | None, leaves: list[x509.Certificate], keys: list[KeyRecord]
) -> ParticipantRecord:
    """Bring a record up to date, or begin it; a key that was blocked there stays blocked and listed."""
    new = ParticipantRecord(
        organisation_id=organisation.organisation_id,
        name=organisation.name,
        role=organisation.role,
        base_url=organisation.base_url.rstrip("/"),
        tls_certificates=[leaf.public_bytes(Encoding.PEM).decode() for leaf in leaves],
        keys=keys,
        ip_addresses=list(organisation.ip_addresses),
    )
    if before is None:
        return new
    held = {key.kid for key in keys}
    kept = [key for key in before.keys if key.kid in held or key.status is KeyStatus.BLOCKED]
    known = {key.kid for key in kept}
    renewed = {name: getattr(new, name) for name in ("name", "base_url", "tls_certificates")}
    return before.model_copy(update={**renewed, "keys": [*kept, *(key for key in keys if key.kid not in known)]})


def _identity_path(folder: Path, organisation_id: str) -> Path:
    return folder / organisation_id / "identity.json"


@contextmanager
def _plain_file_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename
        raise PkiError(f"{place}: {error.strerror}: use a folder that this user may read and write") from error
