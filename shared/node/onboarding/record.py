"""A participant's record, as in the participants file, in the operator plane and in the tables."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from shared.catalogue.bodies.body import among
from shared.ip_addresses import Network
from shared.protocol.messages import Role
from shared.protocol.participants import EnvelopeMember, KeyStatus, Participant, PublicKey
from shared.protocol.signing import RS512, KeyMaterialError, VerificationKey, load_public_key
from shared.transport.tls import check_trust, thumbprint
from shared.transport.tls_files import TlsConfigurationError

MOST_KEYS: Final = 2
"""Keys of one participant that count at a time, at most (OCEN v3 Security, "You can configure upto 2 keys")."""

MOST_ADDRESSES: Final = 3
"""OCEN v3 Security, "multiple addresses (max 3)"; networks count as one."""

MOST_CERTIFICATES: Final = 4
"""Of one participant at a time: two change places in a renewal, and a site may have its own."""

OrganisationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

Kid = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=r"^[\x20-\x7E]*[\x20-\x2D\x2F-\x7E][\x20-\x7E]*$"),
]
"""The id of a key: printable ASCII, for it has to travel in a signed header; not dots alone, for HTTP clients take them
out of a path, and could not name the key on the operator plane in order to block it."""

_PLAIN: Final = r"[^\x00-\x1F\x7F-\x9F\u2028-\u202E\u2066-\u2069]"
"""A character that neither commands a terminal, nor begins a line, nor turns the direction of what follows."""

LONGEST_LINE: Final = 200

Line = Annotated[str, StringConstraints(max_length=LONGEST_LINE, pattern=rf"^{_PLAIN}*$")]
"""One line of text."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=rf"^{_PLAIN}+$")]
"""The name of an organisation: one line, not empty."""

BaseUrl = Annotated[
    str,
    StringConstraints(
        pattern=r"^https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~%/-]*)?$", max_length=500
    ),
]
"""Scheme, host, and maybe port and path: no user, no query, nothing that an HTTP client would refuse later."""


ONBOARDED_ROLES: Final = (Role.LENDER, Role.LOAN_AGENT)
"""What a participant may be that a node knows."""

OnboardedRole = Annotated[Role, *among(ONBOARDED_ROLES)]


class OnboardingError(Exception):
    """A participant's record that cannot be used; the message names the field, what was found and what to do."""


class TakenError(OnboardingError):
    """The record is valid, but contradicts what is known already."""


class UnknownError(OnboardingError):
    """There is no such participant, key or certificate."""


class KeyRecord(BaseModel):
    """One verification key: a public key in PEM, X.509 or JWK, under its kid."""

    model_config = ConfigDict(extra="forbid")

    kid: Kid
    algorithm: Literal["RS512"] = RS512
    status: KeyStatus = KeyStatus.ACTIVE
    pem: str


class OrganisationRecord(BaseModel):
    """What an organisation says of itself, beside keys and certificates (OCEN v3 Security, Onboarding Process)."""

    model_config = ConfigDict(extra="forbid")

    organisation_id: OrganisationId
    name: Name
    role: Role
    base_url: BaseUrl
    ip_addresses: Annotated[list[str], Field(max_length=MOST_ADDRESSES)] = []
    spoc_email: Line = ""
    spoc_phone: Line = ""


class ParticipantRecord(OrganisationRecord):
    """The fields of the onboarding form that the protocol needs."""

    tls_certificates: Annotated[list[str], Field(min_length=1, max_length=MOST_CERTIFICATES)]
    keys: Annotated[list[KeyRecord], Field(min_length=1)]
    judges_addresses: bool = True
    envelope_member: EnvelopeMember = EnvelopeMember.HEADER


class _ListedRecord(ParticipantRecord):
    """A record of a participants file."""

    role: OnboardedRole


def read_records(path: Path) -> list[ParticipantRecord]:
    """Read a participants file: a JSON array of records.

    Raises:
        OnboardingError: the file cannot be read, a record lacks a field or has one that it cannot have, or two
            records are of one participant, who would change from one to the other at every start.
    """
    try:
        listed = TypeAdapter(list[_ListedRecord]).validate_json(path.read_bytes())
    except OSError as error:
        raise OnboardingError(f"{path} cannot be read ({error.strerror}); name a participants file") from error
    except ValidationError as error:
        raise OnboardingError(f"{path}: {first_error(error)}") from error
    records = [ParticipantRecord(**record.model_dump()) for record in listed]
    ids = [record.organisation_id for record in records]
    if twice := next((id_ for number, id_ in enumerate(ids) if id_ in ids[:number]), None):
        raise OnboardingError(f"{path}: {twice} stands there twice; leave one record of it")
    return records


def first_error(error: ValidationError) -> str:
    """Say in one line what is wrong first with a document, and where, unless it is the whole."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def participant_of(record: ParticipantRecord) -> Participant:
    """Make the participant of a record.

    Raises:
        OnboardingError: a certificate, key or address that cannot be used, too many keys, or one key twice.
    """
    keys = tuple(_key(record.organisation_id, key) for key in record.keys)
    _check_keys(record.organisation_id, keys)
    return Participant(
        id=record.organisation_id,
        name=record.name,
        role=record.role,
        base_url=record.base_url.rstrip("/"),
        certificates=frozenset(_thumbprints(record)),
        keys=keys,
        networks=tuple(_networks(record)),
        judges_addresses=record.judges_addresses,
        envelope_member=record.envelope_member,
    )


def _key(organisation_id: str, record: KeyRecord) -> PublicKey:
    try:
        return PublicKey(record.kid, verification_key(record.pem, record.algorithm, record.kid), record.status)
    except KeyMaterialError as error:
        raise OnboardingError(f"{organisation_id}: key {record.kid}: {error}") from error


def retired(key: KeyRecord) -> KeyRecord:
    """Return the key as one that counts no more; a blocked one stays blocked."""
    return key.model_copy(update={"status": KeyStatus.RETIRED}) if key.status.counts else key


@lru_cache(maxsize=4096)
def verification_key(material: str, algorithm: str, kid: str) -> VerificationKey:
    """Load a public key once: keys of all participants are needed again at every change of one.

    Raises:
        KeyMaterialError: as `load_public_key` says.
    """
    return load_public_key(material, algorithm, kid)


def key_thumbprint(key: KeyRecord) -> str:
    """Return the JWK thumbprint of a key (RFC 7638).

    Raises:
        KeyMaterialError: as `load_public_key` says.
    """
    return verification_key(key.pem, key.algorithm, key.kid).thumbprint()


def _check_keys(organisation_id: str, keys: tuple[PublicKey, ...]) -> None:
    counting = [key for key in keys if key.status.counts]
    if len(counting) > MOST_KEYS:
        raise OnboardingError(f"{organisation_id}: keys: {len(counting)} that count; configure one or two")
    if len({key.kid for key in keys}) != len(keys):
        raise OnboardingError(f"{organisation_id}: keys: the same kid twice; give each key a kid of its own")
    if len({key.verifier.thumbprint() for key in keys}) != len(keys):
        raise OnboardingError(f"{organisation_id}: keys: the same key twice; a back-up has to be another key")


def _thumbprints(record: ParticipantRecord) -> Iterable[str]:
    for pem in record.tls_certificates:
        try:
            yield _thumbprint_of_usable(pem)
        except ValueError as error:
            raise OnboardingError(
                f"{record.organisation_id}: tls_certificates: no certificate in PEM; paste it whole, marker lines too"
            ) from error


def leaf_of(pem: str) -> x509.Certificate:
    """Read a certificate in PEM; of a chain the leaf, which comes first (RFC 8446 s4.4.2).

    Raises:
        ValueError: there is none in it that can be read.
    """
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from error


def usable_leaf(pem: str) -> x509.Certificate:
    """Read a certificate that can be trusted and shown: its names are text, and OpenSSL loads it beside all others.

    Raises:
        ValueError: it cannot.
    """
    leaf = leaf_of(pem)
    for name in (leaf.subject, leaf.issuer):
        name.rfc4514_string()
    try:
        check_trust(leaf.public_bytes(Encoding.PEM).decode())
    except TlsConfigurationError as error:
        raise ValueError(str(error)) from error
    return leaf


@lru_cache(maxsize=4096)
def _thumbprint_of_usable(pem: str) -> str:
    return thumbprint(usable_leaf(pem).public_bytes(Encoding.DER))


def thumbprint_of(pem: str) -> str:
    """Return the thumbprint of the leaf in a PEM text: SHA-256 of its DER, lower-case hex. Raises as `leaf_of`."""
    return thumbprint(leaf_of(pem).public_bytes(Encoding.DER))


def _networks(record: ParticipantRecord) -> Iterable[Network]:
    for address in record.ip_addresses:
        try:
            yield ip_network(address)
        except ValueError as error:
            raise OnboardingError(f"{record.organisation_id}: ip_addresses: {error}") from error
