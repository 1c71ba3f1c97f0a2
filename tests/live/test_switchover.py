"""Two lender processes on one PostgreSQL database, while its primary and its standby change places under load."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.protocol.problems import SUCCESS
from tests.equipment.switchover import Replicated, replicated
from tests.live.forger import Answer, Forger, calling_as
from tests.live.letters import TRIGGER, envelope, letter, path_of
from tests.live.logs import assert_nothing_failed
from tests.live.pair import LSP, Pair, Side, pair_in
from tests.live.waiting import eventually
from tests.postgres import find_binaries, free_port


@pytest.fixture
def servers() -> Iterator[Replicated]:
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed here (initdb, pg_ctl, postgres)")
    with replicated(binaries) as servers:
        yield servers


@pytest.fixture
def pair(tmp_path: Path, certs: Path, servers: Replicated) -> Iterator[Pair]:
    """A pair whose lender keeps its messages there; only the lender runs."""
    with pair_in(tmp_path, certs, {"lender": servers.url}) as pair:
        pair.lender.start()
        yield pair


@pytest.fixture
def second(pair: Pair, tmp_path: Path) -> Iterator[Side]:
    """Another process of the same lender."""
    (tmp_path / "second").mkdir()
    ports = {"OCEN_PORT": str(free_port()), "OCEN_OPS_PORT": str(free_port())}
    side = Side("lender", {**pair.lender.settings, **ports}, tmp_path / "second")
    side.start()
    yield side
    side.close()
    assert_nothing_failed(side.log)


def post(forger: Forger, pair: Pair) -> Answer:
    return forger.post(path_of(TRIGGER), envelope(letter(TRIGGER, LSP), pair.lsp.identity.signing_key))


def test_messages_get_503_until_the_address_leads_to_the_new_primary_and_then_count_again(
    servers: Replicated, pair: Pair, second: Side
) -> None:
    lenders = (pair.lender, second)
    with calling_as(LSP, pair, pair.lender) as one, calling_as(LSP, pair, second) as other:
        assert [post(forger, pair).error for forger in (one, other)] == [SUCCESS] * 2
        servers.stop_first()
        servers.promote_second()
        servers.bring_back_first()

        for lender, forger in zip(lenders, (one, other), strict=True):
            refused = [post(forger, pair) for _ in range(2)]
            assert {(answer.status, answer.error, answer.headers["retry-after"]) for answer in refused} == {
                (503, "GEN5004", "5")
            }
            assert not lender.ops.is_ready()

        servers.move_address()

        for lender, forger in zip(lenders, (one, other), strict=True):
            eventually(lambda forger=forger: post(forger, pair).error == SUCCESS)
            eventually(lender.ops.is_ready)
    accepted = [lender.ops.messages(10, direction="received") for lender in lenders]
    assert accepted[0] == accepted[1]
    assert len(accepted[0]) == 4
