"""The operator plane's routes about the rules: both clocks, orders, and what the rules remember."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.node.journal import Journal
from shared.node.rules import BoundRules, Moment, Order, Record, Records, Reply, Timer
from shared.node.tables import CLOCK_SETTINGS, ORDERS
from shared.protocol.problems import Problem
from tests.equipment.storage import contents, rows
from tests.node.operated import NOW, OperatedStandIn, operated_node, operator

DAY = 24 * 3600


def start(order: Order, records: Records, now: Moment) -> Reply:
    if "who" not in order.data:
        return Reply(Problem.VALUE, "say for whom")
    record = Record("track-1", "track", "LENDER01", {"who": order.data["who"]})
    return Reply(records=[record], timers=[Timer("later", "later", now.business + timedelta(days=2))])


RULES = BoundRules(orders={"start": start}, timers={"later": lambda due, records, now: Reply()})


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[OperatedStandIn]:
    async with operated_node(tmp_path) as node:
        node.journal = Journal(node.engine, node.writer, timedelta(seconds=15), RULES)
        yield node


async def test_business_time_is_set_once_under_an_id_and_never_back(node: OperatedStandIn) -> None:
    async with operator(node) as client:
        assert (await client.get("/clock")).json()["offset_seconds"] == 0
        for _ in range(2):
            answer = await client.put("/clock/setting-1", json={"offset_seconds": 2 * DAY})
        told = answer.json()
        assert (answer.status_code, told["offset_seconds"], told["due"]) == (200, 2 * DAY, 0)
        assert told["business_time"][:10] == (NOW + timedelta(days=2)).date().isoformat()
        before = contents(node.engine)
        refused = await client.put("/clock/setting-2", json={"offset_seconds": DAY})
        assert (refused.status_code, refused.json()["detail"]) == (
            409,
            "business time is 2 days, 0:00:00 ahead already; it only goes forward",
        )
        assert (await client.put("/clock/setting-3", json={"offset_seconds": -1})).status_code == 422
        assert contents(node.engine) == before
    assert len(rows(node.engine, CLOCK_SETTINGS)) == 1


async def test_an_order_is_taken_once_and_what_the_rules_remember_is_shown(node: OperatedStandIn) -> None:
    async with operator(node) as client:
        order = {"id": "order-1", "kind": "start", "data": {"who": "Asha"}}
        answers = [await client.post("/orders", json=order) for _ in range(2)]
        assert [(answer.status_code, answer.json()["is_new"]) for answer in answers] == [(202, True), (202, False)]
        (record,) = (await client.get("/records", params={"kind": "track"})).json()["items"]
        assert (record["id"], record["participant"], record["state"]) == ("track-1", "LENDER01", {"who": "Asha"})
        assert (await client.get("/records", params={"kind": "loan"})).json()["items"] == []
        due = await client.put("/clock/setting-1", json={"offset_seconds": 2 * DAY})
        assert due.json()["due"] == 1


@pytest.mark.parametrize(
    ("order", "status", "detail"),
    [
        ({"id": "order-1", "kind": "start"}, 409, "say for whom"),
        ({"id": "order-1", "kind": "stop"}, 404, "there are no orders of the kind stop; choose from start"),
        ({"id": "order-1", "kind": "start", "more": 1}, 422, "more: Extra inputs are not permitted."),
    ],
)
async def test_an_order_that_cannot_be_carried_out_leaves_nothing_behind(
    node: OperatedStandIn, order: dict[str, str], status: int, detail: str
) -> None:
    before = contents(node.engine)
    async with operator(node) as client:
        answer = await client.post("/orders", json=order)
    assert (answer.status_code, answer.json()["detail"]) == (status, detail)
    assert contents(node.engine) == before
    assert rows(node.engine, ORDERS) == []
