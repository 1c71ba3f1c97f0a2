"""Loan arithmetic: instalments, schedules, due dates and APR, in exact decimal numbers.

Amounts are in rupees, on the paisa; rates are percent of a year (`Decimal("15")`); nothing here knows OCEN or a clock.
OCEN prescribes none of it. What follows is the practice of the Key Facts Statement (RBI/2024-25/18 of 15 April 2024,
annex): equal periodic instalments, equal periods whatever the number of their days, and an APR that is the internal
rate of return of a period times the periods of a year, not compounded.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import Enum

_PAISA = Decimal("0.01")
_DAYS_OF_YEAR = 365
_APR_PLACES = Decimal("0.0001")


class Period(Enum):
    """The time between two instalments: how often it fits in a year, and its length in months or in days."""

    MONTHLY = (12, 1, 0)
    WEEKLY = (52, 0, 7)
    QUARTERLY = (4, 3, 0)
    HALF_YEARLY = (2, 6, 0)
    YEARLY = (1, 12, 0)

    def __init__(self, per_year: int, months: int, days: int) -> None:
        self.per_year = per_year
        self.months = months
        self.days = days


@dataclass(frozen=True, slots=True)
class Instalment:
    """One row of a schedule: `number` counts from 1, `balance` is the principal that is left after it, in rupees."""

    number: int
    principal: Decimal
    interest: Decimal
    balance: Decimal

    @property
    def amount(self) -> Decimal:
        """What the borrower pays, in rupees."""
        return self.principal + self.interest


Schedule = tuple[Instalment, ...]


def on_the_paisa(amount: Decimal) -> Decimal:
    """Round an amount to two places, half a paisa up."""
    return amount.quantize(_PAISA, ROUND_HALF_UP)


def equal_instalment(principal: Decimal, rate: Decimal, count: int, period: Period = Period.MONTHLY) -> Decimal:
    """Return the instalment of a loan that is paid back in `count` equal ones (EPI; EMI where monthly), in rupees.

    P * r / (1 - (1 + r) ** -n), the form of the Key Facts Statement; P / n where no interest is taken.

    Raises:
        ValueError: a principal or count of nothing, or a negative rate.
    """
    _check(principal, rate, count)
    of_period = rate / 100 / period.per_year
    if not of_period:
        return on_the_paisa(principal / count)
    return on_the_paisa(principal * of_period / (1 - (1 + of_period) ** -count))


def reducing_schedule(principal: Decimal, rate: Decimal, count: int, period: Period = Period.MONTHLY) -> Schedule:
    """Return the rows of a loan with interest on the reducing balance; the last row takes what rounding has left.

    Raises:
        ValueError: as `equal_instalment`.
    """
    amount, balance, rows = equal_instalment(principal, rate, count, period), principal, []
    for number in range(1, count + 1):
        interest = on_the_paisa(balance * rate / 100 / period.per_year)
        share = balance if number == count else min(amount - interest, balance)
        balance -= share
        rows.append(Instalment(number, share, interest, balance))
    return tuple(rows)


def flat_schedule(principal: Decimal, rate: Decimal, count: int, period: Period = Period.MONTHLY) -> Schedule:
    """Return the rows of a loan with interest on the whole principal for the whole time, spread evenly.

    `rate` is of a year here, too: 12 % for 3 months is 3 % of the principal. The last row takes the rest of both.

    Raises:
        ValueError: as `equal_instalment`.
    """
    _check(principal, rate, count)
    interest = on_the_paisa(principal * rate / 100 * count / period.per_year)
    balance, rows = principal, []
    parts = zip(_evenly(principal, count), _evenly(interest, count), strict=True)
    for number, (share, part_of_interest) in enumerate(parts, 1):
        balance -= share
        rows.append(Instalment(number, share, part_of_interest, balance))
    return tuple(rows)


def single_payment(principal: Decimal, rate: Decimal, days: int) -> Schedule:
    """Return the one row of a loan that is paid back at once after so many days, interest to the day.

    Raises:
        ValueError: as `equal_instalment`, of days.
    """
    _check(principal, rate, days)
    return (Instalment(1, principal, interest_to_the_day(principal, rate, days), Decimal(0)),)


def interest_to_the_day(principal: Decimal, rate: Decimal, days: int) -> Decimal:
    """Return the interest of so many days, in rupees: actual days of a year of 365 (broken periods, prepayment)."""
    return on_the_paisa(principal * rate / 100 * days / _DAYS_OF_YEAR)


def due_dates(start: date, count: int, period: Period = Period.MONTHLY) -> tuple[date, ...]:
    """Return when the instalments of a loan paid out on `start` are due.

    The day of the month is kept, in a shorter month its last day is taken, and the next month has the day again:
    31 January, 28 February, 31 March. No holiday moves a date.
    """
    return tuple(_later(start, number, period) for number in range(1, count + 1))


def annual_percentage_rate(net: Decimal, amounts: tuple[Decimal, ...], per_year: Decimal | int) -> Decimal:
    """Return the APR in percent, to four places: the rate at which the payments are worth `net` today.

    Args:
        net: what the borrower gets in the hand, in rupees: the loan less all charges with their taxes.
        amounts: what the borrower pays at the end of each period.
        per_year: periods of a year; 365 / 90 for a loan of one payment after 90 days.

    Raises:
        ValueError: nothing is paid out, or less is paid back than was paid out.
    """
    if not 0 < net <= sum(amounts):
        raise ValueError("an APR needs a payment out, and at least as much paid back")
    with localcontext(prec=40):
        low, high = Decimal(0), Decimal(1)
        while _present_value(amounts, high) > net:
            low, high = high, high * 2
        while high - low > Decimal("1e-12"):
            middle = (low + high) / 2
            low, high = (middle, high) if _present_value(amounts, middle) > net else (low, middle)
        return (low * per_year * 100).quantize(_APR_PLACES, ROUND_HALF_UP)


def _evenly(total: Decimal, count: int) -> list[Decimal]:
    each, left, parts = on_the_paisa(total / count), total, []
    for _ in range(count - 1):
        parts.append(min(each, left))
        left -= parts[-1]
    return [*parts, left]


def _present_value(amounts: tuple[Decimal, ...], rate: Decimal) -> Decimal:
    worth = Decimal(0)
    for amount in reversed(amounts):
        worth = (worth + amount) / (1 + rate)
    return worth


def _later(start: date, number: int, period: Period) -> date:
    if period.days:
        return start + timedelta(days=number * period.days)
    years, month = divmod(start.month - 1 + number * period.months, 12)
    year = start.year + years
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def _check(principal: Decimal, rate: Decimal, count: int) -> None:
    if principal <= 0 or rate < 0 or count < 1:
        raise ValueError("a loan needs a principal, a rate of at least 0 and at least one instalment")
