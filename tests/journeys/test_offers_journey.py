"""From application to offers in v3: an order begins it, and the LSP and the lender do the rest by themselves."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lender_app import offer_wire, wire
from lender_app.pricing import LoanOffer
from shared.catalogue.table import example_of, get_message
from shared.node.rules import Order
from shared.node.tables import INBOX, OUTBOX, RECORDS, TIMERS
from tests.equipment.envelopes import payload_inside
from tests.equipment.node import MemoryNode
from tests.equipment.pair import Pair, memory_pair
from tests.equipment.parties import LENDER
from tests.equipment.storage import rows

CREATE = get_message("v3", "CreateLoanApplicationsRequest")
DAY = 24 * 3600


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with memory_pair(tmp_path) as pair:
        yield pair
        assert pair.lsp.telemetry.troubles == pair.lender.telemetry.troubles == []


def application(digits: str = "0000", **changes: Any) -> dict[str, Any]:
    """An application of the borrower whose story these digits of the PAN choose."""
    asked: dict[str, Any] = example_of(CREATE)["loanApplications"][0]
    return {**asked, "borrower": {**asked["borrower"], "primaryId": f"AAGCK{digits}Q"}, **changes}


async def start(pair: Pair, digits: str = "0000", **data: Any) -> None:
    order = {"lenders": [LENDER], "application": application(digits), **data}
    assert await pair.lsp.journal.carry_out(Order("order-1", "start", order), pair.clock.now())


async def go_on(pair: Pair, rounds: int = 12, seconds: float = 0.01) -> None:
    """Let both do what they have to do now."""
    for _ in range(rounds):
        await pair.sweep(seconds)


def records(node: MemoryNode, kind: str) -> list[dict[str, Any]]:
    return [json.loads(row["state"]) for row in rows(node.engine, RECORDS) if row["kind"] == kind]


def track(pair: Pair) -> dict[str, Any]:
    (track,) = records(pair.lsp, "track")
    return track


def conversation(pair: Pair) -> list[str]:
    """The names of all messages that were sent, without Request and Response."""
    names = [row["message"] for row in rows(pair.lsp.engine, OUTBOX)]
    return [name.removesuffix("Request") for name in names]


def told(pair: Pair, name: str) -> list[dict[str, Any]]:
    """The payloads of the callbacks of this name."""
    return [payload_inside(row["raw"]) for row in rows(pair.lsp.engine, INBOX) if row["message"] == name]


async def test_an_application_goes_straight_through_to_its_offers(pair: Pair) -> None:
    await start(pair)
    await go_on(pair)
    assert conversation(pair) == ["CreateLoanApplications", "ConsentHandle", "ConsentStatus", "GenerateOffers"]
    (journey,) = records(pair.lsp, "journey")
    (loan,) = records(pair.lender, "loan-application")
    assert (track(pair)["stage"], loan["milestones"]["offer"]) == ("OFFERED", "offered")
    offers = {offer["id"]: offer for offer in loan["decision"]["offers"]}
    assert {offer["id"] for offer in track(pair)["offers"]} == set(offers)
    assert journey["chosen"]["id"] == min(offers, key=lambda id_: float(offers[id_]["apr"]))
    assert [row["state"] for node in (pair.lsp, pair.lender) for row in rows(node.engine, OUTBOX)] == ["DELIVERED"] * 8


async def test_a_borrower_who_refuses_once_is_asked_again(pair: Pair) -> None:
    await start(pair, "1002")
    await go_on(pair, 16)
    assert conversation(pair)[1:6] == [
        "ConsentHandle",
        "ConsentStatus",
        "ConsentHandle",
        "ConsentStatus",
        "GenerateOffers",
    ]
    assert track(pair)["stage"] == "OFFERED"


async def test_a_consent_that_takes_its_time_is_polled_with_new_request_ids(pair: Pair) -> None:
    await start(pair, "1003")
    await go_on(pair)
    assert track(pair)["stage"] == "CONSENT"
    await go_on(pair, 8, 31)
    assert track(pair)["stage"] == "OFFERED"
    polls = [row["request_id"] for row in rows(pair.lsp.engine, OUTBOX) if row["message"] == "ConsentStatusRequest"]
    assert len(set(polls)) == len(polls) > 3


async def test_an_aggregator_that_is_away_is_an_error_that_is_asked_again(pair: Pair) -> None:
    await start(pair, "1004")
    await go_on(pair, 4)
    (loan,) = records(pair.lender, "loan-application")
    assert loan["milestones"]["consent"] == "none"
    await go_on(pair, 4, 16)
    assert track(pair)["stage"] == "OFFERED"


@pytest.mark.parametrize(
    ("digits", "reason", "outcome"),
    [
        ("2001", "LOW_CREDIT_SCORE", "rejected: The credit score is below 600."),
        ("2002", "OTHERS", "rejected: The Account Aggregator has delivered no data."),
        ("2003", "FRAUD", "rejected: The application is on a list of frauds."),
    ],
)
async def test_a_lender_that_would_not_lend_says_why(pair: Pair, digits: str, reason: str, outcome: str) -> None:
    await start(pair, digits)
    await go_on(pair)
    assert (track(pair)["stage"], track(pair)["outcome"]) == ("ENDED", outcome)
    (answer,) = told(pair, "GenerateOffersResponse")
    (item,) = answer["loanApplications"]
    assert item["loanApplicationStatus"] == "REJECTED"
    assert [detail["reason"] for detail in item["rejectionDetails"]] == [reason]


async def test_a_document_that_is_missing_stops_the_journey_in_sight(pair: Pair) -> None:
    await start(pair, "2010")
    await go_on(pair)
    assert track(pair)["stage"] == "STOPPED"
    assert track(pair)["outcome"].startswith("ACTION REQUIRED: A document of type GST_PROFILE")


async def test_an_application_that_the_lender_rejects_ends_at_once(pair: Pair) -> None:
    terms = {**application()["terms"], "requestedAmount": "5"}
    await start(pair, application=application(terms=terms))
    await go_on(pair)
    assert conversation(pair) == ["CreateLoanApplications"]
    assert track(pair)["stage"] == "ENDED"
    assert track(pair)["outcome"].startswith("rejected: CLARQ1006")


async def test_offers_run_out_by_business_time_and_new_ones_have_new_ids(pair: Pair) -> None:
    await start(pair)
    await go_on(pair)
    (loan,) = records(pair.lender, "loan-application")
    first = {offer["id"] for offer in loan["decision"]["offers"]}
    await pair.lender.journal.set_clock("clock-1", 7 * DAY, pair.clock.now())
    await go_on(pair, 1)
    (loan,) = records(pair.lender, "loan-application")
    assert (loan["milestones"]["offer"], loan["offer_round"]) == ("expired", 1)
    await pair.send("GenerateOffersRequest", {"loanApplicationIds": [application()["loanApplicationId"]]})
    await go_on(pair, 2)
    (loan,) = records(pair.lender, "loan-application")
    assert (loan["milestones"]["offer"], loan["offer_round"]) == ("offered", 2)
    assert not first & {offer["id"] for offer in loan["decision"]["offers"]}


async def test_offers_that_are_asked_for_again_while_they_hold_are_the_same(pair: Pair) -> None:
    await start(pair)
    await go_on(pair)
    await pair.send("GenerateOffersRequest", {"loanApplicationIds": [application()["loanApplicationId"], "APPL-9"]})
    await go_on(pair, 2)
    told = [
        payload_inside(row["raw"]) for row in rows(pair.lsp.engine, INBOX) if row["message"] == "GenerateOffersResponse"
    ]
    first, second = (answer["loanApplications"] for answer in told)
    assert second[0] == first[0]
    assert (second[1]["loanApplicationStatus"], second[1]["rejectionDetails"][0]["reason"]) == ("REJECTED", "OTHERS")


async def test_what_is_asked_too_early_or_of_somebody_elses_application_is_refused(pair: Pair) -> None:
    await pair.send("GenerateOffersRequest", {"loanApplicationIds": ["APPL-9"]})
    await pair.send("ConsentStatusRequest", {"consent": {"consentHandle": "handle-9"}})
    consent = {"consentFetchType": "PERIODIC", "vua": "asha@aa.example"}
    await pair.send(CREATE.name, {"loanApplications": [application(loanApplicationId="APPL-1")]})
    await pair.send("ConsentHandleRequest", {"loanApplicationIds": ["APPL-1"], "consent": consent})
    await pair.send("ConsentHandleRequest", {"loanApplicationIds": ["APPL-1", "APPL-9"], "consent": consent})
    refused = [
        (row["state"], row["result"][:20]) for row in rows(pair.lsp.engine, OUTBOX) if row["state"] != "DELIVERED"
    ]
    assert refused == [("REFUSED", f"refused with GEN{code}") for code in (5011, 5011, 5010, 5011)]


async def test_a_lender_that_is_down_too_long_stops_the_journey_in_sight(pair: Pair) -> None:
    callee, pair.to_lender.callee = pair.to_lender.callee, None
    await start(pair)
    await go_on(pair, 16, 120)
    assert track(pair)["stage"] == "STOPPED"
    assert "could not be delivered" in track(pair)["outcome"]
    pair.to_lender.callee = callee


async def test_a_callback_that_never_comes_is_asked_for_once_more_and_then_given_up(pair: Pair) -> None:
    pair.to_lsp.callee = None
    await start(pair)
    await go_on(pair, 3)
    await go_on(pair, 1, 16 * 60)
    assert conversation(pair) == ["CreateLoanApplications"] * 2
    await go_on(pair, 1, 16 * 60)
    assert (track(pair)["stage"], track(pair)["outcome"]) == ("STOPPED", "no answer to CreateLoanApplications")
    assert len(records(pair.lender, "loan-application")) == 1


async def test_what_is_asked_again_is_the_same_to_the_last_number_and_each_lender_is_asked_once(pair: Pair) -> None:
    pair.to_lsp.callee = None
    terms = {**application()["terms"], "requestedAmount": Decimal("250000.50")}
    await start(pair, application=application(terms=terms), lenders=[LENDER, LENDER])
    await go_on(pair, 3)
    await go_on(pair, 1, 16 * 60)
    assert [row["result"] for row in rows(pair.lsp.engine, OUTBOX)] == ["acknowledged"] * 2


@pytest.mark.parametrize(
    "data",
    [
        {"lenders": []},
        {"application": None},
        {"application": {"amount": Decimal("0.12345678901234567890")}},
        {"application": {"name": "\ud800"}},
        {"preference": "colour"},
    ],
)
async def test_an_order_that_lacks_something_is_refused_and_nothing_is_sent(pair: Pair, data: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"say for whom|application: |preference is none of"):
        await start(pair, **data)
    assert rows(pair.lsp.engine, OUTBOX) == rows(pair.lsp.engine, RECORDS) == rows(pair.lsp.engine, TIMERS) == []


async def test_members_that_ocen_does_not_know_are_part_of_an_application_whatever_they_are_called(pair: Pair) -> None:
    for metadata in (5, 5, 6):
        asked = application(loanApplicationId="APPL-1", metadata=metadata)
        await pair.send(CREATE.name, {"loanApplications": [asked]})
    results = [row["result"][:20] for row in rows(pair.lsp.engine, OUTBOX)]
    assert results == ["acknowledged", "acknowledged", "refused with GEN5017"]


async def ask_for_consent(pair: Pair, *ids: str) -> str:
    """Ask for a consent, and return its handle; the borrower has not decided on it yet."""
    consent = {"consentFetchType": "ONETIME", "vua": "asha@aa.example"}
    await pair.send("ConsentHandleRequest", {"loanApplicationIds": list(ids), "consent": consent})
    await go_on(pair, 1, 0)
    handle: str = told(pair, "ConsentHandleResponse")[-1]["consent"]["consentHandle"]
    return handle


async def test_offers_that_have_run_out_are_not_told_while_new_ones_wait_for_a_consent(pair: Pair) -> None:
    await start(pair)
    await go_on(pair)
    await pair.lender.journal.set_clock("clock-1", 7 * DAY, pair.clock.now())
    id_ = application()["loanApplicationId"]
    await ask_for_consent(pair, id_)
    await pair.send("GenerateOffersRequest", {"loanApplicationIds": [id_]})
    await go_on(pair, 1, 0)
    (item,) = told(pair, "GenerateOffersResponse")[-1]["loanApplications"]
    assert item == {"loanApplicationId": id_, "loanApplicationStatus": "PROCESSING", "offers": []}


@pytest.mark.parametrize("ids", [("APPL-1", "APPL-2"), ("APPL-2", "APPL-1")])
async def test_a_consent_has_failed_when_it_is_replaced_for_all_of_its_applications(
    pair: Pair, ids: tuple[str, ...]
) -> None:
    await pair.send(CREATE.name, {"loanApplications": [application(loanApplicationId=id_) for id_ in ids]})
    handle = await ask_for_consent(pair, *ids)
    await go_on(pair, 1)
    for replaced in "APPL-1", "APPL-2":
        await ask_for_consent(pair, replaced)
        await pair.send("ConsentStatusRequest", {"consent": {"consentHandle": handle}})
        await go_on(pair, 1)
    assert [one["consent"]["consentStatus"] for one in told(pair, "ConsentStatusResponse")] == ["READY", "FAILED"]


async def test_the_otp_of_an_application_that_has_ended_meanwhile_does_not_count(pair: Pair) -> None:
    await pair.send(CREATE.name, {"loanApplications": [application(loanApplicationId="APPL-1")]})
    session = await pair.trigger("APPL-1")
    await pair.lender.journal.set_clock("clock-1", 31 * DAY, pair.clock.now())
    assert await pair.verify(session["otpSessionKey"], pair.otp()) == "INVALID_SESSION"
    (loan,) = records(pair.lender, "loan-application")
    assert (loan["milestones"]["intake"], loan["milestones"]["agreement"]) == ("cancelled", "ready")


async def test_an_application_without_an_id_is_given_that_of_its_order(pair: Pair) -> None:
    without = {name: value for name, value in application().items() if name != "loanApplicationId"}
    await start(pair, application=without)
    await go_on(pair)
    assert (track(pair)["stage"], track(pair)["application_id"]) == ("OFFERED", "order-1")


@pytest.mark.parametrize("apr", ["NaN", "sNaN", "-1", "Infinity", "low", {}, None, True])
async def test_an_offer_whose_apr_is_no_figure_holds_nobody_up_and_loses(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, apr: Any
) -> None:
    def telling(offer: LoanOffer) -> dict[str, Any]:
        written = as_written(offer)
        if offer.rate < Decimal("16.5"):  # the cheaper one
            written["terms"]["extensibleData"]["apr"] = apr
        return written

    as_written = offer_wire._offer
    monkeypatch.setattr(offer_wire, "_offer", telling)
    await start(pair)
    await go_on(pair)
    (journey,) = records(pair.lsp, "journey")
    assert track(pair)["stage"] == "OFFERED"
    first, second = track(pair)["offers"]
    assert (second["apr"], journey["chosen"]["id"]) == (None, first["id"])


async def test_an_offer_without_a_plan_of_repayment_is_taken_all_the_same(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_written = offer_wire._offer
    monkeypatch.setattr(offer_wire, "_offer", lambda offer: {**as_written(offer), "repayment": {"plans": []}})
    await start(pair)
    await go_on(pair)
    assert track(pair)["stage"] == "OFFERED"


async def test_an_answer_that_does_not_tell_of_the_application_stops_the_journey_in_sight(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_another(asked: Any, judged: Any) -> Any:
        outgoing = as_written(asked, judged)
        (told,) = outgoing.content["loanApplications"]
        return replace(outgoing, content={**outgoing.content, "loanApplications": [{**told, "loanApplicationId": "X"}]})

    as_written = wire.applications_response
    monkeypatch.setattr(wire, "applications_response", of_another)
    await start(pair)
    await go_on(pair)
    assert (track(pair)["stage"], track(pair)["outcome"]) == ("STOPPED", "not in the answer")
    assert conversation(pair) == ["CreateLoanApplications"]
