"""The events of OCEN 4.0's heartbeat: which message is reported under which name, and about which loans (OCEN hb)."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from shared.node.ids import new_id

MOST_OF_ONE: Final = 100
"""Loans of one bulk message that are reported at most: as many as it may hold."""


class Occasion(NamedTuple):
    """How a message was answered, and when; `peer` is the participant id of the other side."""

    event_type: str
    peer: str
    status: int
    word: str
    at: datetime


class PendingEvent(NamedTuple):
    """One event to be reported. (Small, because thousands may wait; its body is made when its turn comes.)"""

    occasion: Occasion
    loan_application_id: str
    loan_id: str
    product_id: str
    product_network_id: str

    def body(self) -> dict[str, Any]:
        """Return the body that reports it, under an id of its own, not the message's (P30)."""
        event_type, peer, status, word, at = self.occasion
        return {
            "event": {
                "timestamp": round(at.timestamp() * 1000),
                "eventType": event_type,
                "requestId": new_id(),
                "loanMetaData": {
                    "loanApplicationId": self.loan_application_id,
                    "loanId": self.loan_id,
                    "productData": {"productId": self.product_id, "productNetworkId": self.product_network_id},
                },
                "recipients": [{"roleId": peer, "responseCode": status, "responseMessage": word}],
            }
        }


def events_of(occasion: Occasion, document: Mapping[str, Any]) -> list[PendingEvent]:
    """Return the events that report it, one for each loan application that the message's payload is about."""
    product = document.get("productData")
    given = product if isinstance(product, dict) else {}
    names = _text(given.get("productId")), _text(given.get("productNetworkId") or given.get("networkId"))
    loans = islice(_loans_in(document), MOST_OF_ONE)
    return [PendingEvent(occasion, _text(application_id), _text(loan_id), *names) for application_id, loan_id in loans]


def judged_members(document: Mapping[str, Any], body: type[BaseModel]) -> dict[str, Any]:
    """Return the members that the model of a message has, and thereby has judged.

    Others may stand in a body, too, and would be reported in our name, whatever a sender writes there.
    """
    return {name: document[name] for name in _names_in(body) if name in document}


@lru_cache(maxsize=256)
def _names_in(body: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in body.model_fields.items())


def _loans_in(document: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return loanApplicationId and loanId of each loan that a message is about; of one without any, two empty ids."""
    for name in ("loanApplications", "loans"):
        if isinstance(listed := document.get(name), list) and listed:
            found = [loan for loan in listed if isinstance(loan, dict)]
            return [(loan.get("loanApplicationId"), loan.get("loanId") if name == "loans" else None) for loan in found]
    if isinstance(ids := document.get("loanApplicationIds"), list) and ids:
        return [(loan_id, None) for loan_id in ids]
    details = document.get("loanDetails")
    loan = details if isinstance(details, dict) else document
    return [(loan.get("loanApplicationId"), loan.get("loanId"))]


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)[:64]
