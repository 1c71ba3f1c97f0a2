"""Tokens that the Auth Service has signed, and whose claims are nevertheless not those of a token that counts."""

from collections.abc import Callable
from typing import Any

from shared.protocol.checks.bearer import (
    MANDATORY_CLAIMS,
    token_has_its_claims,
    token_is_in_force,
    token_is_of_our_auth_service,
)
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.table import Rows

rows = Rows[GoodCall]()

ODD_CLAIMS: dict[str, dict[str, Any]] = {
    "exp as a text": {"exp": "4102444800"},
    "exp as a boolean": {"exp": True},
    "exp below zero": {"exp": -1},
    "exp below zero by a fraction": {"exp": -0.5},
    "exp beyond all time": {"exp": 1 << 62},
    "exp beyond all time, written with an exponent": {"exp": 1e300},
    "nbf as a text": {"nbf": "0"},
    "iss as a list": {"iss": ["https://auth.example"]},
    "an empty sub": {"sub": ""},
    "participantId as a number": {"participantId": 3051},
    "participantId as a list": {"participantId": ["3051"]},
    "the typ of an ID token": {"typ": "ID"},
    "the typ of a refresh token": {"typ": "Refresh"},
    "participantId with a NUL": {"participantId": "3051\x00"},
}

LOOK_ALIKES: dict[str, Callable[[str], str]] = {
    "a slash behind it": lambda iss: f"{iss}/",
    "another domain behind it": lambda iss: f"{iss}.evil.example",
    "capitals": str.upper,
    "plain http": lambda iss: iss.replace("https:", "http:"),
    "a space behind it": lambda iss: f"{iss} ",
}

OTHER_TIMES: dict[str, dict[str, int]] = {
    "expired a minute ago, with a second more than clocks may differ": {"exp": -61},
    "expired yesterday": {"exp": -86_400},
    "not in force for another two minutes": {"nbf": 120},
    "expires when it is issued": {"iat": 3600, "exp": 3600},
    "expires before it is issued": {"iat": 7200, "exp": 3600},
}
"""Seconds from the receiver's time."""


@rows.each_caught_by(*MANDATORY_CLAIMS, v4=token_has_its_claims, requirement="OCEN-TOK-02")
def token_without(good: GoodCall, case: str) -> OutgoingMessage:
    """The token has no {}."""
    return good.send_claims(**{case: None})


@rows.each_caught_by(*ODD_CLAIMS, v4=token_has_its_claims, requirement="OCEN-TOK-02")
def token_with(good: GoodCall, case: str) -> OutgoingMessage:
    """The token has {}."""
    return good.send_claims(**ODD_CLAIMS[case])


@rows.each_caught_by(*LOOK_ALIKES, v4=token_is_of_our_auth_service, requirement="OCEN-TOK-03")
def issuer_with(good: GoodCall, case: str) -> OutgoingMessage:
    """The token's iss is the Auth Service's with {}."""
    return good.send_claims(iss=LOOK_ALIKES[case](str(good.claims["iss"])))


@rows.each_caught_by(*OTHER_TIMES, v4=token_is_in_force, requirement="OCEN-TOK-02")
def token_that(good: GoodCall, case: str) -> OutgoingMessage:
    """The token: {}."""
    now = int(good.now.timestamp())
    return good.send_claims(**{name: now + seconds for name, seconds in OTHER_TIMES[case].items()})
