"""What is derived from the row of an exchange."""

import pytest
from pydantic import BaseModel

from shared.protocol.messages import NETWORK_ROLES, Exchange, MessageType, Parties, Role, one_of

LENDER, LOAN_AGENT, KYC_PARTNER = Role.LENDER, Role.LOAN_AGENT, Role.KYC_PARTNER


class Asked(BaseModel):
    """The LSP asks
    for something.

    It need not.
    """


class Answered(BaseModel):
    """The lender answers."""


REGULAR = Exchange(
    "v4", "GetOffers", "/v4/getOffers", LOAN_AGENT >> LENDER, Asked, Answered, stage="offers", event="GET_OFFERS"
)


def facts(message: MessageType) -> tuple[object, ...]:
    return message.name, message.path, message.senders, message.receivers, message.body, message.event


def test_request_and_callback_are_named_by_what_they_begin_with_and_go_opposite_ways() -> None:
    asked, answered = REGULAR.messages
    assert facts(asked) == (
        *("GetOffersRequest", "/v4/getOffersRequest", {LOAN_AGENT}, {LENDER}, Asked, "GET_OFFERS_REQUEST"),
    )
    assert facts(answered) == (
        *("GetOffersResponse", "/v4/getOffersResponse", {LENDER}, {LOAN_AGENT}, Answered, "GET_OFFERS_RESPONSE"),
    )
    assert {(message.version, message.stage, message.method) for message in REGULAR.messages} == {
        ("v4", "offers", "POST")
    }
    assert (asked.event_of_receiver, answered.event_of_receiver) == (
        "GET_OFFERS_REQUEST_ACK",
        "GET_OFFERS_RESPONSE_ACK",
    )


def test_request_and_callback_lead_to_each_other() -> None:
    asked, answered = REGULAR.messages
    assert (asked.is_response, asked.answered_by, asked.answers) == (False, answered, None)
    assert (answered.is_response, answered.answered_by, answered.answers) == (True, None, asked)


def test_irregular_paths_and_events_stand_in_the_row() -> None:
    exchange = Exchange(
        "v4", "A", ("/v4/a", "/v4/B"), LOAN_AGENT >> LENDER, Asked, Answered, stage="x", event=("ONE", "TWO")
    )
    assert [(message.name, message.path, message.event) for message in exchange.messages] == [
        ("ARequest", "/v4/a", "ONE"),
        ("AResponse", "/v4/B", "TWO"),
    ]


def test_a_message_without_callback_keeps_the_name_path_and_event_of_its_row() -> None:
    row = Exchange("v3", "ConfirmRepaymentRequest", "/v3/confirm", LENDER >> LOAN_AGENT, Asked, stage="x", event="E")
    (alone,) = row.messages
    assert facts(alone) == ("ConfirmRepaymentRequest", "/v3/confirm", {LENDER}, {LOAN_AGENT}, Asked, "E")
    assert (alone.answered_by, alone.answers) == (None, None)


def test_a_message_without_published_event_has_none() -> None:
    (asked, _) = Exchange("v4", "A", "/v4/a", LOAN_AGENT >> LENDER, Asked, Answered, stage="x").messages
    assert (asked.event, asked.event_of_receiver) == (None, None)


def test_what_is_said_of_the_callback_is_not_said_of_the_request() -> None:
    asked, answered = Exchange(
        *("v4", "A", "/v4/a", LOAN_AGENT >> LENDER, Asked, Answered),
        stage="x",
        wraps_response_ack=True,
        may_come_unasked=True,
    ).messages
    assert (asked.wraps_ack, asked.may_come_unasked) == (False, False)
    assert (answered.wraps_ack, answered.may_come_unasked) == (True, True)


@pytest.mark.parametrize(
    ("parties", "senders", "receivers"),
    [
        (LOAN_AGENT >> LENDER, {LOAN_AGENT}, {LENDER}),
        ({LOAN_AGENT, LENDER} >> KYC_PARTNER, {LOAN_AGENT, LENDER}, {KYC_PARTNER}),
        (KYC_PARTNER >> {LOAN_AGENT, LENDER}, {KYC_PARTNER}, {LOAN_AGENT, LENDER}),
    ],
)
def test_sender_and_receiver_may_be_several_roles(parties: Parties, senders: set[Role], receivers: set[Role]) -> None:
    assert parties == (senders, receivers)


def test_texts_name_several_roles_in_order() -> None:
    assert one_of({LOAN_AGENT}) == "LOAN_AGENT"
    assert one_of({LOAN_AGENT, LENDER}) == "LENDER or LOAN_AGENT"


def test_the_full_name_has_the_version_from_4_0_on() -> None:
    assert REGULAR.request.full_name == "v4/GetOffersRequest"
    row = Exchange("v3", "GetOffers", "/v3/getOffers", LOAN_AGENT >> LENDER, Asked, Answered, stage="x")
    assert row.request.full_name == "GetOffersRequest"


def test_the_sentence_for_people_is_the_first_paragraph_of_the_docstring_of_the_body() -> None:
    assert REGULAR.request.summary == "The LSP asks for something."


def test_the_meta_service_is_in_no_product_network() -> None:
    assert set(Role) - set(NETWORK_ROLES) == {Role.META_SERVICE}
    assert len(NETWORK_ROLES) == 8
