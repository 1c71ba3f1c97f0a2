"""Limits how much each participant may report, so that none fills the database or slows the registry for others.

The token buckets are in this process's memory: several processes on one database grant this quota each.
"""

from dataclasses import dataclass
from typing import Final

from shared.clock import Clock

PLACE: Final = 1024
"""Bytes. A report takes a place for each of these that it begins: the quota bounds bytes as well as reports."""


@dataclass(slots=True)
class _Bucket:
    """The places that one participant has left, as of a moment of the monotonic clock."""

    left: float
    at: float


class ReportQuota:
    """A bucket for each participant, which fills up again at a steady rate.

    Only whoever holds a token of ours gets one, so there are no more than participants.
    """

    def __init__(self, per_second: int, burst: int, clock: Clock) -> None:
        """Grant `per_second` places, and `burst` at once after a time without reports."""
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: dict[int, _Bucket] = {}

    def take(self, participant_id: int, size: int) -> float:
        """Take the places of a report of `size` bytes; return 0, or in how many seconds there are enough of them."""
        now = self._clock.elapsed()
        bucket = self._buckets.setdefault(participant_id, _Bucket(self._burst, now))
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        wanted = min(self._burst, 1 + size // PLACE)
        if bucket.left < wanted:
            return (wanted - bucket.left) / self._per_second
        bucket.left -= wanted
        return 0.0
