"""The operator plane's routes about what participants have reported, newest first."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from registry_app.components import Components, TheRegistry
from registry_app.ops.views import Id
from registry_app.store.reports import ReportFilter, ReportKind, list_reports
from shared.catalogue.events import EventType
from shared.node.ops.body import StrictRoute
from shared.node.ops.ledger_views import Moment, PageWanted
from shared.node.ops.views import Page

routes: Final = APIRouter(tags=["reports"], route_class=StrictRoute)


class ReportQuery(PageWanted):
    """Which reports to list, of one participant or of all."""

    participant_id: Id | None = None


class EventQuery(ReportQuery):
    """Which events to list."""

    event_type: EventType | None = None


class ReportView(BaseModel):
    """A report: who sent it, when it came, and its body as it was sent."""

    id: str
    participant_id: Annotated[Id, Field(validation_alias="role_id")]
    received_at: Moment
    body: dict[str, Any]


@routes.get("/events")
async def events(registry: TheRegistry, wanted: Annotated[EventQuery, Query()]) -> Page[ReportView]:
    """List the events of the heartbeat."""
    return await _page(registry, ReportKind.EVENT, wanted, wanted.event_type or "")


@routes.get("/disbursement-metrics")
async def disbursements(registry: TheRegistry, wanted: Annotated[ReportQuery, Query()]) -> Page[ReportView]:
    """List the metrics of disbursements."""
    return await _page(registry, ReportKind.DISBURSEMENT, wanted, "")


async def _page(registry: Components, kind: ReportKind, wanted: ReportQuery, event_type: str) -> Page[ReportView]:
    role_id = None if wanted.participant_id is None else int(wanted.participant_id)
    conditions = ReportFilter(kind, wanted.limit, wanted.before or "", role_id, event_type)
    reports = await registry.database.read(lambda connection: list_reports(connection, conditions))
    page = [ReportView.model_validate(report, from_attributes=True) for report in reports[: wanted.limit]]
    return Page(items=page, next=page[-1].id if len(reports) > wanted.limit else None)
