"""Business time: protocol time plus an offset that an operator sets, forward only (docs/positions.md P33).

Offers expire and instalments fall due by it, so that months of a loan can be seen within a minute. Timestamps, nonces,
tokens, certificates, retries and OTP sessions never do.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select

from shared.node.rules import Moment
from shared.node.tables import CLOCK_SETTINGS


class ClockSetBackError(Exception):
    """Business time only goes forward."""


class BusinessClock:
    """The offset that counts in this process. Other processes on the same database follow within a tick."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset

    def at(self, now: datetime) -> Moment:
        """Return the moment at which protocol time is `now`."""
        return Moment(now, now + self.offset)

    def follow(self, connection: Connection) -> None:
        """Take the offset from the database, unless a greater one is known here already."""
        seconds = connection.scalar(select(func.max(CLOCK_SETTINGS.c.offset_seconds))) or 0
        self.offset = max(self.offset, timedelta(seconds=seconds))

    def setting(self, id_: str, seconds: int, now: datetime) -> Callable[[Connection], int]:
        """Return the work that sets the offset under an id, and returns the offset that then counts.

        The same id sets it once, however often it comes.

        Raises (the work): ClockSetBackError: the offset is larger already.
        """

        def work(connection: Connection) -> int:
            known = connection.scalar(select(CLOCK_SETTINGS.c.offset_seconds).where(CLOCK_SETTINGS.c.id == id_))
            self.follow(connection)
            current = int(self.offset.total_seconds())
            if known is not None:
                return current
            if seconds < current:
                raise ClockSetBackError(
                    f"business time is {timedelta(seconds=current)} ahead already; it only goes forward"
                )
            connection.execute(insert(CLOCK_SETTINGS), {"id": id_, "offset_seconds": seconds, "set_at": now})
            return seconds

        return work
