"""A lender that takes calls: the profile with an Auth Service's keys, a registry and a journal in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from shared.protocol.nonces import DEFAULT_WINDOW
from shared.protocol.participants import Dialect, Participant
from shared.protocol.profiles import V4
from shared.protocol.tampering import OutgoingMessage
from shared.protocol.tokens import Issuer
from shared.protocol.verification import Examination
from tests.protocol.receiver import NOW, Receiver, arrived
from tests.protocol.v4.messages import FOREIGN_NETWORK, LENDER, LSP, NETWORK, PATHS

ISSUER = "https://auth.example/realms/ocen"

NETWORKS: Mapping[str, frozenset[str]] = {NETWORK: frozenset({LSP, LENDER}), FOREIGN_NETWORK: frozenset({LSP})}


class CallReceiver(Receiver):
    """Takes calls; `judge` goes through the steps in which a node learns what it needs to go on."""

    profile = V4

    def __init__(
        self, participants: Iterable[Participant], issuer: Issuer, networks: Mapping[str, frozenset[str]] = NETWORKS
    ) -> None:
        super().__init__(())
        self.participants = {one.organisation_id: one for one in participants}
        self.issuer = issuer
        self.networks = networks

    def judge(self, message: OutgoingMessage, now: datetime = NOW) -> Examination:
        """Judge a call up to the point at which the journal is asked."""
        wire = arrived(message)
        examination = self.head(message, now)
        V4.open_body(examination, wire.body)
        V4.judge_token(examination, self.issuer)
        examination.networks = self.networks
        token = examination.token if examination.problem is None else None
        V4.judge(examination, self.participants.get(token.participant_id) if token else None)
        return examination

    def head(self, message: OutgoingMessage, now: datetime = NOW) -> Examination:
        """Judge what the HTTP head alone tells."""
        wire = replace(arrived(message), body=b"")
        expected = PATHS.get(wire.path)
        methods = (expected.method,) if expected else ()
        examination = V4.open_head(wire, expected, methods, now, DEFAULT_WINDOW)
        examination.own_id = LENDER
        return examination

    def set_dialect(self, dialect: Dialect) -> None:
        """Let the LSP be a peer of this dialect."""
        self.participants[LSP] = replace(self.participants[LSP], dialect=dialect)
