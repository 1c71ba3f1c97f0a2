"""When a delivery is tried again. Pure: the courier acts, this decides (docs/positions.md P10)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.node.send.outbox import AttemptOutcome, DeliveryAttempt, OutboxState


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Exponential back-off with jitter, bounded in number and in time.

    Attributes:
        base: the pause after the first failure; each later one is twice as long.
        longest: no pause is longer, unless the receiver asks for more.
        attempts: so many tries at most.
        budget: no try begins later than this after the first.
    """

    base: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=5)
    attempts: int = 8
    budget: timedelta = timedelta(minutes=15)

    def next_attempt(self, attempt: DeliveryAttempt, now: datetime, jitter: float) -> tuple[OutboxState, datetime]:
        """Say what follows from an attempt: the entry's state, and when it is due (aware; `now` where it is finished).

        `jitter` is a random number from 0 up to 1; the pause is between one half and the whole of its step, so that
        callers who failed together do not come back together.
        """
        if attempt.outcome is AttemptOutcome.ACCEPTED:
            return OutboxState.DELIVERED, now
        if attempt.outcome is AttemptOutcome.REFUSED:
            return OutboxState.REFUSED, now
        due_at = now + self.pause(attempt, jitter)
        is_last = attempt.entry.tries + 1 >= self.attempts
        if is_last or due_at > attempt.first_started_at + self.budget:
            return OutboxState.DEAD, now
        return OutboxState.WAITING, due_at

    def pause(self, attempt: DeliveryAttempt, jitter: float) -> timedelta:
        """Say how long to wait after an attempt that failed; `retry_after` (seconds) of the attempt is respected."""
        step: timedelta = min(self.base * 2 ** min(attempt.entry.tries, 30), self.longest)
        pause = step * (0.5 + jitter / 2)
        return pause if attempt.retry_after is None else max(pause, timedelta(seconds=attempt.retry_after))
