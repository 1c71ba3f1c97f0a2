"""Every fact that a row leads to, message by message: what other participants rely on does not move with the rows."""

from typing import Any

import pytest

from shared.catalogue.table import CATALOGUE, get_message
from shared.protocol.messages import Role

LENDER, LOAN_AGENT = Role.LENDER, Role.LOAN_AGENT

FACTS: dict[tuple[str, str], tuple[Any, ...]] = {
    ("v3", "CreateLoanApplicationsRequest"): (
        "/v3/loanApplication/createLoanApplicationsRequest",
        (LOAN_AGENT, LENDER),
        "loan application",
        "CreateLoanApplicationsResponse",
        None,
        False,
        "The LSP asks the lender to take these loan applications.",
    ),
    ("v3", "CreateLoanApplicationsResponse"): (
        "/v3/loanApplication/createLoanApplicationsResponse",
        (LENDER, LOAN_AGENT),
        "loan application",
        "CreateLoanApplicationsRequest",
        None,
        False,
        "The lender tells of each application whether it is being processed or rejected, and why.",
    ),
    ("v3", "ConsentHandleRequest"): (
        "/v3/consent/consentHandleRequest",
        (LOAN_AGENT, LENDER),
        "consent",
        "ConsentHandleResponse",
        None,
        False,
        "The LSP asks the lender for a consent handle, for loan applications of one borrower.",
    ),
    ("v3", "ConsentHandleResponse"): (
        "/v3/consent/consentHandleResponse",
        (LENDER, LOAN_AGENT),
        "consent",
        "ConsentHandleRequest",
        None,
        False,
        "The lender hands over the consent handle that the Account Aggregator has made.",
    ),
    ("v3", "ConsentStatusRequest"): (
        "/v3/consent/consentStatusRequest",
        (LOAN_AGENT, LENDER),
        "consent",
        "ConsentStatusResponse",
        None,
        False,
        "The LSP asks whether the borrower has given the consent.",
    ),
    ("v3", "ConsentStatusResponse"): (
        "/v3/consent/consentStatusResponse",
        (LENDER, LOAN_AGENT),
        "consent",
        "ConsentStatusRequest",
        None,
        False,
        "The lender tells how far the consent has come: READY, PENDING or FAILED.",
    ),
    ("v3", "GenerateOffersRequest"): (
        "/v3/offer/generateOffersRequest",
        (LOAN_AGENT, LENDER),
        "offers",
        "GenerateOffersResponse",
        None,
        False,
        "The LSP asks the lender for offers, now that the consent to share data is given.",
    ),
    ("v3", "GenerateOffersResponse"): (
        "/v3/offer/generateOffersResponse",
        (LENDER, LOAN_AGENT),
        "offers",
        "GenerateOffersRequest",
        None,
        False,
        "The lender tells of each application its offers, what is missing for a decision, or why it is rejected.",
    ),
    ("v3", "TriggerLoanAcceptanceRequest"): (
        "/v3/loan/triggerLoanAcceptanceRequest",
        (LOAN_AGENT, LENDER),
        "loan acceptance",
        "TriggerLoanAcceptanceResponse",
        None,
        False,
        "The LSP asks the lender to send the borrower an OTP for accepting these loan applications.",
    ),
    ("v3", "TriggerLoanAcceptanceResponse"): (
        "/v3/loan/triggerLoanAcceptanceResponse",
        (LENDER, LOAN_AGENT),
        "loan acceptance",
        "TriggerLoanAcceptanceRequest",
        None,
        False,
        "The lender tells that the OTP has gone out, to which masked number, and the key of the OTP session.",
    ),
    ("v3", "VerifyLoanAcceptanceRequest"): (
        "/v3/loan/verifyLoanAcceptanceRequest",
        (LOAN_AGENT, LENDER),
        "loan acceptance",
        "VerifyLoanAcceptanceResponse",
        None,
        False,
        "The LSP hands the lender the OTP that the borrower has entered.",
    ),
    ("v3", "VerifyLoanAcceptanceResponse"): (
        "/v3/loan/verifyLoanAcceptanceResponse",
        (LENDER, LOAN_AGENT),
        "loan acceptance",
        "VerifyLoanAcceptanceRequest",
        None,
        False,
        "The lender tells whether the OTP was right: SUCCESS, INCORRECT_OTP or INVALID_SESSION.",
    ),
    ("v4", "CreateLoanApplicationsRequest"): (
        "/v4.0.0alpha/loanApplications/createLoanRequest",
        (LOAN_AGENT, LENDER),
        "loan application",
        "CreateLoanApplicationsResponse",
        "CREATE_LOAN_APPLICATION_REQUEST",
        False,
        "The Loan Agent asks the lender to take these loan applications.",
    ),
    ("v4", "CreateLoanApplicationsResponse"): (
        "/v4.0.0alpha/loanApplications/createLoanResponse",
        (LENDER, LOAN_AGENT),
        "loan application",
        "CreateLoanApplicationsRequest",
        "CREATE_LOAN_APPLICATIONS_RESPONSE",
        True,
        "The lender tells of each application whether it is being processed or rejected, and why.",
    ),
    ("v4", "TriggerLoanAcceptanceRequest"): (
        "/v4.0.0alpha/loanAcceptance/triggerLoanAcceptanceRequest",
        (LOAN_AGENT, LENDER),
        "loan acceptance",
        "TriggerLoanAcceptanceResponse",
        "TRIGGER_LOAN_ACCEPTANCE_REQUEST",
        False,
        "The Loan Agent asks the lender to send the borrower an OTP for accepting this loan application.",
    ),
    ("v4", "TriggerLoanAcceptanceResponse"): (
        "/v4.0.0alpha/loanAcceptance/triggerLoanAcceptanceResponse",
        (LENDER, LOAN_AGENT),
        "loan acceptance",
        "TriggerLoanAcceptanceRequest",
        "TRIGGER_LOAN_ACCEPTANCE_RESPONSE",
        False,
        "The lender tells that the OTP has gone out, to which masked number, and the key of the OTP session.",
    ),
    ("v4", "VerifyLoanAcceptanceRequest"): (
        "/v4.0.0alpha/loanAcceptance/verifyLoanAcceptanceRequest",
        (LOAN_AGENT, LENDER),
        "loan acceptance",
        "VerifyLoanAcceptanceResponse",
        "VERIFY_LOAN_ACCEPTANCE_REQUEST",
        False,
        "The Loan Agent hands the lender the OTP that the borrower has entered.",
    ),
    ("v4", "VerifyLoanAcceptanceResponse"): (
        "/v4.0.0alpha/loanAcceptance/verifyLoanAcceptanceResponse",
        (LENDER, LOAN_AGENT),
        "loan acceptance",
        "VerifyLoanAcceptanceRequest",
        "VERIFY_LOAN_ACCEPTANCE_RESPONSE",
        False,
        "The lender tells whether the OTP was right: SUCCESS, INCORRECT_OTP or INVALID_SESSION.",
    ),
}
"""Path, sender and receiver, stage, the other message of the exchange, event, whether its ack is wrapped, summary."""


def test_the_messages_are_these_in_this_order() -> None:
    assert [(message.version, message.name) for message in CATALOGUE] == list(FACTS)


@pytest.mark.parametrize(("version", "name"), FACTS)
def test_a_message_is_what_its_facts_say(version: str, name: str) -> None:
    path, (sender, receiver), stage, other, event, wraps_ack, summary = FACTS[version, name]
    message = get_message(version, name)
    pair = message.answered_by or message.answers

    assert (message.method, message.path) == ("POST", path)
    assert (message.senders, message.receivers) == ({sender}, {receiver})
    assert (message.stage, message.summary) == (stage, summary)
    assert message.body.__module__ == f"shared.catalogue.bodies.{version}.{stage.replace(' ', '_')}"
    assert message.is_response is name.endswith("Response")
    assert (pair.name if pair else None) == other
    assert (message.event, message.event_of_receiver) == (event, event and f"{event}_ACK")
    assert message.wraps_ack is wraps_ack
    assert not message.may_come_unasked
