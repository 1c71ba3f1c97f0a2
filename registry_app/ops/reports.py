"""The operator plane's routes about what participants have reported, newest first."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from registry_app.ops.views import Id
from registry_app.parts import Parts, TheRegistry
from registry_app.store.reports import Report, ReportFilter, ReportKind, list_reports
from shared.catalogue.bodies.body import Identifier
from shared.catalogue.events import EventType
from shared.node.ops.body import StrictRoute
from shared.node.ops.ledger_views import Moment

routes: Final = APIRouter(tags=["reports"], route_class=StrictRoute)


class ReportQuery(BaseModel):
    """Which reports to list: `limit` of them, older than `before` (the `next` of a page), of one participant or all."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)
    before: Identifier | None = None
    participant_id: Id | None = None


class EventQuery(ReportQuery):
    """Which events to list."""

    event_type: EventType | None = None


class ReportView(BaseModel):
    """A report: who sent it, when it came, and its body as it was sent."""

    id: str
    participant_id: str
    received_at: Moment
    body: dict[str, Any]


class ReportPage(BaseModel):
    """A page of reports. `next` is the `before` of the page after it; null says that there is nothing older."""

    items: list[ReportView]
    next: str | None


@routes.get("/events")
async def events(registry: TheRegistry, wanted: Annotated[EventQuery, Query()]) -> ReportPage:
    """List the events of the heartbeat."""
    return await _page(registry, ReportKind.EVENT, wanted, wanted.event_type or "")


@routes.get("/disbursement-metrics")
async def disbursements(registry: TheRegistry, wanted: Annotated[ReportQuery, Query()]) -> ReportPage:
    """List the metrics of disbursements."""
    return await _page(registry, ReportKind.DISBURSEMENT, wanted, "")


async def _page(registry: Parts, kind: ReportKind, wanted: ReportQuery, event_type: str) -> ReportPage:
    role_id = None if wanted.participant_id is None else int(wanted.participant_id)
    conditions = ReportFilter(kind, wanted.limit, wanted.before or "", role_id, event_type)
    reports = await registry.book.read(lambda connection: list_reports(connection, conditions))
    page = [_view(report) for report in reports[: wanted.limit]]
    return ReportPage(items=page, next=page[-1].id if len(reports) > wanted.limit else None)


def _view(report: Report) -> ReportView:
    return ReportView(
        id=report.id, participant_id=str(report.role_id), received_at=report.received_at, body=report.body
    )
