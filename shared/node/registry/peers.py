"""How peers of OCEN 4.0 sign: the registry does not say, so operators do, in the settings or while the node runs."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from shared.node.tables import PEERS
from shared.protocol.participants import Dialect


class Peers:
    """The dialects of peers. What was set at run time is kept in a table, and counts before the settings."""

    def __init__(self, configured: Mapping[str, Dialect]) -> None:
        """Begin with what the settings state, by participant id."""
        self._configured = dict(configured)
        self._set: dict[str, Dialect] = {}

    def dialect_of(self, participant_id: str) -> Dialect:
        """Tell how a peer signs; STRICT where nobody has said so."""
        return self.settled().get(participant_id, Dialect.STRICT)

    def settled(self) -> dict[str, Dialect]:
        """Return all dialects that were set, by participant id."""
        return self._configured | self._set

    def refresh(self, connection: Connection) -> bool:
        """Read the table; tell whether it says something new."""
        found = {row.participant_id: Dialect(row.dialect) for row in connection.execute(select(PEERS))}
        is_new = found != self._set
        self._set = found
        return is_new


def remove_peer(connection: Connection, participant_id: str) -> bool:
    """Let the settings count again for a peer; return whether anything else was set."""
    return connection.execute(delete(PEERS).where(PEERS.c.participant_id == participant_id)).rowcount > 0


def save_peer(connection: Connection, participant_id: str, dialect: Dialect, now: datetime) -> None:
    """Set how a peer signs from now on."""
    connection.execute(delete(PEERS).where(PEERS.c.participant_id == participant_id))
    row = {"participant_id": participant_id, "dialect": dialect.value, "updated_at": now}
    connection.execute(insert(PEERS).values(row))
