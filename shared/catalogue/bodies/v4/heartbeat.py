"""The heartbeat of OCEN 4.0: what a participant reports of each message, and of each disbursement (OCEN hb)."""

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from shared.catalogue.bodies.body import Identifier, ShortText
from shared.catalogue.bodies.v4.registry import Wire
from shared.catalogue.events import EventType

EVENT_PATH: Final = "/ocen/v4/event"
METRIC_PATH: Final = "/ocen/v4/metrics/lender/loanDisbursementMetric"

EpochMilliseconds = Annotated[int, Field(strict=True, ge=0, lt=1 << 53)]
"""A moment as milliseconds since 1970 in UTC."""


def _text(value: Any) -> Any:
    # The loan id is required in the schema and not known before the grant: the starter sends null.
    return "" if value is None else value


class ReportedProduct(Wire):
    """Which product, in which product network."""

    product_id: Identifier
    product_network_id: Identifier


class LoanMetaData(Wire):
    """Which loan an event is about; `loan_id` is empty until there is one."""

    loan_application_id: ShortText
    loan_id: Annotated[ShortText, BeforeValidator(_text)] = ""
    product_data: ReportedProduct


class Recipient(Wire):
    """Whom a message went to (its participant id), the HTTP status that came back, and a word about it."""

    role_id: Identifier
    response_code: Annotated[int, Field(strict=True, ge=-(1 << 31), lt=1 << 31)]
    response_message: ShortText


class Event(Wire):
    """One event; `request_id` is an id of the event, not of the message that it is about."""

    timestamp: EpochMilliseconds
    event_type: EventType
    request_id: Identifier
    loan_meta_data: LoanMetaData
    recipients: Annotated[list[Recipient], Field(fail_fast=True)]


class HeartbeatEventRequest(Wire):
    """The body of `POST /ocen/v4/event`."""

    event: Event


class TenureInDays(Wire):
    """How long a loan runs, in days."""

    days: Annotated[int, Field(strict=True, ge=0, lt=1 << 31)] | None = None


class DisbursementMetrics(Wire):
    """One disbursement: amount in rupees, interest rate in percent a year."""

    amount: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    tenure: TenureInDays
    interest_rate: Annotated[float, Field(allow_inf_nan=False)]


class LoanDisbursementAnalytics(Wire):
    """The body of `POST /ocen/v4/metrics/lender/loanDisbursementMetric`, which lenders send after a disbursement."""

    product_data: ReportedProduct | None = None
    loan_id: ShortText | None = None
    loan_application_id: ShortText | None = None
    metrics: Annotated[list[DisbursementMetrics], Field(fail_fast=True)]


class ResponseMessage(Wire):
    """The answer to a report: `error_code` "0" says that it was taken."""

    message: str
    timestamp: EpochMilliseconds
    error_code: str
