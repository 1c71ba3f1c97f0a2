"""The participants' roles in the tables: who there is, with which keys and certificates, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, delete, insert, select, update

from registry_app.store.tables import (
    FILTERS,
    MEMBERS,
    ORGANISATIONS,
    ROLE_CERTIFICATES,
    ROLE_KEYS,
    ROLES,
    WHITELISTING_ITEMS,
)
from shared.catalogue.v4.registry import NetworkRole, RoleStatus
from shared.node.onboarding.record import UnknownError


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client of the Auth Service: the participant's role that it stands for, and its hashed secret."""

    participant_id: int
    client_id: str
    secret_hash: str
    role: NetworkRole
    status: RoleStatus


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A public key of a participant, in PEM; `thumbprint` is that of RFC 7638."""

    kid: str
    thumbprint: str
    pem: str


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A TLS certificate of a participant, in PEM; `thumbprint` is SHA-256 of its DER in lower-case hex."""

    thumbprint: str
    pem: str


@dataclass(frozen=True, slots=True)
class StoredOrganisation:
    """The organisation that a role belongs to. Times are aware."""

    id: int
    name: str
    description: str
    website: str
    email: str
    phone: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredRole:
    """A participant's role with everything that it has. Times are aware."""

    id: int
    role: NetworkRole
    status: RoleStatus
    base_url: str
    client_id: str
    created_at: datetime
    updated_at: datetime
    approved_at: datetime | None
    approved_by: str
    status_because: str
    offboarded_at: datetime | None
    organisation: StoredOrganisation
    keys: tuple[StoredKey, ...]
    certificates: tuple[StoredCertificate, ...]

    @property
    def is_served(self) -> bool:
        """Whether the registry tells others of it."""
        return self.status is RoleStatus.APPROVED and self.offboarded_at is None


def client_of(connection: Connection, client_id: str) -> ClientRow | None:
    """Return the client of that id, unless it has been offboarded."""
    return _client(connection, _CLIENTS.where(ROLES.c.client_id == client_id))


def client_of_role(connection: Connection, participant_id: str) -> ClientRow | None:
    """Return the client of a participant, named by its id as text."""
    if not participant_id.isdecimal() or not participant_id.isascii() or len(participant_id) > 9:
        return None
    return _client(connection, _CLIENTS.where(ROLES.c.id == int(participant_id)))


def load_role(connection: Connection, participant_id: int) -> StoredRole | None:
    """Return a participant, offboarded or not."""
    row = connection.execute(select(ROLES).where(ROLES.c.id == participant_id)).one_or_none()
    return None if row is None else _role(connection, row)


def demand_participant(connection: Connection, participant_id: int) -> StoredRole:
    """Return a participant that has not been offboarded.

    Raises:
        UnknownError: there is none of that id.
    """
    participant = load_role(connection, participant_id)
    if participant is None or participant.offboarded_at is not None:
        raise UnknownError(f"{participant_id} is no participant now; GET /participants lists who is")
    return participant


def load_roles(connection: Connection, participant_ids: Sequence[int] | None = None) -> list[StoredRole]:
    """Return these participants, or all, offboarded or not, in the order of their ids."""
    wanted = select(ROLES).order_by(ROLES.c.id)
    if participant_ids is not None:
        wanted = wanted.where(ROLES.c.id.in_(participant_ids))
    return [_role(connection, row) for row in connection.execute(wanted).all()]


def served_certificates(connection: Connection) -> list[str]:
    """Return the TLS certificates, in PEM, of all participants that are served."""
    live = select(ROLES.c.id).where(ROLES.c.offboarded_at.is_(None), ROLES.c.status == RoleStatus.APPROVED)
    wanted = select(ROLE_CERTIFICATES.c.pem).where(ROLE_CERTIFICATES.c.role_id.in_(live))
    return sorted(set(connection.execute(wanted).scalars()))


def insert_row(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert a row into a table with numbers, and return its number."""
    number: int = connection.execute(insert(table).values(**values)).inserted_primary_key[0]  # type: ignore[index]
    return number


def update_role(connection: Connection, participant_id: int, **values: Any) -> None:
    """Change columns of a participant."""
    connection.execute(update(ROLES).where(ROLES.c.id == participant_id).values(**values))


def replace_keys(connection: Connection, participant_id: int, keys: Sequence[StoredKey]) -> None:
    """Give a participant these keys, and no others."""
    connection.execute(delete(ROLE_KEYS).where(ROLE_KEYS.c.role_id == participant_id))
    rows = [
        {"role_id": participant_id, "place": place, "kid": key.kid, "thumbprint": key.thumbprint, "pem": key.pem}
        for place, key in enumerate(keys)
    ]
    connection.execute(insert(ROLE_KEYS), rows)


def replace_certificates(
    connection: Connection, participant_id: int, certificates: Sequence[StoredCertificate]
) -> None:
    """Give a participant these TLS certificates, and no others."""
    connection.execute(delete(ROLE_CERTIFICATES).where(ROLE_CERTIFICATES.c.role_id == participant_id))
    rows = [{"role_id": participant_id, "thumbprint": one.thumbprint, "pem": one.pem} for one in certificates]
    connection.execute(insert(ROLE_CERTIFICATES), rows)


def remove_resources(connection: Connection, participant_id: int) -> None:
    """Take a participant out of its networks, with its filters and its addresses ("resource mappings are removed")."""
    for table in (MEMBERS, FILTERS, WHITELISTING_ITEMS):
        connection.execute(delete(table).where(table.c.role_id == participant_id))


_CLIENTS: Select[Any] = select(ROLES.c.id, ROLES.c.client_id, ROLES.c.secret_hash, ROLES.c.role, ROLES.c.status).where(
    ROLES.c.secret_hash.is_not(None)
)


def _client(connection: Connection, query: Select[Any]) -> ClientRow | None:
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return ClientRow(row.id, row.client_id, row.secret_hash, NetworkRole(row.role), RoleStatus(row.status))


def _role(connection: Connection, row: Row[Any]) -> StoredRole:
    organisation = connection.execute(select(ORGANISATIONS).where(ORGANISATIONS.c.id == row.organisation_id)).one()
    keys = select(ROLE_KEYS.c.kid, ROLE_KEYS.c.thumbprint, ROLE_KEYS.c.pem)
    certificates = select(ROLE_CERTIFICATES.c.thumbprint, ROLE_CERTIFICATES.c.pem)
    own_keys = connection.execute(keys.where(ROLE_KEYS.c.role_id == row.id).order_by(ROLE_KEYS.c.place))
    own_certificates = connection.execute(
        certificates.where(ROLE_CERTIFICATES.c.role_id == row.id).order_by(ROLE_CERTIFICATES.c.thumbprint)
    )
    return StoredRole(
        id=row.id,
        role=NetworkRole(row.role),
        status=RoleStatus(row.status),
        base_url=row.base_url,
        client_id=row.client_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        approved_at=row.approved_at,
        approved_by=row.approved_by,
        status_because=row.status_because,
        offboarded_at=row.offboarded_at,
        organisation=StoredOrganisation(**organisation._mapping),
        keys=tuple(StoredKey(**key._mapping) for key in own_keys),
        certificates=tuple(StoredCertificate(**one._mapping) for one in own_certificates),
    )
