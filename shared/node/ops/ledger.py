"""Reading the journal: what the operator plane shows of it. Nothing here writes.

Ids grow with time, so a page goes by id, newest first, and costs the same however long the history is: what no index
finds is looked for among a bounded number of rows, and the page says where to go on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, TextClause, func, literal_column, null, select

from shared.node.ops.history import refused_message
from shared.node.ops.ledger_views import (
    Direction,
    MessageFilter,
    MessageLine,
    NoticeView,
    PageWanted,
    RefusalFilter,
    RefusedMessage,
)
from shared.node.ops.views import Page
from shared.node.send.outbox import OutboxState
from shared.node.tables import GIVEN_UP, INBOX, NOTICES, OUTBOX, REFUSALS, UNFINISHED

EXAMINED: Final = 20_000
"""Rows of a table examined for one page at most, if no index leads to those that are wanted."""

_NOTICES_SHOWN: Final = 50

_UNFINISHED: Final = OUTBOX.c.id.in_(select(OUTBOX.alias("unfinished").c.id).where(UNFINISHED))

_BY_INDEX: Final[Mapping[str, ColumnElement[bool] | TextClause]] = {
    OutboxState.WAITING: _UNFINISHED,
    OutboxState.SENDING: _UNFINISHED,
    OutboxState.REFUSED: GIVEN_UP,
    OutboxState.DEAD: GIVEN_UP,
}
"""A condition that leads to the few messages in a state: SQLite takes a partial index only for its very words."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One half of the journal, and how its rows become lines of the list."""

    table: Table
    direction: Direction
    peer: Column[str]
    states: frozenset[str]
    lines: Select[Any]

    def may_hold(self, wanted: MessageFilter) -> bool:
        """Tell whether any line of this half can pass the filter."""
        return wanted.direction in (None, self.direction) and (wanted.state is None or wanted.state in self.states)


def _side(table: Table, direction: Direction, peer: Column[str], states: Iterable[str], *rest: Any) -> _Side:
    common = (table.c.id, table.c.message, table.c.request_id, peer.label("peer"))
    return _Side(table, direction, peer, frozenset(states), select(*common, *rest))


_RECEIVED = _side(
    INBOX,
    Direction.RECEIVED,
    INBOX.c.sender,
    ["ACCEPTED"],
    INBOX.c.received_at.label("at"),
    literal_column("'ACCEPTED'").label("state"),
    null().label("tries"),
    null().label("result"),
)
_SENT = _side(
    OUTBOX,
    Direction.SENT,
    OUTBOX.c.receiver,
    OutboxState,
    OUTBOX.c.created_at.label("at"),
    OUTBOX.c.state,
    OUTBOX.c.tries,
    OUTBOX.c.result,
)


def list_messages(connection: Connection, wanted: MessageFilter) -> Page[MessageLine]:
    """Return a page of what was received and sent, as one list in the order of time, newest first."""
    halves = [_half(connection, side, wanted) for side in (_RECEIVED, _SENT) if side.may_hold(wanted)]
    # Below the lowest row that was looked at in one half, lines of the other half would stand too early in the list.
    horizon = max((lowest for _, lowest in halves), default="")
    lines = sorted((line for lines, _ in halves for line in lines if line.id >= horizon), key=_id, reverse=True)
    page = lines[: wanted.limit]
    return Page(items=page, next=page[-1].id if len(lines) > wanted.limit else horizon or None)


def _half(connection: Connection, side: _Side, wanted: MessageFilter) -> tuple[list[MessageLine], str]:
    """Read one half's lines of a page, one more than it holds, and the lowest id looked at; empty if that was all."""
    older = _older_than(side.table, wanted)
    lowest = "" if _is_led_by_an_index(wanted) else _lowest_examined(connection, side.table, older)
    examined = [side.table.c.id >= lowest] if lowest else []
    conditions = (*older, *examined, *_conditions(side, wanted))
    rows = connection.execute(side.lines.where(*conditions).order_by(side.table.c.id.desc()).limit(wanted.limit + 1))
    return [MessageLine(direction=side.direction, **row._mapping) for row in rows], lowest


def _conditions(side: _Side, wanted: MessageFilter) -> Iterator[ColumnElement[bool] | TextClause]:
    # A state leads to fewer rows than a peer does: no index of the peer's column may be chosen then.
    peer = side.peer.concat("") if wanted.state in _BY_INDEX else side.peer
    columns = ((side.table.c.request_id, wanted.request_id), (side.table.c.message, wanted.message))
    yield from (column == value for column, value in (*columns, (peer, wanted.peer)) if value)
    if isinstance(wanted.state, OutboxState):
        yield OUTBOX.c.state == wanted.state
        if wanted.state in _BY_INDEX:
            yield _BY_INDEX[wanted.state]


def _is_led_by_an_index(wanted: MessageFilter) -> bool:
    if wanted.request_id or wanted.state in _BY_INDEX:
        return True
    return not (wanted.message or wanted.state is OutboxState.DELIVERED)


def _lowest_examined(connection: Connection, table: Table, conditions: Sequence[ColumnElement[bool]]) -> str:
    """Return the id down to which a page may look; empty if all rows may be looked at."""
    newest = select(table.c.id).where(*conditions).order_by(table.c.id.desc()).limit(EXAMINED).subquery()
    number, lowest = connection.execute(select(func.count(), func.min(newest.c.id))).one()
    return str(lowest) if number == EXAMINED else ""


def _older_than(table: Table, page: PageWanted) -> Sequence[ColumnElement[bool]]:
    return [table.c.id < page.before] if page.before else []


def _id(line: MessageLine) -> str:
    return line.id


def list_refusals(connection: Connection, wanted: RefusalFilter) -> Page[RefusedMessage]:
    """Return a page of refusals, newest first. So few are kept that any filter may look at all of them."""
    conditions = [*_older_than(REFUSALS, wanted), *([REFUSALS.c.peer == wanted.peer] if wanted.peer else [])]
    newest_first = select(REFUSALS).where(*conditions).order_by(REFUSALS.c.id.desc())
    rows = connection.execute(newest_first.limit(wanted.limit + 1)).all()
    page = [refused_message(row) for row in rows[: wanted.limit]]
    return Page(items=page, next=page[-1].id if len(rows) > wanted.limit else None)


def list_notices(connection: Connection, reference: str | None, now: datetime) -> list[NoticeView]:
    """Return the latest notices that have not expired at `now`, newest first."""
    about = [NOTICES.c.reference == reference] if reference else []
    within = NOTICES.c.id >= _lowest_examined(connection, NOTICES, [])
    latest = select(NOTICES).where(within, NOTICES.c.expires_at > now, *about).order_by(NOTICES.c.id.desc())
    rows = connection.execute(latest.limit(_NOTICES_SHOWN))
    return [NoticeView(at=row.created_at, **row._mapping) for row in rows]
