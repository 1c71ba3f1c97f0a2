"""The journeys that a batch of messages touches: each is read once, decided on in memory, and written once.

A message sees what those before it in the batch have decided, as if it had come when they were committed.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select

from shared.node.journeys import Journey
from shared.node.tables import JOURNEYS
from shared.protocol.encoding import dump_json
from shared.storage.upserts import upsert

# FOR UPDATE, so that another process on the same database waits until what is decided here is committed.
_FOUND: Final = select(JOURNEYS).where(JOURNEYS.c.key.in_(bindparam("keys", expanding=True))).with_for_update()


class BatchJourneys:
    """Reads and writes in the transaction of the given connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, Journey | None] = {}
        self._missing: set[str] = set()
        self._changed: dict[str, Journey] = {}

    def read(self, keys: Iterable[str]) -> None:
        """Read, in one statement, those of the journeys that have not been read yet."""
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        if new:
            found = {row.key: _journey_of(row) for row in self._connection.execute(_FOUND, {"keys": new})}
            self._known |= {key: found.get(key) for key in new}
            self._missing |= set(new) - found.keys()

    def alive(self, keys: Iterable[str], now: datetime) -> dict[str, Journey]:
        """Return those of the journeys that are there and have not expired by `now` (aware, UTC)."""
        keys = tuple(keys)
        self.read(keys)
        found = ((key, self._known[key]) for key in keys)
        return {key: journey for key, journey in found if journey is not None and now < journey.expires_at}

    def keep(self, journeys: Iterable[Journey]) -> None:
        """Take journeys as they are from now on."""
        changed = {journey.key: journey for journey in journeys}
        self._known |= changed
        self._changed |= changed

    def write(self) -> None:
        """Write what has changed, each journey as it was left.

        Raises IntegrityError if another process has begun a journey that was missing: no lock keeps it from that, and
        what was decided without it has to be decided again.
        """
        begun = [_row(journey) for key, journey in self._changed.items() if key in self._missing]
        others = [_row(journey) for key, journey in self._changed.items() if key not in self._missing]
        replacing = upsert(JOURNEYS, self._connection.dialect.name, "state", "expires_at")
        for statement, rows in ((insert(JOURNEYS), begun), (replacing, others)):
            if rows:
                self._connection.execute(statement, rows)


def _journey_of(row: Any) -> Journey:
    return Journey(row.key, row.kind, row.participant, json.loads(row.state), row.expires_at)


def _row(journey: Journey) -> dict[str, Any]:
    return {
        "key": journey.key,
        "kind": journey.kind,
        "participant": journey.participant,
        "state": dump_json(dict(journey.state)).decode(),
        "expires_at": journey.expires_at,
    }
