"""The participants' roles in the tables: who there is, with which keys and certificates, and what became of them."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, delete, insert, select, true, update

from registry_app.store.tables import (
    FILTERS,
    MEMBERS,
    ORGANISATIONS,
    ROLE_CERTIFICATES,
    ROLE_KEYS,
    ROLES,
    WHITELISTING_ITEMS,
)
from shared.catalogue.bodies.v4.registry import RoleStatus
from shared.node.onboarding.record import UnknownError
from shared.protocol.messages import Role


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client of the Auth Service: the participant's role that it stands for, and its hashed secret.

    `certificates` are the thumbprints of the participant's TLS certificates.
    """

    participant_id: int
    client_id: str
    secret_hash: str
    role: Role
    status: RoleStatus
    certificates: frozenset[str]


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
    role: Role
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
    return next(iter(_roles(connection, lambda role_id: role_id == participant_id)), None)


def demand_participant(connection: Connection, participant_id: int) -> StoredRole:
    """Return a participant that has not been offboarded.

    Raises:
        UnknownError: there is none of that id.
    """
    participant = load_role(connection, participant_id)
    if participant is None or participant.offboarded_at is not None:
        raise UnknownError(f"{participant_id} is no participant now; GET /participants lists who is")
    return participant


def load_roles(connection: Connection) -> list[StoredRole]:
    """Return all participants, offboarded or not, in the order of their ids."""
    return _roles(connection, lambda _: true())


def load_members(connection: Connection, network_id: int) -> list[StoredRole]:
    """Return the participants of a network, served or not, in the order of their ids."""
    members = select(MEMBERS.c.role_id).where(MEMBERS.c.network_id == network_id)
    return _roles(connection, lambda role_id: role_id.in_(members))


def certificates_of(connection: Connection, *statuses: RoleStatus) -> list[str]:
    """Return the TLS certificates, in PEM, of all participants with such a status that have not been offboarded."""
    live = select(ROLES.c.id).where(ROLES.c.offboarded_at.is_(None), ROLES.c.status.in_(statuses))
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


_CLIENTS: Select[Any] = (
    select(ROLES.c.id, ROLES.c.client_id, ROLES.c.secret_hash, ROLES.c.role, ROLES.c.status)
    .add_columns(ROLE_CERTIFICATES.c.thumbprint)
    .outerjoin_from(ROLES, ROLE_CERTIFICATES)
    .where(ROLES.c.secret_hash.is_not(None))
)
"""Each client once for each certificate of its participant."""


def _client(connection: Connection, query: Select[Any]) -> ClientRow | None:
    rows = connection.execute(query).all()
    if not rows:
        return None
    row, certificates = rows[0], frozenset(row.thumbprint for row in rows if row.thumbprint is not None)
    role, status = Role(row.role), RoleStatus(row.status)
    return ClientRow(row.id, row.client_id, row.secret_hash, role, status, certificates)


def _roles(connection: Connection, are_wanted: Callable[[Column[int]], ColumnElement[bool]]) -> list[StoredRole]:
    """Return participants in the order of their ids, by as many queries for many of them as for one.

    Each query sees what is committed when it begins. Whose keys the last one does not find is not wanted any more: it
    has left since the first.
    """
    roles = select(ROLES, ORGANISATIONS).join_from(ROLES, ORGANISATIONS).where(are_wanted(ROLES.c.id))
    found = connection.execute(roles.order_by(ROLES.c.id)).all()
    certificates: defaultdict[int, list[StoredCertificate]] = defaultdict(list)
    wanted = select(ROLE_CERTIFICATES).where(are_wanted(ROLE_CERTIFICATES.c.role_id))
    for row in connection.execute(wanted.order_by(ROLE_CERTIFICATES.c.thumbprint)):
        certificates[row.role_id].append(StoredCertificate(row.thumbprint, row.pem))
    keys: defaultdict[int, list[StoredKey]] = defaultdict(list)
    wanted = select(ROLE_KEYS).where(are_wanted(ROLE_KEYS.c.role_id))
    for row in connection.execute(wanted.order_by(ROLE_KEYS.c.place)):
        keys[row.role_id].append(StoredKey(row.kid, row.thumbprint, row.pem))
    named = ((row._mapping[ROLES.c.id], row) for row in found)
    return [_role(row, keys[number], certificates[number]) for number, row in named if number in keys]


def _role(row: Row[Any], keys: Sequence[StoredKey], certificates: Sequence[StoredCertificate]) -> StoredRole:
    """Put a participant together; a row has its columns and those of its organisation."""
    own = {column.name: row._mapping[column] for column in ROLES.c}
    organisation = {column.name: row._mapping[column] for column in ORGANISATIONS.c}
    for column in ("organisation_id", "secret_hash"):
        del own[column]
    own |= {"role": Role(own["role"]), "status": RoleStatus(own["status"])}
    return StoredRole(
        **own, organisation=StoredOrganisation(**organisation), keys=tuple(keys), certificates=tuple(certificates)
    )
