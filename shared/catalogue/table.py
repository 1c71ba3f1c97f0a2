"""The table of messages. It is data: routes, clients, documentation and correlation are all read from it."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.catalogue.types import MessageType
from shared.catalogue.v3 import loan_acceptance as v3_acceptance
from shared.catalogue.v4 import loan_acceptance as v4_acceptance
from shared.catalogue.v4 import loan_application as v4_application
from shared.protocol.participants import ParticipantRole

LENDER = ParticipantRole.LENDER
LOAN_AGENT = ParticipantRole.LOAN_AGENT

CATALOGUE: tuple[MessageType, ...] = (
    MessageType(
        name="TriggerLoanAcceptanceRequest",
        version="v3",
        path="/v3/loan/triggerLoanAcceptanceRequest",
        sender=LOAN_AGENT,
        receiver=LENDER,
        body=v3_acceptance.TriggerLoanAcceptanceRequest,
        stage="loan acceptance",
        summary="The LSP asks the lender to send the borrower an OTP for accepting these loan applications.",
        answered_by="TriggerLoanAcceptanceResponse",
    ),
    MessageType(
        name="TriggerLoanAcceptanceResponse",
        version="v3",
        path="/v3/loan/triggerLoanAcceptanceResponse",
        sender=LENDER,
        receiver=LOAN_AGENT,
        body=v3_acceptance.TriggerLoanAcceptanceResponse,
        stage="loan acceptance",
        summary="The lender tells that the OTP has gone out, to which masked number, and the key of the OTP session.",
        answers="TriggerLoanAcceptanceRequest",
    ),
    MessageType(
        name="VerifyLoanAcceptanceRequest",
        version="v3",
        path="/v3/loan/verifyLoanAcceptanceRequest",
        sender=LOAN_AGENT,
        receiver=LENDER,
        body=v3_acceptance.VerifyLoanAcceptanceRequest,
        stage="loan acceptance",
        summary="The LSP hands the lender the OTP that the borrower has entered.",
        answered_by="VerifyLoanAcceptanceResponse",
    ),
    MessageType(
        name="VerifyLoanAcceptanceResponse",
        version="v3",
        path="/v3/loan/verifyLoanAcceptanceResponse",
        sender=LENDER,
        receiver=LOAN_AGENT,
        body=v3_acceptance.VerifyLoanAcceptanceResponse,
        stage="loan acceptance",
        summary="The lender tells whether the OTP was right: SUCCESS, INCORRECT_OTP or INVALID_SESSION.",
        answers="VerifyLoanAcceptanceRequest",
    ),
    MessageType(
        name="CreateLoanApplicationsRequest",
        version="v4",
        path="/v4.0.0alpha/loanApplications/createLoanRequest",
        sender=LOAN_AGENT,
        receiver=LENDER,
        body=v4_application.CreateLoanApplicationsRequest,
        stage="loan application",
        summary="The Loan Agent asks the lender to take these loan applications.",
        answered_by="CreateLoanApplicationsResponse",
    ),
    MessageType(
        name="CreateLoanApplicationsResponse",
        version="v4",
        path="/v4.0.0alpha/loanApplications/createLoanResponse",
        sender=LENDER,
        receiver=LOAN_AGENT,
        body=v4_application.CreateLoanApplicationsResponse,
        stage="loan application",
        summary="The lender tells of each application whether it is being processed or rejected, and why.",
        answers="CreateLoanApplicationsRequest",
        wraps_ack=True,
    ),
    MessageType(
        name="TriggerLoanAcceptanceRequest",
        version="v4",
        path="/v4.0.0alpha/loanAcceptance/triggerLoanAcceptanceRequest",
        sender=LOAN_AGENT,
        receiver=LENDER,
        body=v4_acceptance.TriggerLoanAcceptanceRequest,
        stage="loan acceptance",
        summary="The Loan Agent asks the lender to send the borrower an OTP for accepting this loan application.",
        answered_by="TriggerLoanAcceptanceResponse",
    ),
    MessageType(
        name="TriggerLoanAcceptanceResponse",
        version="v4",
        path="/v4.0.0alpha/loanAcceptance/triggerLoanAcceptanceResponse",
        sender=LENDER,
        receiver=LOAN_AGENT,
        body=v4_acceptance.TriggerLoanAcceptanceResponse,
        stage="loan acceptance",
        summary="The lender tells that the OTP has gone out, to which masked number, and the key of the OTP session.",
        answers="TriggerLoanAcceptanceRequest",
    ),
    MessageType(
        name="VerifyLoanAcceptanceRequest",
        version="v4",
        path="/v4.0.0alpha/loanAcceptance/verifyLoanAcceptanceRequest",
        sender=LOAN_AGENT,
        receiver=LENDER,
        body=v4_acceptance.VerifyLoanAcceptanceRequest,
        stage="loan acceptance",
        summary="The Loan Agent hands the lender the OTP that the borrower has entered.",
        answered_by="VerifyLoanAcceptanceResponse",
    ),
    MessageType(
        name="VerifyLoanAcceptanceResponse",
        version="v4",
        path="/v4.0.0alpha/loanAcceptance/verifyLoanAcceptanceResponse",
        sender=LENDER,
        receiver=LOAN_AGENT,
        body=v4_acceptance.VerifyLoanAcceptanceResponse,
        stage="loan acceptance",
        summary="The lender tells whether the OTP was right: SUCCESS, INCORRECT_OTP or INVALID_SESSION.",
        answers="VerifyLoanAcceptanceRequest",
    ),
)

BY_NAME: Mapping[str, MessageType] = MappingProxyType({message.key: message for message in CATALOGUE})
"""All messages by their keys: in v3 the name, in v4 the name behind `v4/`."""


def messages_received_by(role: ParticipantRole, version: str | None = None) -> tuple[MessageType, ...]:
    """Return the messages that a participant of this role takes, of one version or all, in the order of the journey."""
    return tuple(one for one in CATALOGUE if one.receiver is role and version in (None, one.version))


def messages_sent_by(role: ParticipantRole) -> tuple[MessageType, ...]:
    """Return the messages that a participant of this role sends, in the order of the journey."""
    return tuple(message for message in CATALOGUE if message.sender is role)
