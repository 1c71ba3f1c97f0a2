"""The records that one transaction touches: each is read once, decided on in memory, and written once.

Rules ask for records as they go. A rule that asks for one that has not been read is stopped (`NotRead`), what is
missing is read, and it runs again from its beginning: so the rules of many messages that share a transaction need few
statements together, and none has to say beforehand what it will need.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select

from shared.node.rules import Readable, Record
from shared.node.tables import RECORDS
from shared.protocol.encoding import dump_json
from shared.storage.upserts import upsert

# FOR UPDATE, so that another process on the same database waits until what is decided here is committed.
_FOUND: Final = select(RECORDS).where(RECORDS.c.id.in_(bindparam("ids", expanding=True))).with_for_update()

_OTHER_ID: Final = "other-id"
"""Kind of the rows that lead from a further id of a record to the record."""


class NotRead(BaseException):
    """A rule has asked for records that have not been read."""

    def __init__(self, ids: Iterable[str]) -> None:
        super().__init__()
        self.ids = frozenset(ids)


class BatchRecords:
    """Reads and writes in the transaction of the given connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, Record | None] = {}
        self._missing: set[str] = set()
        self._changed: dict[str, Record] = {}

    @property
    def changed(self) -> Iterable[str]:
        """The ids of the records that have been changed in this transaction."""
        return self._changed.keys()

    def as_of(self, now: datetime) -> "RecordsNow":
        """Return the records that have not expired by `now` (protocol time, aware, UTC), for one run of a rule."""
        return RecordsNow(self._known, now)

    def read(self, ids: Iterable[str]) -> None:
        """Read, in one statement, those of the records that have not been read yet."""
        new = [id_ for id_ in dict.fromkeys(ids) if id_ not in self._known]
        if new:
            found = {row.id: _record_of(row) for row in self._connection.execute(_FOUND, {"ids": new})}
            self._known |= {id_: found.get(id_) for id_ in new}
            self._missing |= set(new) - found.keys()

    def keep(self, records: Iterable[Record]) -> None:
        """Take records as they are from now on."""
        for record in records:
            leads = (
                Record(id_, _OTHER_ID, record.participant, {"id": record.id}, record.expires_at)
                for id_ in record.other_ids
            )
            for row in (record, *leads):
                self._known[row.id] = self._changed[row.id] = row

    def write(self) -> None:
        """Write what has changed, each record as it was left.

        Raises IntegrityError if another process has begun a record that was missing: no lock keeps it from that, and
        what was decided without it has to be decided again.
        """
        begun = [_row(record) for id_, record in self._changed.items() if id_ in self._missing]
        others = [_row(record) for id_, record in self._changed.items() if id_ not in self._missing]
        replacing = upsert(RECORDS, self._connection.dialect.name, "participant", "kind", "state", "expires_at")
        for statement, rows in ((insert(RECORDS), begun), (replacing, others)):
            if rows:
                self._connection.execute(statement, rows)


class RecordsNow(Readable):
    """The records as one run of a rule sees them. `seen` is what it has asked for."""

    def __init__(self, known: dict[str, Record | None], now: datetime) -> None:
        self._known = known
        self._now = now
        self.seen: set[str] = set()

    def __getitem__(self, id_: str) -> Record:
        """Return a record. Raises KeyError: there is none; NotRead: it has to be read first."""
        self.seen.add(id_)
        if id_ not in self._known:
            raise NotRead([id_])
        record = self._known[id_]
        if record is None or (record.expires_at is not None and record.expires_at <= self._now):
            raise KeyError(id_)
        return self[record.state["id"]] if record.kind == _OTHER_ID else record

    def read_all(self, ids: Iterable[str]) -> None:
        """Ask for all of these together. Raises NotRead."""
        if missing := [id_ for id_ in ids if id_ not in self._known]:
            raise NotRead(missing)

    def __iter__(self) -> Iterator[str]:
        raise TypeError("records are found by their ids alone")

    def __len__(self) -> int:
        raise TypeError("records are found by their ids alone")


def _record_of(row: Any) -> Record:
    return Record(row.id, row.kind, row.participant, json.loads(row.state), row.expires_at)


def _row(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "kind": record.kind,
        "participant": record.participant,
        "state": dump_json(dict(record.state)).decode(),
        "expires_at": record.expires_at,
    }
