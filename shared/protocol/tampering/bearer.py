"""Calls without an access token where it has to be, or with something else there."""

from dataclasses import replace

from shared.protocol.checks.bearer import bearer_token_is_given
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.table import Rows

rows = Rows[GoodCall]()

AUTHORIZATION = "authorization"

NO_BEARER = {
    "Basic with a name and a password": "Basic bHNwOnNlY3JldA==",
    "the token without a scheme": "{token}",
    "Bearer without a token": "Bearer",
    "the token in quotes": 'Bearer "{token}"',
    "two tokens": "Bearer {token} {token}",
    "two tokens with a comma": "Bearer {token}, Bearer {token}",
    "a scheme that only begins like Bearer": "BearerToken {token}",
    "empty": "",
}


@rows.caught_by(v4=bearer_token_is_given, requirement="OCEN-TOK-01")
def token_missing(good: GoodCall) -> OutgoingMessage:
    """There is no Authorization."""
    return good.with_header(AUTHORIZATION, None)


@rows.each_caught_by(*NO_BEARER, v4=bearer_token_is_given, requirement="OCEN-TOK-01")
def authorization_is(good: GoodCall, case: str) -> OutgoingMessage:
    """Authorization is {}."""
    return good.with_header(AUTHORIZATION, NO_BEARER[case].format(token=good.token()))


@rows.caught_by(v4=bearer_token_is_given, requirement="OCEN-TOK-01")
def authorization_twice(good: GoodCall) -> OutgoingMessage:
    """Authorization is there twice, with the same good token."""
    message = good.send()
    return replace(message, further_headers=((AUTHORIZATION, message.headers[AUTHORIZATION]),))


@rows.caught_by(v4=bearer_token_is_given, requirement="OCEN-TOK-01")
def token_in_the_query(good: GoodCall) -> OutgoingMessage:
    """The token stands in the query of the URL."""
    return replace(good.with_header(AUTHORIZATION, None), path=f"{good.path}?access_token={good.token()}")


@rows.caught_by(v4=bearer_token_is_given, requirement="OCEN-TOK-01")
def token_in_the_body(good: GoodCall) -> OutgoingMessage:
    """The token stands in the body, which is rightly signed."""
    message = good.send_document({**good.document, "access_token": good.token()})
    return replace(message, headers={k: v for k, v in message.headers.items() if k != AUTHORIZATION})
