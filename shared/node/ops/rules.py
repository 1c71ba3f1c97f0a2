"""The operator plane's routes about the rules: business time, what they remember, orders (docs/positions.md P33)."""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select, true

from shared.catalogue.bodies.body import Identifier
from shared.node.ops.body import StrictRoute
from shared.node.ops.operated import TheNode
from shared.node.ops.views import Items, Mistake
from shared.node.rules import Order
from shared.node.tables import RECORDS
from shared.node.timers import count_due
from shared.storage.reader import read

routes: Final = APIRouter(tags=["rules"], route_class=StrictRoute)

_TEN_YEARS: Final = 10 * 366 * 24 * 3600


class NodeClocks(BaseModel):
    """Both clocks of the node, in UTC; `due` timers are being worked off, until then business time is not reached."""

    protocol_time: datetime
    business_time: datetime
    offset_seconds: int
    due: int


class ClockSetting(BaseModel):
    """How far ahead of protocol time business time is to be."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"offset_seconds": 345_600}]})

    offset_seconds: Annotated[int, Field(ge=0, le=_TEN_YEARS)]


class RecordView(BaseModel):
    """One record of the rules, which expires (UTC) or stays."""

    id: str
    kind: str
    participant: str
    state: dict[str, Any]
    expires_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> "RecordView":
        """Show a row."""
        return cls(
            id=row.id,
            kind=row.kind,
            participant=row.participant,
            state=json.loads(row.state),
            expires_at=row.expires_at,
        )


class OrderToRules(BaseModel):
    """Something to be done by the rules: each id is carried out once. What kinds there are, the rules say."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"id": "order-1", "kind": "start", "data": {}}]}
    )

    id: Identifier
    kind: Identifier
    data: dict[str, Any] = Field(default_factory=dict)


class OrderTaken(BaseModel):
    """The order is carried out; `is_new` is false where it had been before."""

    is_new: bool


@routes.get("/clock")
async def clocks(node: TheNode) -> NodeClocks:
    """Tell both clocks, and how many timers are due and not yet worked off."""
    moment = node.journal.clock.at(node.clock.now())

    def due(connection: Connection) -> int:
        return count_due(connection, moment)

    return NodeClocks(
        protocol_time=moment.protocol,
        business_time=moment.business,
        offset_seconds=node.journal.clock.offset // timedelta(seconds=1),
        due=await read(node.engine, due),
    )


@routes.put("/clock/{setting_id}", responses={409: {"model": Mistake}})
async def set_clock(node: TheNode, setting_id: Annotated[Identifier, Path()], setting: ClockSetting) -> NodeClocks:
    """Set business time ahead, under an id: the same id sets it once. It never goes back."""
    await node.journal.set_clock(setting_id, setting.offset_seconds, node.clock.now())
    return await clocks(node)


@routes.get("/records")
async def records(node: TheNode, kind: Annotated[Identifier | None, Query()] = None) -> Items[RecordView]:
    """Show the records of the rules, of one kind or of all: the latest 200 by id, such as loans and applications."""

    def latest(connection: Connection) -> list[RecordView]:
        wanted = select(RECORDS).where(true() if kind is None else RECORDS.c.kind == kind)
        return [RecordView.of(row) for row in connection.execute(wanted.order_by(RECORDS.c.id.desc()).limit(200))]

    return Items(items=await read(node.engine, latest))


@routes.post("/orders", status_code=202, responses={409: {"model": Mistake}})
async def give_order(node: TheNode, order: OrderToRules) -> OrderTaken:
    """Tell the rules to do something: begin applications, choose an offer, act for the borrower."""
    return OrderTaken(is_new=await node.journal.carry_out(Order(order.id, order.kind, order.data), node.clock.now()))
