"""Fifty loans from application to offers while both sides are killed again and again: each step is taken once."""

import json
import random
from collections import Counter
from typing import Any

from sqlalchemy import Table

from shared.catalogue.table import example_of, get_message
from shared.node.tables import INBOX, OUTBOX, RECORDS, TIMERS
from tests.live.pair import LENDER, PairFactory, Side
from tests.live.waiting import eventually

LOANS = 50
STORIES = ("0000", "1002", "1004", "2001", "2003", "4711")
FINAL = ("OFFERED", "ENDED", "STOPPED")
YEAR = 365 * 24 * 3600


def application(number: int, digits: str) -> dict[str, Any]:
    asked = example_of(get_message("v3", "CreateLoanApplicationsRequest"))["loanApplications"][0]
    borrower = {**asked["borrower"], "primaryId": f"AAGCK{digits}Q"}
    return {**asked, "loanApplicationId": f"APPL-{number}", "borrower": borrower}


def states(side: Side, kind: str) -> list[dict[str, Any]]:
    return [json.loads(row["state"]) for row in side.books.rows(RECORDS) if row["kind"] == kind]


def counted(side: Side, table: Table) -> Counter[str]:
    return Counter(row["message"] for row in side.books.rows(table))


def finished(side: Side) -> list[dict[str, Any]]:
    return [track for track in states(side, "track") if track["stage"] in FINAL]


def test_each_loan_takes_each_step_once_whoever_is_killed_and_when(make_pair: PairFactory) -> None:
    pair, chance = make_pair(), random.Random(50)
    pair.start()
    stories = [chance.choice(STORIES) for _ in range(LOANS)]
    for number, digits in enumerate(stories):
        data = {"lenders": [LENDER], "application": application(number, digits)}
        assert pair.lsp.ops.order(f"order-{number}", "start", data)
        if number % 25 == 24:
            chance.choice([pair.lender, pair.lsp]).kill()
            pair.start()
            assert not pair.lsp.ops.order(f"order-{number}", "start", data)
    for wanted, side in ((15, pair.lender), (35, pair.lsp)):
        eventually(lambda wanted=wanted: len(finished(pair.lsp)) >= wanted)
        side.kill()
        pair.start()
    eventually(lambda: len(finished(pair.lsp)) == LOANS)
    eventually(pair.lsp.has_nothing_to_send)
    eventually(pair.lender.has_nothing_to_send)

    tracks, loans = states(pair.lsp, "track"), states(pair.lender, "loan-application")
    ended = {"2001": "ENDED", "2003": "ENDED"}
    assert {track["application_id"]: track["stage"] for track in tracks} == {
        f"APPL-{number}": ended.get(digits, "OFFERED") for number, digits in enumerate(stories)
    }
    assert {loan["offer_round"] for loan in loans} == {1}
    offered = {loan["id"]: [offer["id"] for offer in (loan["decision"] or {}).get("offers", [])] for loan in loans}
    assert {track["application_id"]: [offer["id"] for offer in track["offers"]] for track in tracks} == offered

    asked, taken = counted(pair.lsp, OUTBOX), counted(pair.lender, INBOX)
    answered, heard = counted(pair.lender, OUTBOX), counted(pair.lsp, INBOX)
    assert asked == taken
    assert answered == heard
    assert asked["CreateLoanApplicationsRequest"] == answered["CreateLoanApplicationsResponse"] == LOANS
    assert asked["ConsentHandleRequest"] == sum(loan["consent_round"] for loan in loans)
    assert sum(asked.values()) == sum(answered.values())

    for side in (pair.lender, pair.lsp):
        for _ in range(2):
            side.ops.set_clock("a year later", YEAR)
        eventually(lambda side=side: not side.books.rows(TIMERS))
    loans = states(pair.lender, "loan-application")
    assert {loan["milestones"]["intake"] for loan in loans if loan["milestones"]["offer"] != "rejected"} == {
        "cancelled"
    }
    assert {loan["offer_round"] for loan in loans} == {1}
