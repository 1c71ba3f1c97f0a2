"""Every row of OCEN 4.0's tampering table, sent over real TLS to a lender that runs as a process of its own."""

from collections.abc import Iterator

import pytest

from shared.protocol.checks.payload import content_fits_the_message
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.tampering import V4_TAMPERINGS, GoodCall, Tampering
from tests.live.network import Network
from tests.live.v4_spoiling import CallWorkshop

each_row = pytest.mark.parametrize("row", V4_TAMPERINGS, ids=[row.name for row in V4_TAMPERINGS])


SCHEMA = (
    content_fits_the_message,
    {
        "product_network_is_two_networks_the_second_not_shared": Problem.VALUE,
        "product_network_is_a_list_of_networks": Problem.VALUE,
        "product_network_is_no_network": Problem.MANDATORY_MISSING,
    },
)
"""Of the networks that a body may name, the schema of a real message judges the form before anybody is asked."""


@pytest.fixture(scope="module")
def workshop(network: Network) -> Iterator[CallWorkshop]:
    with CallWorkshop(network) as workshop:
        yield workshop


def refusal_of(row: Tampering[GoodCall]) -> tuple[str, Problem]:
    check, problems = SCHEMA
    return (check.name, problems[row.name]) if row.name in problems else (row.caught_by.name, row.problem)


@each_row
def test_a_spoiled_call_is_refused_with_a_signed_reason_and_changes_nothing(
    row: Tampering[GoodCall], workshop: CallWorkshop, network: Network
) -> None:
    good = workshop.good()
    *before, spoiled = row.messages(good)
    if not before and spoiled == good.send():
        pytest.skip("an id of the registry is a number, and has no other case")
    check, problem = refusal_of(row)
    for message in before:
        assert workshop.send(message).error == SUCCESS
    entries = network.lender.books.entries()

    answer = workshop.send(spoiled)

    assert (answer.status, answer.error) == (problem.status, problem.code)
    assert answer.ack["detail"]["check"] == check
    assert network.lender.books.entries() <= entries
    unharmed = workshop.good() if before else good
    assert workshop.send(unharmed.send()).error == SUCCESS
