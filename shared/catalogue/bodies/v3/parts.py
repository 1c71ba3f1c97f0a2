"""Parts of v3 messages that several stages share: lists, dates, application status, reasons (OCEN v3, Core schemas).

The schemas and the samples differ in shape: what is one object in one is an array in the other, a value that is not
given is null, and a date has one of three forms. All are taken; of each, one is sent.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from shared.catalogue.bodies.body import Body, Identifier, ShortText
from shared.catalogue.bodies.values import moment_of

Item = TypeVar("Item")


def _as_list(value: Any) -> Any:
    if value is None:
        return []
    return [value] if isinstance(value, dict) else value


OneOrMany = Annotated[list[Item], Field(max_length=100, fail_fast=True), BeforeValidator(_as_list)]
"""A list that may also come as its only object (the schema of loanApplication), or as null. A list is sent."""

LoanApplicationIds = Annotated[list[Identifier], Field(min_length=1, max_length=100, fail_fast=True)]

_DAY_FIRST = re.compile(r"(\d{2})-(\d{2})-(\d{4})", re.ASCII)


def as_iso_date(text: str) -> str:
    """Return a date or date-time as RFC 3339 writes it: `18-12-2020` becomes `2020-12-18`, others stay as they are."""
    found = _DAY_FIRST.fullmatch(text)
    return f"{found[3]}-{found[2]}-{found[1]}" if found else text


def _is_date(text: str) -> str:
    moment_of(as_iso_date(text))
    return text


AnyDate = Annotated[str, Field(min_length=10, max_length=64, pattern=r"^[\x20-\x7E]+$"), AfterValidator(_is_date)]
"""A date-time or full-date of RFC 3339, or `DD-MM-YYYY`, kept as it was written: the samples have all three.
`moment_of(as_iso_date(text))` is the moment that it means."""


class LoanApplicationStatus(StrEnum):
    """How far a loan application has come (OCEN v3 loanOffer.loanApplicationStatus).

    `ACTION_REQUIRED`, as other messages of v3 write it, is read as `ACTION REQUIRED`, which is sent.
    """

    PROCESSING = "PROCESSING"
    OFFERED = "OFFERED"
    OFFER_ACCEPTED = "OFFER_ACCEPTED"
    GRANTED = "GRANTED"
    REJECTED = "REJECTED"
    ACTION_REQUIRED = "ACTION REQUIRED"

    @classmethod
    def _missing_(cls, value: object) -> "LoanApplicationStatus | None":
        return cls.ACTION_REQUIRED if value == "ACTION_REQUIRED" else None


class RejectionReason(StrEnum):
    """Why an application is rejected (OCEN v3 rejectiondetail.reason)."""

    LOW_CREDIT_SCORE = "LOW_CREDIT_SCORE"
    FRAUD = "FRAUD"
    DOC_IRREGULARITIES = "DOC_IRREGULARITIES"
    OTHERS = "OTHERS"


class RejectionDetail(Body):
    """One reason against an application, and what it means for people."""

    reason: RejectionReason
    description: ShortText
    extensible_data: dict[str, Any] | None = None


class ActionType(StrEnum):
    """What is asked of the borrower (OCEN v3 actionrequired.actionType)."""

    ADD_DOCUMENT = "ADD_DOCUMENT"
    RESUBMIT_DOCUMENT = "RESUBMIT_DOCUMENT"
    OTHER = "OTHER"


class Reference(Body):
    """What an action is about: the kind of object, and its own reference."""

    object: ShortText
    value: ShortText


class ActionRequired(Body):
    """What the borrower has to do before the lender decides."""

    action_type: ActionType
    description: ShortText
    reference: Reference
