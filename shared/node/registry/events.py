"""The events of OCEN 4.0's heartbeat: which message is reported under which name, and about which loans (OCEN hb)."""

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from shared.node.ids import new_id
from shared.protocol.profiles import V4

EVENT_PATH: Final = "/ocen/v4/event"

MOST_OF_ONE: Final = 1_000
"""So many loans of one bulk message are reported."""

_IRREGULAR: Final = {
    "CreateLoanApplicationsRequest": "CREATE_LOAN_APPLICATION_REQUEST",
    "ConsentStatusRequest": "CONSENT_HANDLE_STATUS_REQUEST",
    "ConsentStatusResponse": "CONSENT_HANDLE_STATUS_RESPONSE",
    "GetLoanRequest": "GET_LOANS_REQUEST",
    "GetLoanResponse": "GET_LOANS_RESPONSE",
}

_WITHOUT_EVENT: Final = frozenset(
    {
        "CheckCreditGuarantee",
        "ConsentJourneyNotify",
        "FinaliseOrder",
        "GetCatalogue",
        "GetCollectionsStatus",
        "GetDerivedData",
        "GetPaymentMethods",
        "GetSchema",
        "InitiateKYC",
        "SetRepaymentPlanStatus",
        "SetupCollectionAccount",
        "StatusKYC",
        "TriggerCollections",
    }
)
"""Messages, without Request or Response, for which no event type is published: these, and those of the partners."""

_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def event_type_of(message: str, is_receiver: bool) -> str | None:
    """Return the event type of a message by its key in the catalogue; None where there is none.

    `X` is told by the sender of X after its ack, `X_ACK` by its receiver.
    """
    version, _, name = message.rpartition("/")
    if version != V4.name or name.removesuffix("Request").removesuffix("Response") in _WITHOUT_EVENT:
        return None
    return (_IRREGULAR.get(name) or _WORDS.sub("_", name).upper()) + ("_ACK" if is_receiver else "")


class Occasion(NamedTuple):
    """What is reported: a message, the participant id of the other side, and how the message was answered and when."""

    event_type: str
    document: Mapping[str, Any]
    peer: str
    status: int
    word: str
    at: datetime


def events_of(occasion: Occasion) -> list[dict[str, Any]]:
    """Return the bodies that report it, one for each loan application that the message is about."""
    document = occasion.document
    product = document.get("productData")
    given = product if isinstance(product, dict) else {}
    network = given.get("productNetworkId", given.get("networkId"))
    return [
        {
            "event": {
                "timestamp": round(occasion.at.timestamp() * 1000),
                "eventType": occasion.event_type,
                "requestId": new_id(),  # an id of the event, not of the message (C31)
                "loanMetaData": {
                    "loanApplicationId": _text(application_id),
                    "loanId": _text(loan_id),
                    "productData": {"productId": _text(given.get("productId")), "productNetworkId": _text(network)},
                },
                "recipients": [
                    {"roleId": occasion.peer, "responseCode": occasion.status, "responseMessage": occasion.word}
                ],
            }
        }
        for application_id, loan_id in islice(_loans_in(document), MOST_OF_ONE)
    ]


def _loans_in(document: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return loanApplicationId and loanId of each loan that a message is about; of one without any, two empty ids."""
    for name in ("loanApplications", "loans"):
        if isinstance(listed := document.get(name), list) and listed:
            return [(one.get("loanApplicationId"), one.get("loanId")) for one in listed if isinstance(one, dict)]
    if isinstance(ids := document.get("loanApplicationIds"), list) and ids:
        return [(one, None) for one in ids]
    details = document.get("loanDetails")
    one = details if isinstance(details, dict) else document
    return [(one.get("loanApplicationId"), one.get("loanId"))]


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)[:64]
