"""A node that can write nothing says so, to counterparties, in /ready and once a minute in its log, and recovers."""

import resource
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.protocol.problems import SUCCESS
from tests.live.forger import Answer, Forger, calling_as
from tests.live.letters import TRIGGER, envelope, letter, path_of
from tests.live.pair import LSP, Pair, PairFactory
from tests.live.waiting import eventually


def post(forger: Forger, pair: Pair) -> Answer:
    return forger.post(path_of(TRIGGER), envelope(letter(TRIGGER, LSP), pair.lsp.identity.signing_key))


def obstacle(url: str) -> dict[str, Any] | None:
    """What /ready says while it is not true."""
    answer = httpx.get(url, timeout=20, trust_env=False)
    told: dict[str, Any] = answer.json()
    assert answer.status_code == (200 if told["ready"] else 503)
    return None if told["ready"] else told


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits a running process")
def test_a_node_on_a_full_disk_says_so_and_goes_on_once_there_is_room(make_pair: PairFactory) -> None:
    pair = make_pair()
    pair.start()
    lender, ready = pair.lender, f"http://127.0.0.1:{pair.lender.settings['OCEN_OPS_PORT']}/ready"
    wal = Path(lender.settings["OCEN_DATABASE_URL"].removeprefix("sqlite:///") + "-wal")
    unlimited = resource.prlimit(lender.pid, resource.RLIMIT_FSIZE)
    with calling_as(LSP, pair, lender) as forger:
        assert post(forger, pair).error == SUCCESS

        resource.prlimit(lender.pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, unlimited[1]))
        began = datetime.now(UTC)
        refusals = [post(forger, pair) for _ in range(10)]
        told = eventually(lambda: obstacle(ready))
        resource.prlimit(lender.pid, resource.RLIMIT_FSIZE, unlimited)

        assert [(refusal.status, refusal.error, refusal.headers["retry-after"]) for refusal in refusals] == [
            (503, "GEN5004", "5")
        ] * 10
        assert "disk" in told["reason"]
        assert began <= datetime.fromisoformat(told["since"]) <= datetime.now(UTC)
        eventually(lambda: post(forger, pair).error == SUCCESS)
        eventually(lender.ops.is_ready)
    lines = lender.log.read_text().splitlines()
    assert sum("not available" in line for line in lines) == 1
    assert sum("outbox cannot be read" in line for line in lines) <= 1
