"""How many connections show one and the same certificate: beyond a limit they are refused.

Otherwise one peer could take all descriptors, and none would be left for the others and our own calls.
"""

from collections import Counter
from collections.abc import Sequence

from shared.ip_addresses import Network, lies_in
from shared.once_a_minute import OnceAMinute
from shared.transport.source_address import source_network
from shared.transport.tls import PeerCertificate

OVER_LIMIT_EXTENSION = "over_limit"
"""Key in an ASGI scope's `extensions`, there where the connection is one beyond the limit: answer 503, signed."""

CONNECTIONS_PER_CERTIFICATE = 256
"""Served at a time where nothing else is set: four times what a client of ours opens to one host."""


class CertificateConnections:
    """Counts the connections of one server by certificate or source; see `holder`."""

    max_refused = 32
    """Connections beyond the limit whose first request is answered with a signed refusal; further ones are dropped."""

    refusal_seconds = 2.0
    """What a connection beyond the limit gets for its first request and the answer."""

    def __init__(self, maximum: int, unlimited_sources: Sequence[Network] = ()) -> None:
        """`maximum` of each certificate are served at a time, and of each source without one, but for these sources."""
        self.maximum = maximum
        self._unlimited_sources = unlimited_sources
        self.served: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.beyond: OnceAMinute[str] = OnceAMinute()

    def holder(self, peer: PeerCertificate | None, address: str) -> str | None:
        """Return what a connection is counted under: its certificate or else its source; None: it is not counted."""
        if peer is not None:
            return peer.thumbprint
        return None if lies_in(address, self._unlimited_sources) else source_network(address).hex()

    def count(self, holder: str) -> Counter[str] | None:
        """Count one more, among those that are `served` or `refused`; None: it is to be dropped, and not counted."""
        if self.served[holder] < self.maximum:
            counted_in = self.served
        elif self.refused[holder] < self.max_refused:
            counted_in = self.refused
        else:
            return None
        counted_in[holder] += 1
        return counted_in

    def uncount(self, counted_in: Counter[str], holder: str) -> None:
        """Count one less where `count` has counted it."""
        counted_in[holder] -= 1
        if not counted_in[holder]:
            del counted_in[holder]
