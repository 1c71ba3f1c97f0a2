"""One organisation of the sandbox: what is told of it, and the folder with its keys, certificate and identity."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki import certificates, files
from sandbox.pki.certificates import Authority, PkiError
from shared.node.identity import IdentityFile, KeyFile, load_identity
from shared.node.onboarding.certificates import CertificateUse
from shared.node.onboarding.form import OnboardingForm, form_of
from shared.node.onboarding.record import MOST_ADDRESSES, KeyRecord
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import new_private_key, private_pem
from shared.transport.tls_files import CertificateFiles

LOOPBACK: Final = ("127.0.0.1", "::1")
_ORGANISATION_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FILES_BESIDE: Final = frozenset({"ca.pem", "ca.key", "participants.json"})
_USES: Final[Mapping[int, Sequence[Sequence[CertificateUse]]]] = {
    1: [tuple(CertificateUse)],
    2: [[CertificateUse.SERVING], [CertificateUse.CALLING]],
}
"""What the certificates of an organisation are for that has so many of them."""

_SIGNING_KEYS: Final = {"signing.key": KeyStatus.ACTIVE, "backup.key": KeyStatus.BACKUP}


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation to make keys for.

    Attributes:
        organisation_id: what `metadata.orgId` carries; also the name of its folder.
        base_url: https address of its protocol plane; the certificate names its host.
        host_names: further names and addresses for the certificate, beside localhost.
        ip_addresses: addresses or networks it calls from, when first listed; none means that they are not judged.
        has_two_certificates: whether it serves with one and calls with another, when first listed.
    """

    organisation_id: str
    name: str
    role: Role
    base_url: str
    host_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = LOOPBACK
    has_two_certificates: bool = False

    def hosts(self, further: Sequence[str] = ()) -> list[str]:
        """Check all that is told; return the names and addresses that the certificate must have.

        Raises PkiError if the id cannot name a folder, the base URL is none, or a name or address is none.
        """
        if not _ORGANISATION_ID.fullmatch(self.organisation_id) or self.organisation_id.lower() in _FILES_BESIDE:
            raise PkiError(
                f"{self.organisation_id!r} cannot be an organisation id here: use 1 to 64 letters, digits, dots, "
                "dashes and underscores, a letter or digit first, and not the name of a file of the folder"
            )
        if not 1 <= len(self.name) <= 200:
            raise PkiError(f"the name of {self.organisation_id} has {len(self.name)} characters: use 1 to 200")
        _check_networks(self.ip_addresses)
        every = ("localhost", *LOOPBACK, _url_host(self.base_url), *self.host_names, *further)
        return list(dict.fromkeys(certificates.canonical_host(name) for name in every))


def complete(
    home: Path, organisation: Organisation, hosts: list[str], authority: Authority, now: datetime
) -> tuple[list[x509.Certificate], list[KeyRecord]]:
    """Make what is missing in the folder `home`; return the certificates and the public keys.

    identity.json is written last: where it is, the keys that it names must be.

    Raises PkiError if what exists is broken, expired or does not fit together.
    """
    home.mkdir(mode=0o700, exist_ok=True)
    path = home / "identity.json"
    identity = files.read_identity(path) if path.exists() else _new_identity(organisation)
    identity = identity.model_copy(update=_told(organisation))
    if (identity.organisation_id, identity.role) != (organisation.organisation_id, organisation.role):
        raise PkiError(f"{path} is of {identity.organisation_id}, {identity.role}: put the right file back")
    key_of = _existing_key if path.exists() else kept_or_new_key
    own = certificate_files(home, identity)
    tls_keys = [key_of(key_path).public_key() for _, key_path in own]
    keys = [_key_record(home, entry, key_of) for entry in identity.keys]
    leaves = []
    for (tls_path, _), tls_key, uses in zip(own, tls_keys, _USES[len(own)], strict=True):
        if not tls_path.exists():
            made = certificates.leaf_certificate(
                authority, organisation.organisation_id, tls_key, hosts, now, uses=uses
            )
            files.write_public(tls_path, made.public_bytes(Encoding.PEM))
        leaves.append(files.parse_certificate(tls_path.read_bytes(), tls_path))
        if fault := certificates.leaf_fault(leaves[-1], authority, tls_key, hosts, now):
            raise PkiError(f"{tls_path} {fault}: delete it and run the same command again for a new one; its key stays")
    files.write_identity(path, identity)
    return leaves, keys


def certificate_files(home: Path, identity: IdentityFile) -> list[CertificateFiles]:
    """Return the files of the certificates in the folder `home`; the one to serve with comes first."""
    serving = CertificateFiles(home / identity.tls_certificate, home / identity.tls_private_key)
    if identity.tls_client_certificate is None:
        return [serving]
    key = identity.tls_client_private_key or identity.tls_private_key
    return [serving, CertificateFiles(home / identity.tls_client_certificate, home / key)]


def own_form(path: Path) -> OnboardingForm:
    """Return the onboarding form of the organisation whose identity.json is at `path`.

    Raises IdentityError if the file, or one that it names, cannot be used.
    """
    own_record = load_identity(path).own_record
    assert own_record is not None
    return form_of(own_record)


def contact_of(organisation_id: str) -> tuple[str, str]:
    """Return e-mail address and telephone number of an imaginary person at an organisation."""
    host = re.sub(r"[^a-z0-9]+", "-", organisation_id.lower())[:63].strip("-")
    return f"ocen@{host}.example", "+91 22 5550 0100"


def kept_or_new_key(path: Path) -> rsa.RSAPrivateKey:
    """Read the private key at `path`, made first if there is none."""
    if not path.exists():
        files.write_private(path, private_pem(new_private_key()))
    return files.read_private_key(path)


def _existing_key(path: Path) -> rsa.RSAPrivateKey:
    if not path.exists():
        raise PkiError(
            f"{path} is missing, and others know its public half: put it back, or delete the folder "
            f"{path.parent.name} and run `ocen-sandbox pki init` for new keys"
        )
    return files.read_private_key(path)


def _new_identity(organisation: Organisation) -> IdentityFile:
    email, phone = contact_of(organisation.organisation_id)
    keys = [KeyFile(kid=str(uuid4()), file=Path(file), status=status) for file, status in _SIGNING_KEYS.items()]
    return IdentityFile(
        **_told(organisation),
        organisation_id=organisation.organisation_id,
        role=organisation.role,
        ip_addresses=list(organisation.ip_addresses),
        spoc_email=email,
        spoc_phone=phone,
        keys=keys,
        tls_certificate=Path("tls.pem"),
        tls_private_key=Path("tls.key"),
        tls_client_certificate=Path("tls-client.pem") if organisation.has_two_certificates else None,
        tls_client_private_key=Path("tls-client.key") if organisation.has_two_certificates else None,
        trust=Path("../ca.pem"),
    )


def _told(organisation: Organisation) -> dict[str, Any]:
    """What of an identity follows the command that is run, not the file that is there."""
    return {"name": organisation.name, "base_url": organisation.base_url.rstrip("/")}


def _key_record(home: Path, entry: KeyFile, key_of: Callable[[Path], rsa.RSAPrivateKey]) -> KeyRecord:
    pem = certificates.public_pem(key_of(home / entry.file).public_key())
    public_path = (home / entry.file).with_suffix(".pub.pem")
    if not public_path.exists() or public_path.read_bytes() != pem:
        files.write_public(public_path, pem)
    return KeyRecord(kid=entry.kid, status=entry.status, pem=pem.decode())


def _url_host(base_url: str) -> str:
    try:
        url = urlsplit(base_url)
        host, _ = url.hostname, url.port  # a port that is no number is only noticed when asked for
    except ValueError:
        host = None
    surplus = re.search(r"[\s?#@]", base_url)
    if not host or url.scheme != "https" or surplus or len(base_url) > 500:
        raise PkiError(f"{base_url!r} is no base URL: give one such as https://localhost:8444")
    return host


def _check_networks(addresses: Sequence[str]) -> None:
    if len(addresses) > MOST_ADDRESSES:
        raise PkiError(f"{len(addresses)} IP addresses: the onboarding form takes {MOST_ADDRESSES}, so give networks")
    for address in addresses:
        try:
            ipaddress.ip_network(address)
        except ValueError as error:
            hint = "give one such as 10.0.0.5 or 10.0.0.0/24"
            raise PkiError(f"{address!r} is no IP address or network: {hint}") from error
