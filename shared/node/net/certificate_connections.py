"""How many connections show one and the same certificate: beyond a limit they are refused.

Otherwise one peer could take all descriptors, and none would be left for the others and our own calls.
"""

from collections import Counter

from shared.node.seldom import Seldom

OVER_LIMIT_EXTENSION = "ocen.over_limit"
"""Key in an ASGI scope's `extensions`, there where the connection is one beyond the limit: answer 503, signed."""

CONNECTIONS_PER_CERTIFICATE = 256
"""Served at a time where nothing else is set: four times what a client of ours opens to one host."""


class CertificateConnections:
    """The connections of one server, counted by the thumbprint of the certificate that they show."""

    max_refused = 32
    """Connections beyond the limit whose first request is answered with a signed refusal; further ones are dropped."""

    refusal_seconds = 2.0
    """What a connection beyond the limit gets for its first request and the answer."""

    def __init__(self, maximum: int) -> None:
        """`maximum` of each certificate are served at a time."""
        self.maximum = maximum
        self.served: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.beyond: Seldom[str] = Seldom()

    def count(self, certificate: str) -> Counter[str] | None:
        """Count one more, among those that are `served` or `refused`; None: it is to be dropped, and not counted."""
        if self.served[certificate] < self.maximum:
            counted_in = self.served
        elif self.refused[certificate] < self.max_refused:
            counted_in = self.refused
        else:
            return None
        counted_in[certificate] += 1
        return counted_in

    def uncount(self, counted_in: Counter[str], certificate: str) -> None:
        """Count one less where `count` has counted it."""
        counted_in[certificate] -= 1
        if not counted_in[certificate]:
            del counted_in[certificate]
