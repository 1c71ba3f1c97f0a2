"""Messages that come over a connection of somebody else."""

from dataclasses import replace

from shared.protocol.checks.connection import certificate_is_registered
from shared.protocol.tampering.base import OutgoingMessage, TlsIdentity
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.table import Rows

rows = Rows[GoodMessage]()


@rows.caught_by(certificate_is_registered)
def certificate_of_another_participant(good: GoodMessage) -> OutgoingMessage:
    """Another participant forwards the good message over its own connection."""
    return replace(good.send(), identity=TlsIdentity.OTHER)


@rows.caught_by(certificate_is_registered)
def key_of_another_participant(good: GoodMessage) -> OutgoingMessage:
    """The sender's connection carries a message that another participant has signed."""
    header = {"kid": good.other.key.kid, "alg": good.other.key.algorithm}
    return good.send_header(header, good.other.key)
