"""The tampering tables: every way in which a good message is spoiled, and the check that has to catch it.

One table per profile, many uses: unit tests run each row through the profile, live tests send it over real TLS, a
conformance runner sends it to somebody else's server, and a page offers it as a button. Rows stand in the order of the
checks.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

from shared.protocol.checks import REQUEST_CHECKS, V4_REQUEST_CHECKS
from shared.protocol.tampering import (
    base64url,
    connection,
    content,
    envelope,
    header,
    http,
    once,
    payload,
    signature,
    v4,
)
from shared.protocol.tampering.base import Good, OtherMessage, OtherParticipant, OutgoingMessage, TlsIdentity
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.table import G, Tampering
from shared.protocol.tampering.v4.good import GoodCall, OtherCaller
from shared.protocol.verification import Check

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


def _in_order(parts: Iterable[Sequence[Tampering[G]]], checks: Sequence[Check]) -> tuple[Tampering[G], ...]:
    return tuple(sorted(chain.from_iterable(parts), key=lambda row: checks.index(row.caught_by)))


TAMPERINGS: tuple[Tampering[GoodMessage], ...] = _in_order(
    (
        http.rows,
        connection.rows,
        envelope.rows,
        base64url.rows,
        header.rows,
        signature.rows,
        payload.rows,
        content.rows,
        once.rows,
    ),
    REQUEST_CHECKS,
)
"""For messages of v3."""

V4_TAMPERINGS: tuple[Tampering[GoodCall], ...] = _in_order(
    (http.rows, *v4.PARTS, content.rows, once.rows), V4_REQUEST_CHECKS
)
"""For messages of OCEN 4.0."""
