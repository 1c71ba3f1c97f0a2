"""The directory of counterparties: who they are, by organisation id, by kid and by TLS certificate.

Every look-up is answered from a snapshot in memory; `refresh` brings it up to date with the register, which several
processes may share.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from shared.node.onboarding.record import ParticipantRecord, participant_of
from shared.node.onboarding.register import load_records, removed_certificates
from shared.node.tables import PARTICIPANTS
from shared.protocol.participants import Participant
from shared.protocol.phases import Identified, KnownSender, Opened, ShownToken
from shared.protocol.verification import Failure


class Directory:
    """The counterparties that we know.

    Attributes:
        own: what the register says of ourselves, who are no counterparty.
        trust: the TLS certificates that counterparties have registered, as one PEM text.
        revoked: thumbprints of those that were registered and have been removed.
    """

    def __init__(self, own_id: str = "") -> None:
        """Know nobody yet; `own_id` is our own organisation id."""
        self.own: ParticipantRecord | None = None
        self.trust = ""
        self.revoked: frozenset[str] = frozenset()
        self._own_id = own_id
        self._by_id: dict[str, Participant] = {}
        self._by_kid: dict[str, Participant] = {}
        self._by_certificate: dict[str, Participant] = {}
        self._revision: tuple[int, datetime | None] | None = None

    def participants(self) -> Sequence[Participant]:
        """Return all participants in the order of their ids."""
        return [self._by_id[organisation_id] for organisation_id in sorted(self._by_id)]

    def participant(self, organisation_id: str) -> Participant | None:
        """Return the participant of that organisation id."""
        return self._by_id.get(organisation_id)

    def holder(self, kid: str) -> Participant | None:
        """Return the participant that holds the key of that kid, also one that no longer counts."""
        return self._by_kid.get(kid)

    async def shown_token(self, message: Opened) -> ShownToken:
        """Never called: in v3 there are no tokens."""
        raise NotImplementedError("OCEN v3 has no access tokens")

    async def sender(self, message: Opened) -> KnownSender:
        """Take the holder of the kid for the sender; the checks decide whether that is so."""
        return KnownSender(self.holder(message.kid))

    async def sender_anew(self, message: Identified, failure: Failure) -> KnownSender | None:
        """Never know more than before: the register is followed all the time."""
        return None

    async def receiver(self, participant_id: str) -> Participant | None:
        """Return the participant of that organisation id."""
        return self.participant(participant_id)

    async def receiver_anew(self, known: Participant) -> Participant | None:
        """Never know more than before: the register is followed all the time."""
        return None

    def owner(self, certificate: str) -> Participant | None:
        """Return the participant that has registered a certificate of that thumbprint."""
        return self._by_certificate.get(certificate)

    def replace(self, participants: Iterable[Participant]) -> None:
        """Know exactly these participants from now on."""
        known = list(participants)
        self._by_id = {participant.id: participant for participant in known}
        self._by_kid = {key.kid: participant for participant in known for key in participant.keys}
        self._by_certificate = {name: participant for participant in known for name in participant.certificates}

    def refresh(self, connection: Connection) -> bool:
        """Read the register again if somebody has changed it; tell whether that was so."""
        revision = connection.execute(select(func.count(), func.max(PARTICIPANTS.c.updated_at))).one()
        if tuple(revision) == self._revision:
            return False
        records = {record.organisation_id: record for record in load_records(connection)}
        own = records.pop(self._own_id, None)
        self.replace([participant_of(record) for record in records.values()])
        self.trust = "\n".join(pem for record in records.values() for pem in record.tls_certificates)
        self.own, self.revoked = own, removed_certificates(connection)
        self._revision = (revision[0], revision[1])
        return True
