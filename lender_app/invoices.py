"""Invoices that secure a loan: read from the GST network's B2B document, and judged by the lender's figures.

Whether an invoice has been financed already is not judged here: it is in the lender's records, under its key.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeGuard

from lender_app.lending import LendingFigures
from lender_app.money import on_the_paisa
from shared.protocol.encoding import EncodingError, parse_json_object

_MOST_BYTES = 64 * 1024
_MOST_INVOICES = 100
_MOST_CHARACTERS = 64
_MOST_VALUE = 10**13
_NOT_ONE = "not an invoice document of the GST network"


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice. `key` is `<GSTIN>_<number>`, `value` in rupees with tax."""

    key: str
    issued_on: date
    value: Decimal


def invoices_in(data: str) -> tuple[Invoice, ...]:
    """Return the invoices in the `data` of a GSTN_B2B_INVOICE document: its JSON, as it is or in base64.

    Raises:
        ValueError: it is no such document, or has more invoices than a message may name.
    """
    document = _parsed(data)
    gstin, found = document.get("ctin"), document.get("inv")
    if not _is_id(gstin) or not isinstance(found, list) or not 0 < len(found) <= _MOST_INVOICES:
        raise ValueError(_NOT_ONE)
    return tuple(_invoice(gstin, entry) for entry in found)


def objections_to(
    invoice: Invoice, *, amount: Decimal, tenure: timedelta, figures: LendingFigures, today: date
) -> tuple[str, ...]:
    """Return what is against lending this amount, in rupees, for this time on an invoice; `today` is the day in India.

    The texts name no amount and no party, for they go to the LSP.
    """
    objections = []
    if invoice.issued_on > today:
        objections.append("The invoice is dated in the future.")
    if today - invoice.issued_on > figures.invoice_age:
        objections.append(f"The invoice is older than {figures.invoice_age.days} days.")
    if amount > on_the_paisa(invoice.value * figures.invoice_share / 100):
        objections.append(f"The amount is more than {figures.invoice_share} % of the invoice.")
    if tenure > figures.invoice_tenure:
        objections.append(f"A loan on an invoice runs {figures.invoice_tenure.days} days at most.")
    return tuple(objections)


def _parsed(data: str) -> Mapping[str, Any]:
    if len(data) > _MOST_BYTES:
        raise ValueError(f"an invoice document of more than {_MOST_BYTES} characters")
    try:
        text = data.encode() if data.lstrip().startswith("{") else base64.b64decode(data, validate=True)
        return parse_json_object(text)
    except (EncodingError, binascii.Error) as error:
        raise ValueError(_NOT_ONE) from error


def _invoice(gstin: str, entry: Any) -> Invoice:
    try:
        number, day, value = entry["inum"], entry["idt"], entry["val"]
        issued_on = datetime.strptime(f"{day} +0530", "%d-%m-%Y %z").date()
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("an invoice without number, date or value") from error
    if not _is_id(number) or isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("an invoice without number, date or value")
    if not 0 < value < _MOST_VALUE:
        raise ValueError("an invoice whose value is no amount")
    return Invoice(f"{gstin}_{number}", issued_on, Decimal(value))


def _is_id(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _MOST_CHARACTERS and value.isprintable()
