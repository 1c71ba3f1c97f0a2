"""A row of OCEN 4.0's tampering table for every check, sent over real TLS to a lender process."""

from collections.abc import Iterator

import pytest

from shared.protocol.problems import SUCCESS
from shared.protocol.tampering import V4_TAMPERINGS, GoodCall, Tampering
from tests.live.network import Network
from tests.live.spoiling import to_be_sent
from tests.live.v4_spoiling import CallWorkshop

each_row = pytest.mark.parametrize("row", to_be_sent(V4_TAMPERINGS), ids=lambda row: row.name)


@pytest.fixture(scope="module")
def workshop(network: Network) -> Iterator[CallWorkshop]:
    with CallWorkshop(network) as workshop:
        yield workshop


@each_row
def test_a_spoiled_call_is_refused_with_a_signed_reason_and_changes_nothing(
    row: Tampering[GoodCall], workshop: CallWorkshop, network: Network
) -> None:
    good = workshop.good()
    *before, spoiled = row.messages(good)
    for message in before:
        assert workshop.send(message).error == SUCCESS
    entries = network.lender.books.entries()

    answer = workshop.send(spoiled)

    assert (answer.status, answer.error) == (row.problem.status, row.problem.code)
    assert answer.ack["detail"]["check"] == row.caught_by.name
    assert network.lender.books.entries() <= entries
    unharmed = workshop.good() if before else good
    assert workshop.send(unharmed.send()).error == SUCCESS
