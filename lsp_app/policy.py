"""How long the LSP waits, how often it asks again: its figures. OCEN gives none of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.node.ids import new_id


@dataclass(frozen=True, slots=True)
class Policy:
    """All that the LSP's rules are given besides messages and records.

    Attributes:
        draw_id: makes an id that nobody can foresee.
        poll: business time until a status is asked for again.
        consent_give_up: business time for which a consent is polled.
        decision_give_up: business time for which a decision is polled.
        consent_rounds: so often the borrower is sent to his Account Aggregator.
        callback_wait: protocol time until a callback counts as missing, one minute more than the lender's retries take.
        error_wait: protocol time until what the lender could not do is asked again.
        error_rounds: so often it is asked again.
        auction_close: protocol time after the first offer until the borrower chooses.
    """

    draw_id: Callable[[], str] = new_id
    poll: timedelta = timedelta(seconds=30)
    consent_give_up: timedelta = timedelta(hours=24)
    decision_give_up: timedelta = timedelta(hours=1)
    consent_rounds: int = 3
    callback_wait: timedelta = timedelta(minutes=16)
    error_wait: timedelta = timedelta(seconds=30)
    error_rounds: int = 3
    auction_close: timedelta = timedelta(minutes=2)
