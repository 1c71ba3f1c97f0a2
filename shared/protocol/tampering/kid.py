"""Keys that are not there, do not count, or are not the sender's, and connections that are somebody else's."""

from dataclasses import replace
from typing import Any

from shared.protocol.checks.bearer import certificate_is_the_token_holders
from shared.protocol.checks.detached import kid_selects_a_registered_key
from shared.protocol.checks.opening import MAX_KID_LENGTH, kid_is_given
from shared.protocol.checks.signature import certificate_is_registered, kid_selects_a_key_that_counts
from shared.protocol.signing import SigningKey
from shared.protocol.tampering.base import Good, OutgoingMessage, TlsIdentity
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.table import Rows

rows = Rows[Good]()
v4_rows = Rows[GoodCall]()

ODD_KIDS: dict[str, Any] = {
    "null": None,
    "an empty text": "",
    "a number": 5,
    "a list": ["a"],
    "too long a text": "k" * (MAX_KID_LENGTH + 1),
    "a text with a NUL": "key\x00",
}

HOSTILE_KIDS = {
    "file path": "../../etc/passwd",
    "piece of SQL": "' OR 1=1--",
    "URL": "https://keys.invalid/key.pem",
    "template": "${jndi:ldap://keys.invalid}",
}


@rows.caught_by(v3=kid_is_given, v4=kid_selects_a_registered_key, requirement="OCEN-JWS-05")
def kid_missing(good: Good) -> OutgoingMessage:
    """The signed header has no kid."""
    return good.send_header({name: value for name, value in good.header.items() if name != "kid"})


@rows.each_caught_by(*ODD_KIDS, v3=kid_is_given, v4=kid_selects_a_registered_key, requirement="OCEN-JWS-05")
def kid_is(good: Good, case: str) -> OutgoingMessage:
    """The kid is {}."""
    return good.send_header({**good.header, "kid": ODD_KIDS[case]})


@rows.caught_by(v3=kid_selects_a_key_that_counts, v4=kid_selects_a_registered_key, requirement="OCEN-JWS-06")
def kid_unknown(good: Good) -> OutgoingMessage:
    """The message is signed by a stranger's key under the stranger's kid."""
    return _under_kid(good, good.unknown_key)


@rows.each_caught_by(
    *HOSTILE_KIDS, v3=kid_selects_a_key_that_counts, v4=kid_selects_a_registered_key, requirement="OCEN-JWS-06"
)
def kid_is_a(good: Good, case: str) -> OutgoingMessage:
    """The kid is a {}, and nobody's."""
    return good.send_header({**good.header, "kid": HOSTILE_KIDS[case]})


@rows.caught_by(v3=kid_selects_a_key_that_counts, v4=kid_selects_a_registered_key, requirement="OCEN-JWS-07")
def kid_blocked(good: Good) -> OutgoingMessage:
    """The message is signed by a key of the sender that has been blocked."""
    return _under_kid(good, good.blocked_key)


@rows.caught_by(v3=certificate_is_registered, v4=kid_selects_a_registered_key, requirement="OCEN-JWS-08 OCEN-IDN-02")
def kid_of_another_participant(good: Good) -> OutgoingMessage:
    """The sender's connection carries a message that another participant has signed."""
    return _under_kid(good, good.other.key)


@v4_rows.caught_by(v4=kid_selects_a_registered_key)
def kid_of_the_auth_service(good: GoodCall) -> OutgoingMessage:
    """The body is signed by the key that signs tokens."""
    return _under_kid(good, good.auth_key)


@rows.caught_by(
    v3=certificate_is_registered,
    v4=certificate_is_the_token_holders,
    requirement="OCEN-TLS-05 OCEN-JWS-08 OCEN-RPL-06 OCEN-IDN-02",
)
def forwarded(good: Good) -> OutgoingMessage:
    """Another participant forwards the good message, with all that comes with it, over its own connection."""
    return replace(good.send(), identity=TlsIdentity.OTHER)


def _under_kid(good: Good, key: SigningKey) -> OutgoingMessage:
    return good.send_header({**good.header, "kid": key.kid}, key)
