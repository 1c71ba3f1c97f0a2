"""Loan arithmetic: known loans, other people's calculators, and what holds of every loan."""

from calendar import monthrange
from datetime import date
from decimal import Decimal

import mortgagemath
import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from lender_app.money import (
    Period,
    Schedule,
    annual_percentage_rate,
    due_dates,
    equal_instalment,
    flat_schedule,
    interest_to_the_day,
    reducing_schedule,
    single_payment,
)
from tests.protocol.vectors import cases

CASES = cases("loan_money")
SCHEDULES = {"reducing": reducing_schedule, "flat": flat_schedule}
PAISA = Decimal("0.01")

amounts = st.decimals(1_000, 1_000_000, places=2)
rates = st.decimals(0, 48, places=4)
counts = st.integers(1, 60)
periods = st.sampled_from(Period)


def apr_of(schedule: Schedule, charges: Decimal, period: Period) -> Decimal:
    principal = sum(row.principal for row in schedule)
    return annual_percentage_rate(principal - charges, tuple(row.amount for row in schedule), period.per_year)


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_a_known_loan_has_its_known_figures(case: dict[str, str]) -> None:
    period = Period[case["period"]]
    schedule = SCHEDULES[case["interest"]](
        Decimal(case["principal"]), Decimal(case["ratePerYear"]), int(case["count"]), period
    )
    assert str(schedule[0].amount) == case["instalment"]
    assert str(schedule[-1].amount) == case["last"]
    assert str(sum(row.interest for row in schedule)) == case["totalInterest"]
    assert str(apr_of(schedule, Decimal(case["charges"]), period)) == case["apr"]


@given(amounts, rates, counts, periods, st.sampled_from(list(SCHEDULES)))
def test_the_principal_of_a_schedule_is_the_loan_and_its_balance_falls_to_nothing(
    principal: Decimal, rate: Decimal, count: int, period: Period, kind: str
) -> None:
    schedule = SCHEDULES[kind](principal, rate, count, period)
    balances = [principal, *(row.balance for row in schedule)]

    assert [row.number for row in schedule] == list(range(1, count + 1))
    assert sum(row.principal for row in schedule) == principal
    assert balances == sorted(balances, reverse=True)
    assert balances[-1] == 0
    assert all(row.principal >= 0 and row.interest >= 0 for row in schedule)
    assert all(row.amount == row.amount.quantize(PAISA) for row in schedule)


@given(amounts, rates, counts, periods)
def test_all_instalments_but_the_last_are_equal_and_the_last_differs_by_what_rounding_left(
    principal: Decimal, rate: Decimal, count: int, period: Period
) -> None:
    first, last = (
        equal_instalment(principal, rate, count, period),
        reducing_schedule(principal, rate, count, period)[-1],
    )
    of_period = rate / 100 / period.per_year
    growth = ((1 + of_period) ** count - 1) / of_period if of_period else Decimal(count)

    assert {row.amount for row in reducing_schedule(principal, rate, count, period)[:-1]} <= {first}
    assert abs(last.amount - first) <= (growth + 1) * PAISA


# Rates whose twelfth ends: mortgagemath divides first, and of a third it then loses the half paisa that decides.
@given(amounts, st.integers(0, 1200).map(lambda number: Decimal(number) * 3 / 100), st.integers(2, 60))
def test_a_monthly_schedule_is_the_one_that_another_calculator_draws(
    principal: Decimal, rate: Decimal, count: int
) -> None:
    loan = mortgagemath.LoanParams(principal, rate, count, payment_rounding=mortgagemath.PaymentRounding.ROUND_HALF_UP)
    theirs = mortgagemath.amortization_schedule(loan)[1:]
    ours = reducing_schedule(principal, rate, count)

    assert [(row.principal, row.interest, row.balance) for row in ours] == [
        (row.principal, row.interest, row.balance) for row in theirs
    ]


@given(amounts, rates, counts, periods, st.decimals(0, 10, places=2))
def test_the_apr_is_the_internal_rate_of_return_that_another_calculator_finds(
    principal: Decimal, rate: Decimal, count: int, period: Period, charges_in_percent: Decimal
) -> None:
    schedule = reducing_schedule(principal, rate, count, period)
    charges = (principal * charges_in_percent / 100).quantize(PAISA)
    theirs = pyxirr.irr([float(charges - principal), *(float(row.amount) for row in schedule)])

    assert theirs is not None
    assert abs(apr_of(schedule, charges, period) - Decimal(theirs) * period.per_year * 100) <= Decimal("0.0002")


@given(amounts, rates, st.integers(2, 60))
def test_paying_the_balance_early_costs_no_more_interest_than_the_schedule(
    principal: Decimal, rate: Decimal, count: int
) -> None:
    schedule = reducing_schedule(principal, rate, count)
    paid = [sum(row.interest for row in schedule[:number]) for number in range(count + 1)]
    assert paid == sorted(paid)


def test_a_loan_paid_back_at_once_bears_interest_to_the_day() -> None:
    (row,) = single_payment(Decimal("50000"), Decimal("18"), 90)
    assert (row.principal, row.interest, row.balance) == (Decimal("50000"), Decimal("2219.18"), Decimal(0))
    assert interest_to_the_day(Decimal("50000"), Decimal("18"), 365) == Decimal("9000.00")
    apr = annual_percentage_rate(Decimal("50000"), (row.amount,), Decimal(365) / 90)
    assert apr == Decimal("18.0000")


@pytest.mark.parametrize(
    ("start", "period", "expected"),
    [
        ("2026-01-31", Period.MONTHLY, ["2026-02-28", "2026-03-31", "2026-04-30"]),
        ("2027-12-30", Period.MONTHLY, ["2028-01-30", "2028-02-29", "2028-03-30"]),
        ("2026-11-30", Period.QUARTERLY, ["2027-02-28", "2027-05-30", "2027-08-30"]),
        ("2024-02-29", Period.YEARLY, ["2025-02-28", "2026-02-28", "2027-02-28"]),
        ("2026-08-31", Period.HALF_YEARLY, ["2027-02-28", "2027-08-31", "2028-02-29"]),
        ("2026-12-25", Period.WEEKLY, ["2027-01-01", "2027-01-08", "2027-01-15"]),
    ],
)
def test_a_due_date_keeps_the_day_of_the_month_and_never_drifts(
    start: str, period: Period, expected: list[str]
) -> None:
    assert [day.isoformat() for day in due_dates(date.fromisoformat(start), 3, period)] == expected


@given(st.dates(date(2020, 1, 1), date(2100, 1, 1)), st.integers(1, 120))
def test_a_monthly_due_date_is_the_day_of_the_loan_or_the_end_of_its_month(start: date, count: int) -> None:
    for day in due_dates(start, count):
        assert day.day == min(start.day, monthrange(day.year, day.month)[1])


@pytest.mark.parametrize(
    ("principal", "rate", "count"), [("0", "12", 3), ("-1", "12", 3), ("1000", "-1", 3), ("1", "1", 0)]
)
def test_what_is_no_loan_has_no_instalment(principal: str, rate: str, count: int) -> None:
    for schedule in SCHEDULES.values():
        with pytest.raises(ValueError, match="a loan needs"):
            schedule(Decimal(principal), Decimal(rate), count)


@pytest.mark.parametrize(("net", "amounts"), [("0", ("100",)), ("-1", ("100",)), ("101", ("100",)), ("1", ())])
def test_there_is_no_apr_without_a_loan_that_is_paid_back(net: str, amounts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="an APR needs"):
        annual_percentage_rate(Decimal(net), tuple(map(Decimal, amounts)), 12)
