"""The sink of the heartbeat: what participants report of messages and disbursements (OCEN hb)."""

import json
import math
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError

from registry_app.api.bearer import TheCaller
from registry_app.api.refusals import ReportRefused, refused_with
from registry_app.auth.tokens import TokenHolder
from registry_app.components import Components, TheRegistry
from registry_app.store.reports import Report, ReportKind
from shared.catalogue.bodies.v4.heartbeat import (
    EVENT_PATH,
    METRIC_PATH,
    HeartbeatEventRequest,
    LoanDisbursementAnalytics,
    ResponseMessage,
)
from shared.node.ids import new_id
from shared.protocol.encoding import EncodingError, parse_json_object
from shared.protocol.messages import Role
from shared.protocol.problems import SUCCESS, Problem

routes: Final = APIRouter(tags=["heartbeat"], responses=refused_with(ResponseMessage))

Body = TypeVar("Body", bound=BaseModel)

_PROBLEMS: Final = {"missing": Problem.MANDATORY_MISSING, "enum": Problem.NOT_IN_ENUM}


def _described(model: type[BaseModel]) -> dict[str, Any]:
    # The body is read by hand, after the token: whoever has none learns nothing of what a body should be.
    schema = {"$id": model.__name__, **model.model_json_schema()}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@routes.post(EVENT_PATH, openapi_extra=_described(HeartbeatEventRequest))
async def event(request: Request, registry: TheRegistry, caller: TheCaller) -> ResponseMessage:
    """Store an event of the heartbeat."""
    body = await _read(request, registry, caller, HeartbeatEventRequest)
    facts = {
        "event_type": body.event.event_type,
        "request_id": body.event.request_id,
        "loan_application_id": body.event.loan_meta_data.loan_application_id,
    }
    return await _keep(registry, ReportKind.EVENT, caller.participant_id, facts, body)


@routes.post(METRIC_PATH, openapi_extra=_described(LoanDisbursementAnalytics))
async def disbursement(request: Request, registry: TheRegistry, caller: TheCaller) -> ResponseMessage:
    """Store the metrics of a disbursement, from a lender."""
    if caller.role is not Role.LENDER:
        raise ReportRefused(403, Problem.SENDER.code, f"Only a LENDER reports disbursements; you are {caller.role}.")
    body = await _read(request, registry, caller, LoanDisbursementAnalytics)
    facts = {"event_type": "", "request_id": "", "loan_application_id": body.loan_application_id or ""}
    return await _keep(registry, ReportKind.DISBURSEMENT, caller.participant_id, facts, body)


async def _read(request: Request, registry: Components, caller: TokenHolder, model: type[Body]) -> Body:
    content = await request.body()
    seconds = registry.quota.take(caller.participant_id, len(content))
    if seconds:
        sentence = f"Participant {caller.participant_id} reports more than its quota; come again after Retry-After."
        raise ReportRefused(429, Problem.UNAVAILABLE.code, sentence, {"retry-after": str(math.ceil(seconds))})
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ReportRefused(400, Problem.MEDIA_TYPE.code, "The body has to be application/json.")
    try:
        return model.model_validate(parse_json_object(content))
    except EncodingError as error:
        raise ReportRefused(400, Problem.MALFORMED.code, f"The body is no JSON object: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = _PROBLEMS.get(first["type"], Problem.VALUE)
        place = ".".join(str(part) for part in first["loc"])
        raise ReportRefused(400, problem.code, f"{place[:120]}: {first['msg'][:120]}.") from error


async def _keep(
    registry: Components, kind: ReportKind, participant_id: int, facts: dict[str, str], body: BaseModel
) -> ResponseMessage:
    now = registry.clock.now()
    document: Any = body.model_dump(mode="json", by_alias=True)
    await registry.database.keep(
        Report(
            id=new_id(),
            kind=kind,
            received_at=now,
            role_id=participant_id,
            document=json.dumps(document, ensure_ascii=False),
            **facts,
        )
    )
    return ResponseMessage(message="Success", timestamp=int(now.timestamp() * 1000), error_code=SUCCESS)
