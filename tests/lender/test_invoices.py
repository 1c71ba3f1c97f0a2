"""Invoices: read from the documents of the GST network, and judged."""

import base64
import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lender_app.invoices import Invoice, invoices_in, objections_to
from lender_app.lending import LendingFigures
from shared.protocol.encoding import parse_json_object
from tests.protocol.vectors import DOCUMENTS

FIGURES = LendingFigures()
TODAY = date(2031, 3, 4)
ENTRY: dict[str, Any] = {"inum": "S008400", "idt": "24-02-2031", "val": 729248.16, "itms": [{"num": 1}]}
INVOICE = Invoice("01AABCE2207R1Z5_S008400", date(2031, 2, 24), Decimal("729248.16"))


def document(*entries: Any) -> str:
    return json.dumps({"ctin": "01AABCE2207R1Z5", "cfs": "Y", "inv": entries})


def objections(invoice: Invoice = INVOICE, *, amount: str = "50000", days: int = 90) -> tuple[str, ...]:
    return objections_to(invoice, amount=Decimal(amount), tenure=timedelta(days=days), figures=FIGURES, today=TODAY)


def test_an_invoice_is_read_from_json_and_from_base64_alike() -> None:
    text = document(ENTRY, {**ENTRY, "inum": "S008401", "val": 100})
    for data in text, base64.b64encode(text.encode()).decode():
        assert invoices_in(data) == (INVOICE, Invoice("01AABCE2207R1Z5_S008401", INVOICE.issued_on, Decimal(100)))


@pytest.mark.parametrize(
    "data",
    [
        "",
        "%%%",
        "{",
        base64.b64encode(b"\xff").decode(),
        "{}",
        document(),
        document(*[ENTRY] * 101),
        document("S008400"),
        document({**ENTRY, "inum": "S" * 65}),
        document({**ENTRY, "inum": "S\n1"}),
        *(document({**ENTRY, name: value}) for name in ENTRY if name != "itms" for value in (None, True, [], "", -1)),
        document({**ENTRY, "idt": "2031-02-24"}),
        document({**ENTRY, "val": "729248.16"}),
        document({**ENTRY, "val": 10**40}),
        " " * 70_000,
    ],
)
def test_what_is_no_invoice_document_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="invoice"):
        invoices_in(data)


def test_nothing_is_against_a_fresh_invoice_of_which_a_part_is_lent() -> None:
    assert objections() == ()
    assert objections(amount="583398.53") == ()


@pytest.mark.parametrize(
    ("issued_on", "amount", "days", "objection"),
    [
        (date(2030, 12, 3), "50000", 90, "older than 90 days"),
        (date(2031, 3, 5), "50000", 90, "in the future"),
        (date(2031, 2, 24), "583398.54", 90, "more than 80 %"),
        (date(2031, 2, 24), "50000", 91, "90 days at most"),
    ],
)
def test_an_invoice_is_objected_to_by_age_date_amount_and_tenure(
    issued_on: date, amount: str, days: int, objection: str
) -> None:
    (found,) = objections(Invoice(INVOICE.key, issued_on, INVOICE.value), amount=amount, days=days)
    assert objection in found


def test_the_published_sample_of_an_invoice_is_read() -> None:
    sample = DOCUMENTS / "examples" / "v3" / "CreateLoanApplicationsRequest.json"
    if not sample.exists():
        pytest.skip("the facts collected from the OCEN documents are not beside this checkout")
    application = parse_json_object(Path(sample).read_bytes())["loanApplications"][0]
    data = application["collaterals"][0]["documents"][0]["data"]
    assert invoices_in(data) == (Invoice("01AABCE2207R1Z5_S008400", date(2016, 11, 24), Decimal("729248.16")),)
