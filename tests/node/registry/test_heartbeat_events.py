"""Which message is reported under which name, and about which loans."""

from typing import Any

import pytest

from shared.catalogue.table import get_message
from shared.node.registry.events import MOST_OF_ONE, Occasion, events_of, judged_members
from tests.equipment.clock import NOW

PRODUCT = {"productId": "31", "productNetworkId": "71"}


@pytest.mark.parametrize(
    ("document", "loans"),
    [
        ({"loanApplications": [{"loanApplicationId": "A"}, {"loanApplicationId": "B", "loanId": "L"}]}, ["A ", "B "]),
        ({"loanApplicationIds": ["A", "B"]}, ["A ", "B "]),
        ({"loanApplicationId": "A", "loanId": None}, ["A "]),
        ({"loanDetails": {"loanApplicationId": "A", "loanId": "L"}}, ["A L"]),
        ({"loans": [{"loanId": 7}]}, [" 7"]),
        ({"loanApplications": []}, [" "]),
        ({"loanApplications": "none", "loanApplicationId": {}}, [" "]),
        ({}, [" "]),
    ],
)
def test_each_loan_application_of_a_message_has_an_event(document: dict[str, Any], loans: list[str]) -> None:
    events = [event.body()["event"] for event in events_of(Occasion("X", "3051", 200, "Success", NOW), document)]
    told = [event["loanMetaData"] for event in events]
    assert [f"{loan['loanApplicationId']} {loan['loanId']}" for loan in told] == loans
    assert len({event["requestId"] for event in events}) == len(events)


def test_an_event_has_the_published_shape() -> None:
    document = {"productData": PRODUCT, "loanApplicationId": "A"}
    (told,) = events_of(Occasion("GRANT_LOAN_REQUEST", "3051", 503, "Failure", NOW), document)
    body = told.body()
    request_id = body["event"].pop("requestId")
    assert len(request_id) == 36
    assert body == {
        "event": {
            "timestamp": 1930367167890,
            "eventType": "GRANT_LOAN_REQUEST",
            "loanMetaData": {"loanApplicationId": "A", "loanId": "", "productData": PRODUCT},
            "recipients": [{"roleId": "3051", "responseCode": 503, "responseMessage": "Failure"}],
        }
    }


def test_of_a_bulk_message_without_end_the_first_hundred_are_told() -> None:
    document = {"loanApplicationIds": [str(number) for number in range(5_000)]}
    assert len(events_of(Occasion("X", "3051", 200, "Success", NOW), document)) == MOST_OF_ONE


def test_only_members_that_the_message_has_are_reported_and_none_that_a_sender_puts_beside_them() -> None:
    body = get_message("v4", "TriggerLoanAcceptanceRequest").body
    named = {"loanApplicationId": "A", "productData": PRODUCT}
    beside = {"loanApplications": [{"loanApplicationId": "B"}] * 90, "loanDetails": {"loanId": "L"}, "loanId": "L"}
    (told,) = events_of(Occasion("X", "3051", 200, "Success", NOW), judged_members({**named, **beside}, body))
    assert (told.loan_application_id, told.loan_id, told.product_id) == ("A", "", PRODUCT["productId"])


def test_a_null_in_one_spelling_of_the_product_network_leaves_the_other() -> None:
    document = {"productData": {"productId": "31", "productNetworkId": None, "networkId": "71"}}
    (told,) = events_of(Occasion("X", "3051", 200, "Success", NOW), document)
    assert told.product_network_id == "71"
