"""A row of the tampering table for every check, sent over real TLS to a lender that runs as a process of its own."""

from collections.abc import Iterator

import pytest

from shared.protocol.problems import SUCCESS
from shared.protocol.tampering import TAMPERINGS, Tampering
from tests.live.pair import Pair
from tests.live.spoiling import Workshop, to_be_sent

each_row = pytest.mark.parametrize("row", to_be_sent(TAMPERINGS), ids=lambda row: row.name)


@pytest.fixture(scope="module")
def workshop(pair: Pair) -> Iterator[Workshop]:
    with Workshop(pair) as workshop:
        yield workshop


@each_row
def test_a_spoiled_message_is_refused_with_a_signed_reason_and_changes_nothing(
    row: Tampering, workshop: Workshop, pair: Pair
) -> None:
    good = workshop.good()
    *before, spoiled = row.messages(good)
    for message in before:
        assert workshop.send(message).error == SUCCESS
    entries = pair.lender.books.entries()

    answer = workshop.send(spoiled)

    assert (answer.status, answer.error) == (row.problem.status, row.problem.code)
    assert answer.ack["detail"]["check"] == row.caught_by.name
    assert pair.lender.books.entries() <= entries
    unharmed = workshop.good() if before else good
    assert workshop.send(unharmed.send()).error == SUCCESS
