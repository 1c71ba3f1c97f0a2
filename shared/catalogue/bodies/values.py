"""Values that OCEN writes in more than one way: amounts of money, and dates with or without a time."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from shared.protocol.encoding import parse_timestamp

_DECIMAL = re.compile(r"^\d+(\.\d+)?$", re.ASCII)


def _exact(value: Any) -> Any:
    # bool is an int to Python, and a float is no longer the number that was sent.
    if isinstance(value, bool | float) or (isinstance(value, str) and not _DECIMAL.fullmatch(value)):
        raise ValueError("not a decimal number")
    return value


_NUMBER = WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DECIMAL.pattern}]})

Money = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=2), BeforeValidator(_exact), _NUMBER]
"""An amount: not negative, at most two decimals. The schema says number, its examples are texts; both are taken."""

Rate = Annotated[Decimal, Field(ge=0, max_digits=9, decimal_places=4), BeforeValidator(_exact), _NUMBER]
"""A rate in percent, such as the interest of a year: not negative, at most four decimals."""

Quantity = Annotated[Decimal, Field(ge=0, max_digits=9, decimal_places=2), BeforeValidator(_exact), _NUMBER]
"""How many of a unit; the samples have 0 where nothing is meant."""


def moment_of(text: str) -> datetime:
    """Return the moment of an RFC 3339 date-time, or at which a full-date begins in India; aware, in UTC.

    Raises:
        ValueError: neither of them.
    """
    if len(text) > len("2031-03-04"):
        return parse_timestamp(text)
    day = datetime.strptime(f"{text} +0530", "%Y-%m-%d %z")
    try:
        return day.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no such date") from error


def _is_moment(text: str) -> str:
    moment_of(text)
    return text


DateOrTime = Annotated[str, Field(min_length=10, max_length=64, pattern=r"^[\x20-\x7E]+$"), AfterValidator(_is_moment)]
"""A full-date or date-time of RFC 3339, kept as it was written: the schema says one, the samples the other (P17)."""
