"""The events of OCEN 4.0's heartbeat: those of the catalogue's messages and all others that are published (OCEN hb).

`X` is reported by the sender of X after its ack, `X_ACK` by its receiver.
"""

from typing import Annotated, Final

from shared.catalogue import v4
from shared.catalogue.bodies.body import among

_EXCHANGES_TO_COME: Final = (
    *("CONSENT_HANDLE", "CONSENT_HANDLE_STATUS", "GENERATE_OFFERS", "SEND_ADDITIONAL_DOCUMENTS"),
    *("GET_ADDITIONAL_PLEDGED_DOCUMENTS", "SET_OFFERS", "GET_KYC_METHODS", "KYC_STATUS", "TRIGGER_KYC"),
    *("LOAN_AGREEMENT", "GRANT_LOAN", "SET_REPAYMENT_PLAN", "SET_DISBURSEMENT_ACCOUNT", "TRIGGER_DISBURSEMENT"),
    *("TRIGGER_DISBURSEMENT_STATUS", "TRIGGER_REPAYMENT", "TRIGGER_REPAYMENT_STATUS"),
    *("REPAYMENT_CONDITION_CHANGE", "GET_LOANS", "LIST_LOANS", "LOAN_STATEMENT", "LOAN_SUMMARY"),
)
"""What the events of exchanges begin with that the catalogue has no row of; participants report them all the same."""

_OF_MESSAGES: Final = (
    *(message.event for exchange in v4.EXCHANGES for message in exchange.messages if message.event),
    *(f"{exchange}_{message}" for exchange in _EXCHANGES_TO_COME for message in ("REQUEST", "RESPONSE")),
    "CONFIRM_REPAYMENT_REQUEST",
)

EVENT_TYPES: Final = (
    *(f"{event}{ending}" for event in _OF_MESSAGES for ending in ("", "_ACK")),
    "LOAN_REPAYMENT_RESP_ACK",  # of no message of 4.0, but it stands in the list
)

EventType = Annotated[str, *among(EVENT_TYPES)]
"""One of `EVENT_TYPES`."""
