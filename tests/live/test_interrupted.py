"""A process ends amid 200 exchanges, killed or asked to end, and starts again: each exchange completes, and once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.protocol.problems import SUCCESS
from tests.live.forger import calling_as
from tests.live.letters import TRIGGER, envelope, letter, path_of
from tests.live.pair import LSP, Pair, Side, pair_in
from tests.live.traffic import Traffic
from tests.live.waiting import eventually
from tests.postgres import create_database

ANSWERED_BEFORE = 20
"""So many exchanges are complete when the process ends; the LSP is still being told to begin others then."""

SETTINGS = {
    "lease_seconds": 11,  # the shortest: on PostgreSQL, what a dead process held comes due when its lease ends
    "retry_base_seconds": 0.1,
    "retry_attempts": 50,
}


@pytest.fixture(scope="module")
def pair_on_sqlite(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Pair]:
    with pair_in(tmp_path_factory.mktemp("sqlite"), certs, **SETTINGS) as pair:
        yield pair


@pytest.fixture(scope="module")
def pair_on_postgresql(tmp_path_factory: pytest.TempPathFactory, certs: Path, postgres_url: str) -> Iterator[Pair]:
    urls = {side: create_database(postgres_url) for side in ("lender", "lsp")}
    with pair_in(tmp_path_factory.mktemp("postgresql"), certs, urls, **SETTINGS) as pair:
        yield pair


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Pair:
    """The pair on the database that the test asks for, both sides running."""
    pair: Pair = request.getfixturevalue(f"pair_on_{request.param}")
    pair.start()
    return pair


def kill(side: Side) -> None:
    side.kill()


def stop(side: Side) -> None:
    assert side.stop() == 0
    assert "graceful shutdown exceeded" not in side.log.read_text()


in_each_way = pytest.mark.parametrize(
    ("pair", "end"),
    [("sqlite", kill), ("sqlite", stop), ("postgresql", kill)],
    ids=["killed on SQLite", "asked to end on SQLite", "killed on PostgreSQL"],
    indirect=["pair"],
)


def await_quiet(pair: Pair) -> None:
    """Wait until neither side has anything to send."""
    eventually(lambda: pair.lsp.has_nothing_to_send() and pair.lender.has_nothing_to_send())


@in_each_way
def test_each_exchange_completes_once_though_the_lender_ends_amid_them(pair: Pair, end: Callable[[Side], None]) -> None:
    traffic = Traffic(pair)
    with traffic.under_way():
        eventually(lambda: len(traffic.answered()) >= ANSWERED_BEFORE)
        end(pair.lender)
    assert ANSWERED_BEFORE <= len(traffic.answered()) < len(traffic.request_ids)
    assert traffic.acknowledged == traffic.request_ids

    pair.lender.start()

    eventually(lambda: traffic.answered() == traffic.request_ids)
    await_quiet(pair)
    traffic.assert_completed_once(traffic.request_ids)


@in_each_way
def test_nothing_that_the_lsp_has_taken_is_lost_though_it_ends_amid_the_exchanges(
    pair: Pair, end: Callable[[Side], None]
) -> None:
    traffic = Traffic(pair)
    with traffic.under_way():
        eventually(lambda: len(traffic.answered()) >= ANSWERED_BEFORE)
        end(pair.lsp)
    assert ANSWERED_BEFORE <= len(traffic.answered()) < len(traffic.request_ids)
    assert len(traffic.acknowledged) >= ANSWERED_BEFORE

    pair.lsp.start()

    eventually(lambda: traffic.acknowledged <= traffic.answered())
    await_quiet(pair)
    # What was committed when its answer could not leave any more is sent as well.
    traffic.assert_completed_once(traffic.acknowledged | traffic.answered())


@pytest.mark.parametrize("pair", ["sqlite", "postgresql"], indirect=True)
def test_a_lender_that_was_killed_still_knows_what_it_has_accepted(pair: Pair) -> None:
    body = envelope(letter(TRIGGER, LSP), pair.lsp.identity.signing_key)
    with calling_as(LSP, pair, pair.lender) as forger:
        assert forger.post(path_of(TRIGGER), body).error == SUCCESS

    pair.lender.kill()
    pair.lender.start()

    with calling_as(LSP, pair, pair.lender) as forger:
        assert forger.post(path_of(TRIGGER), body).error == "AUTH1002"
