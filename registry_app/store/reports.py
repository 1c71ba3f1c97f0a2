"""Reports of participants: the events of the heartbeat and the disbursement metrics, as they came in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select

from registry_app.store.tables import REPORTS
from shared.storage.slices import SLICE, delete_slice


class ReportKind(StrEnum):
    """What a report is about."""

    EVENT = "EVENT"
    DISBURSEMENT = "DISBURSEMENT"


@dataclass(frozen=True, slots=True)
class Report:
    """One report: who sent it (`role_id`) and when it came (aware), by what it is looked for, and its JSON text."""

    id: str
    kind: ReportKind
    received_at: datetime
    role_id: int
    event_type: str
    request_id: str
    loan_application_id: str
    document: str

    @property
    def keys(self) -> frozenset[str]:
        """Nothing that another report could touch."""
        return frozenset()

    @classmethod
    def of(cls, row: Row[Any]) -> "Report":
        """Read a row."""
        return cls(**{**row._mapping, "kind": ReportKind(row.kind)})

    @property
    def body(self) -> dict[str, Any]:
        """The report as JSON."""
        body: dict[str, Any] = json.loads(self.document)
        return body


def keep_reports(connection: Connection, units: Sequence[Report]) -> Sequence[None]:
    """Write reports that wait together in one statement."""
    connection.execute(insert(REPORTS), [asdict(unit) for unit in units])
    return [None] * len(units)


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Which reports to list: those older than `before`, an id; None and empty do not matter."""

    kind: ReportKind
    limit: int
    before: str = ""
    role_id: int | None = None
    event_type: str = ""


def list_reports(connection: Connection, wanted: ReportFilter) -> list[Report]:
    """Return reports, newest first; one more than `limit` tells that there are older ones."""
    columns = {"role_id": wanted.role_id, "event_type": wanted.event_type}
    conditions = [REPORTS.c[name] == value for name, value in columns.items() if value not in (None, "")]
    if wanted.before:
        conditions.append(REPORTS.c.id < wanted.before)
    newest_first = select(REPORTS).where(REPORTS.c.kind == wanted.kind, *conditions).order_by(REPORTS.c.id.desc())
    return [Report.of(row) for row in connection.execute(newest_first.limit(wanted.limit + 1))]


def purge_reports(connection: Connection, kept: int) -> int:
    """Delete all reports but so many of the latest, as nothing is decided by them; return how many went.

    They go from those who have the most: nobody can drive out what others have reported by reporting more. At most a
    SLICE of them goes at a time; if it was one, there may be more.
    """
    counts = select(REPORTS.c.role_id, func.count().label("number")).group_by(REPORTS.c.role_id)
    held: dict[int, int] = {row.role_id: row.number for row in connection.execute(counts)}
    shares = _shares(held, kept)
    deleted = 0
    for role_id, number in held.items():
        if number > shares[role_id] and deleted < SLICE:
            deleted += _purge_of(connection, role_id, shares[role_id], SLICE - deleted)
    return deleted


def _shares(held: Mapping[int, int], room: int) -> dict[int, int]:
    """Divide the room: whoever has less than an equal part keeps all, and the others share what is left."""
    shares: dict[int, int] = {}
    for position, (role_id, number) in enumerate(sorted(held.items(), key=itemgetter(1))):
        shares[role_id] = min(number, room // (len(held) - position))
        room -= shares[role_id]
    return shares


def _purge_of(connection: Connection, role_id: int, kept: int, most: int) -> int:
    of_one = REPORTS.c.role_id == role_id
    oldest = select(REPORTS.c.id).where(of_one).order_by(REPORTS.c.id.desc()).offset(kept).limit(1).scalar_subquery()
    return delete_slice(connection, REPORTS, and_(of_one, REPORTS.c.id <= oldest), most)
