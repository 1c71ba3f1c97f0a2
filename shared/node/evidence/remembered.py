"""Who held which key and certificate at a moment that has passed, by what the register remembers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from shared.node.onboarding.history import CertificateHistory, KeyHistory, ParticipantHistory, load_history
from shared.node.onboarding.record import thumbprint_of, verification_key
from shared.node.registry.looked_up_keys import looked_up_keys
from shared.protocol.messages import Role
from shared.protocol.participants import Dialect, Participant, PublicKey
from shared.protocol.profiles import V4
from shared.protocol.signing import VerificationKey


class Remembered:
    """The register in an open read transaction. Each participant is read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._histories: dict[str, ParticipantHistory | None] = {}

    def history(self, organisation_id: str) -> ParticipantHistory | None:
        """Return what is remembered of a participant; None if it has never been onboarded, or its rows are spoiled."""
        if organisation_id not in self._histories:
            try:
                self._histories[organisation_id] = load_history(self._connection, organisation_id)
            except ValueError:  # a role or a status that there is not: somebody has changed the rows
                self._histories[organisation_id] = None
        return self._histories[organisation_id]

    def holders(self, organisation_id: str, moment: datetime, kid: str) -> Iterator[Participant]:
        """Give the participant with the keys and certificates as they counted at an aware moment, if there is one.

        Where its kid may have meant several keys, it is given with each of them in turn.
        """
        history = self.history(organisation_id)
        if history is not None:
            yield self._participant(organisation_id, history, moment)

    def _participant(self, organisation_id: str, history: ParticipantHistory, moment: datetime) -> Participant:
        statuses = [(key, key.status_at(moment), usable_key(key)) for key in history.keys]
        return Participant(
            organisation_id=organisation_id,
            name=history.name,
            role=history.role,
            base_url="",
            certificates=frozenset(one.thumbprint for one in history.certificates if one.counts_at(moment)),
            keys=tuple(
                PublicKey(key.kid, verifier, status) for key, status, verifier in statuses if status and verifier
            ),
        )

    def flaws_of_key(self, organisation_id: str, kid: str) -> list[str]:
        """Say what is wrong with the rows of a key: its PEM has to be the one that was registered."""
        history = self.history(organisation_id)
        return [flaw for key in (history.keys if history else ()) if key.kid == kid for flaw in _flaws(key)]

    def flaws_of_certificate(self, organisation_id: str, thumbprint: str) -> list[str]:
        """Say what is wrong with the rows of a certificate: its PEM has to be the one that was registered."""
        history = self.history(organisation_id)
        known = [one for one in history.certificates if one.thumbprint == thumbprint] if history else []
        if all(_is_itself(one) for one in known):
            return []
        return [f"the register's certificate is not the one with the thumbprint {thumbprint}"]


class Sighted(Remembered):
    """What is remembered of the participants of OCEN 4.0: the keys that the registry has named, and our own."""

    def __init__(self, connection: Connection, own: ParticipantHistory | None, own_id: str) -> None:
        """`own` is what the register remembers of ourselves, whom the registry knows as `own_id`."""
        super().__init__(connection)
        self._own = own
        self._own_id = own_id

    def history(self, organisation_id: str) -> ParticipantHistory | None:
        """Return the keys of a participant id; None if the registry has never named any."""
        if organisation_id not in self._histories:
            self._histories[organisation_id] = self._read(organisation_id)
        return self._histories[organisation_id]

    def holders(self, organisation_id: str, moment: datetime, kid: str) -> Iterator[Participant]:
        """Give the participant with each key that the kid may mean: any, where official starters leave it out."""
        for one in super().holders(organisation_id, moment, kid):
            meant = [key for key in one.keys if key.kid == kid or not kid]
            for key in meant or one.keys[:1]:
                yield replace(one, dialect=Dialect.AUTHSTARTER, keys=(key,))

    def _read(self, participant_id: str) -> ParticipantHistory | None:
        if participant_id == self._own_id and self._own is not None:
            keys: list[KeyHistory] = [replace(key, algorithm=V4.algorithm) for key in self._own.keys]
            return replace(self._own, organisation_id=participant_id, keys=keys, certificates=())
        sighted = looked_up_keys(self._connection, participant_id)
        if not sighted:
            return None
        first = min(key.events[0].at for key in sighted)
        return ParticipantHistory(participant_id, "", Role.LENDER, first, None, "", sighted, ())


def usable_key(key: KeyHistory) -> VerificationKey | None:
    """Return the key as one that verifies; None where the PEM or the algorithm of the row is none."""
    try:
        return verification_key(key.pem, key.algorithm, key.kid)
    except Exception:  # a row that somebody has changed may hold anything, and jwcrypto raises many kinds
        return None


def _flaws(key: KeyHistory) -> list[str]:
    verifier = usable_key(key)
    if verifier is None:
        return [f"the register's key {key.kid} cannot be read as a public RSA key"]
    if verifier.thumbprint() != key.thumbprint:
        return [f"the register's key {key.kid} is not the one with its thumbprint {key.thumbprint}"]
    return []


def _is_itself(certificate: CertificateHistory) -> bool:
    try:
        return thumbprint_of(certificate.pem) == certificate.thumbprint
    except ValueError:
        return False
