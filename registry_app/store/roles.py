"""Participants in the tables: their role, status, keys and certificates, present and past."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, delete, insert, select, true, update

from registry_app.store.tables import (
    FILTERS,
    MEMBERS,
    NETWORK_REGISTER,
    ORGANISATIONS,
    PARTICIPANT_ID,
    ROLES,
    WHITELISTING_ITEMS,
)
from shared.catalogue.bodies.v4.registry import RoleStatus
from shared.node.onboarding.history import ParticipantHistory, load_histories
from shared.node.onboarding.record import UnknownError
from shared.node.onboarding.register import touch
from shared.protocol.messages import Role


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client of the Auth Service: the participant's role that it belongs to, and its hashed secret.

    `certificates` are the thumbprints of the participant's TLS certificates.
    """

    participant_id: int
    client_id: str
    secret_hash: str
    role: Role
    status: RoleStatus
    certificates: frozenset[str]


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
    """A participant's role: its status in the network, and its history in the register. Times are aware."""

    id: int
    client_id: str
    status: RoleStatus
    status_because: str
    approved_at: datetime | None
    approved_by: str
    organisation: StoredOrganisation
    history: ParticipantHistory

    @property
    def is_served(self) -> bool:
        """Whether the registry tells others of it."""
        return self.status is RoleStatus.APPROVED and self.history.offboarded_at is None


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
    return next(iter(_roles(connection, ROLES.c.id == participant_id)), None)


def demand_participant(connection: Connection, participant_id: int) -> StoredRole:
    """Return a participant that has not been offboarded.

    Raises:
        UnknownError: there is none of that id.
    """
    participant = load_role(connection, participant_id)
    if participant is None or participant.history.offboarded_at is not None:
        raise UnknownError(f"{participant_id} is no participant now; GET /participants lists who is")
    return participant


def load_roles(connection: Connection) -> list[StoredRole]:
    """Return all participants, offboarded or not, in the order of their ids."""
    return _roles(connection, true())


def load_members(connection: Connection, network_id: int) -> list[StoredRole]:
    """Return the participants of a network, served or not, in the order of their ids."""
    members = select(MEMBERS.c.role_id).where(MEMBERS.c.network_id == network_id)
    return _roles(connection, ROLES.c.id.in_(members))


def certificates_of(connection: Connection, *statuses: RoleStatus) -> list[str]:
    """Return the TLS certificates, in PEM, of all participants with such a status that have not been offboarded."""
    table, live = NETWORK_REGISTER.certificates, ROLES.c.secret_hash.is_not(None)
    theirs = table.c.organisation_id.in_(select(PARTICIPANT_ID).where(live, ROLES.c.status.in_(statuses)))
    return sorted(set(connection.execute(select(table.c.pem).where(theirs, table.c.removed_at.is_(None))).scalars()))


def insert_row(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert a row into a table with numbers, and return its number."""
    number: int = connection.execute(insert(table).values(**values)).inserted_primary_key[0]  # type: ignore[index]
    return number


def update_role(connection: Connection, participant_id: int, now: datetime, **values: Any) -> None:
    """Change columns of a participant; without any, only the time of its last change."""
    if values:
        connection.execute(update(ROLES).where(ROLES.c.id == participant_id).values(**values))
    touch(connection, str(participant_id), now, NETWORK_REGISTER)


def remove_resources(connection: Connection, participant_id: int) -> None:
    """Take a participant out of its networks, with its filters and its addresses ("resource mappings are removed")."""
    for table in (MEMBERS, FILTERS, WHITELISTING_ITEMS):
        connection.execute(delete(table).where(table.c.role_id == participant_id))


_PARTICIPANTS, _CERTIFICATES = NETWORK_REGISTER.participants, NETWORK_REGISTER.certificates
_SHOWN = and_(_CERTIFICATES.c.organisation_id == PARTICIPANT_ID, _CERTIFICATES.c.removed_at.is_(None))

_CLIENTS: Select[Any] = (
    select(ROLES.c.id, ROLES.c.client_id, ROLES.c.secret_hash, ROLES.c.status)
    .add_columns(_PARTICIPANTS.c.role, _CERTIFICATES.c.thumbprint)
    .join_from(ROLES, _PARTICIPANTS, _PARTICIPANTS.c.organisation_id == PARTICIPANT_ID)
    .outerjoin(_CERTIFICATES, _SHOWN)
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


def _roles(connection: Connection, are_wanted: ColumnElement[bool]) -> list[StoredRole]:
    """Return participants in the order of their ids, by as many queries for many of them as for one.

    Each query sees what is committed when it begins. Who has no key any more in the last one has left since the first.
    """
    roles = select(ROLES, ORGANISATIONS).join_from(ROLES, ORGANISATIONS).where(are_wanted).order_by(ROLES.c.id)
    found = connection.execute(roles).all()
    ids = select(PARTICIPANT_ID).where(are_wanted)
    known = {history.organisation_id: history for history in load_histories(connection, ids, NETWORK_REGISTER)}
    pairs = ((row, known.get(str(row._mapping[ROLES.c.id]))) for row in found)
    return [_role(row, past) for row, past in pairs if past and (past.counting_keys or past.offboarded_at)]


def _role(row: Row[Any], history: ParticipantHistory) -> StoredRole:
    """Put a participant together; a row has its columns and those of its organisation."""
    own = {column.name: row._mapping[column] for column in ROLES.c}
    organisation = {column.name: row._mapping[column] for column in ORGANISATIONS.c}
    for column in ("organisation_id", "secret_hash"):
        del own[column]
    own["status"] = RoleStatus(own["status"])
    return StoredRole(**own, organisation=StoredOrganisation(**organisation), history=history)
