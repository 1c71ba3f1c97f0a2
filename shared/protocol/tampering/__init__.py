"""The tampering table: every way in which a good message is spoiled, and the check that has to catch it.

One table, many uses: unit tests run each row through the profile, live tests send it over real TLS, a conformance
runner sends it to somebody else's server, and a page offers it as a button. Rows stand in the order of the checks.
"""

from shared.protocol.checks import REQUEST_CHECKS
from shared.protocol.tampering import base64url, connection, envelope, header, once, payload, signature
from shared.protocol.tampering.good import (
    GoodMessage,
    OtherMessage,
    OtherParticipant,
    OutgoingMessage,
    TlsIdentity,
)
from shared.protocol.tampering.table import Tampering

__all__ = [
    "TAMPERINGS",
    "GoodMessage",
    "OtherMessage",
    "OtherParticipant",
    "OutgoingMessage",
    "Tampering",
    "TlsIdentity",
]


def _place(row: Tampering) -> int:
    return REQUEST_CHECKS.index(row.caught_by)


_PARTS = (connection, envelope, base64url, header, signature, payload, once)

TAMPERINGS: tuple[Tampering, ...] = tuple(sorted((row for part in _PARTS for row in part.rows), key=_place))
