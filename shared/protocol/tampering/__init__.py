"""The tampering tables: every way in which a good message is tampered with, and the check that has to catch it.

One tree, many uses: unit tests run each row through the profile, live tests send some over real TLS, a conformance
runner sends them to somebody else's server, and a page offers them as buttons. Rows stand in the order of the checks.
"""

from typing import Any

from shared.protocol.checks import REQUEST_CHECKS, V4_REQUEST_CHECKS
from shared.protocol.tampering import (
    base64url,
    bearer,
    claims,
    content,
    detached,
    envelope,
    header,
    http,
    kid,
    metadata,
    once,
    party,
    signature,
    token,
)
from shared.protocol.tampering.base import Good, OtherMessage, OtherParticipant, OutgoingMessage, TlsIdentity
from shared.protocol.tampering.call import GoodCall, OtherCaller
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.table import Tampering

__all__ = [
    "TAMPERINGS",
    "V4_TAMPERINGS",
    "Good",
    "GoodCall",
    "GoodMessage",
    "OtherCaller",
    "OtherMessage",
    "OtherParticipant",
    "OutgoingMessage",
    "Tampering",
    "TlsIdentity",
]

_FOR_BOTH = (*http.rows, *header.rows, *kid.rows, *signature.rows, *metadata.rows, *content.rows, *once.rows)
_FOR_V3 = (
    *envelope.rows,
    *base64url.rows,
    *header.v3_rows,
    *signature.v3_rows,
    *metadata.v3_rows,
    *content.v3_rows,
)
_FOR_V4 = (
    *bearer.rows,
    *token.rows,
    *claims.rows,
    *party.rows,
    *detached.rows,
    *header.v4_rows,
    *kid.v4_rows,
    *signature.v4_rows,
    *metadata.v4_rows,
    *content.v4_rows,
    *once.v4_rows,
)


def _place(row: Tampering[Any]) -> int:
    return (REQUEST_CHECKS if row.version == "v3" else V4_REQUEST_CHECKS).index(row.caught_by)


TAMPERINGS: tuple[Tampering[GoodMessage], ...] = tuple(
    sorted((*_FOR_V3, *(row for row in _FOR_BOTH if row.version == "v3")), key=_place)
)
"""For messages of v3."""

V4_TAMPERINGS: tuple[Tampering[GoodCall], ...] = tuple(
    sorted((*_FOR_V4, *(row for row in _FOR_BOTH if row.version == "v4")), key=_place)
)
"""For messages of OCEN 4.0."""
