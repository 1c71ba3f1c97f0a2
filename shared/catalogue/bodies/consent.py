"""The values of a consent to share financial data, which are the same in every version (OCEN consent)."""

from enum import StrEnum


class ConsentFetchType(StrEnum):
    """How often data are fetched: once for the decision, or again and again while the loan runs (monitoring)."""

    ONETIME = "ONETIME"
    PERIODIC = "PERIODIC"


class ConsentStatus(StrEnum):
    """How far a consent has come: given, not decided yet, or refused, expired or withdrawn."""

    READY = "READY"
    PENDING = "PENDING"
    FAILED = "FAILED"
