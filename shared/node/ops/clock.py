"""The operator plane's routes about business time, and orders to the rules (docs/positions.md P33)."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from shared.catalogue.bodies.body import Identifier
from shared.node.ops.body import StrictRoute
from shared.node.ops.operated import TheNode
from shared.node.ops.views import Mistake
from shared.node.rules import Order
from shared.node.timers import count_due
from shared.storage.reader import read

routes: Final = APIRouter(tags=["clock"], route_class=StrictRoute)

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


@routes.post("/orders", status_code=202, responses={409: {"model": Mistake}})
async def give_order(node: TheNode, order: OrderToRules) -> OrderTaken:
    """Tell the rules to do something: begin a journey, choose an offer, act for the borrower."""
    return OrderTaken(is_new=await node.journal.carry_out(Order(order.id, order.kind, order.data), node.clock.now()))
