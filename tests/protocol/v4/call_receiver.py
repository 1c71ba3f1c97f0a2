"""A lender that takes calls: the profile with an Auth Service's keys, a registry and a journal in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from shared.protocol.detached import OpenedCall
from shared.protocol.encoding import EncodingError
from shared.protocol.participants import Dialect, Participant
from shared.protocol.phases import KnownSender, Opened
from shared.protocol.problems import Problem
from shared.protocol.profiles import V4
from shared.protocol.tampering import OutgoingMessage
from shared.protocol.tokens import Issuer, parse_token
from shared.protocol.verification import first_failure
from tests.equipment.verifying import Known
from tests.protocol.receiver import NOW, Receiver, arrived
from tests.protocol.v4.messages import FOREIGN_NETWORK, LENDER, LSP, NETWORK, PATHS

ISSUER = "https://auth.example/realms/ocen"

NETWORKS: Mapping[str, frozenset[str]] = {NETWORK: frozenset({LSP, LENDER}), FOREIGN_NETWORK: frozenset({LSP})}


class CallReceiver(Receiver):
    """Takes calls; what there is to know of their senders is in memory."""

    profile = V4

    def __init__(
        self, participants: Iterable[Participant], issuer: Issuer, networks: Mapping[str, frozenset[str]] = NETWORKS
    ) -> None:
        super().__init__(())
        self.participants = {one.id: one for one in participants}
        self.issuer = issuer
        self.networks = networks

    def opened(self, message: OutgoingMessage, now: datetime = NOW) -> Opened:
        """The call as it is before anybody is looked up."""
        wire = arrived(message)
        return V4.opened(wire, PATHS.get(wire.path), now, own_id=LENDER)

    def known(self, message: OutgoingMessage) -> Known:
        """What there is to know of its sender."""
        opened = self.opened(message)
        assert isinstance(opened, OpenedCall)
        try:
            holder = self.participants.get(parse_token(opened.token_text).participant_id)
        except EncodingError:
            holder = None
        return Known(KnownSender(holder, networks=self.networks), self.issuer)

    def head(self, message: OutgoingMessage) -> Problem | None:
        """Judge what the HTTP head alone tells; the problem, if there is one."""
        failure = first_failure(V4.head_checks, self.opened(replace(message, body=b"")))
        return failure.problem if failure else None

    def set_dialect(self, dialect: Dialect) -> None:
        """Let the LSP be a peer of this dialect."""
        self.participants[LSP] = replace(self.participants[LSP], dialect=dialect)
