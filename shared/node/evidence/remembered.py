"""Who held which key and certificate at a moment that has passed, by what the register remembers."""

from datetime import datetime

from sqlalchemy import Connection

from shared.node.onboarding.history import CertificateHistory, KeyHistory, ParticipantHistory, load_history
from shared.node.onboarding.record import thumbprint_of, verification_key
from shared.protocol.participants import Participant, PublicKey
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

    def participant(self, organisation_id: str, moment: datetime) -> Participant | None:
        """Return a participant with the keys and certificates as they counted at an aware moment."""
        history = self.history(organisation_id)
        if history is None:
            return None
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

    def flaws_of_key(self, organisation_id: str, kid: str | None) -> list[str]:
        """Say what is wrong with the rows of a key: its PEM has to be the one that was registered."""
        history = self.history(organisation_id)
        key = next((one for one in history.keys if one.kid == kid), None) if history else None
        if key is None:
            return []
        verifier = usable_key(key)
        if verifier is None:
            return [f"the register's key {key.kid} cannot be read as a public RSA key"]
        if verifier.thumbprint() != key.thumbprint:
            return [f"the register's key {key.kid} is not the one with its thumbprint {key.thumbprint}"]
        return []

    def flaws_of_certificate(self, organisation_id: str, thumbprint: str) -> list[str]:
        """Say what is wrong with the rows of a certificate: its PEM has to be the one that was registered."""
        history = self.history(organisation_id)
        known = [one for one in history.certificates if one.thumbprint == thumbprint] if history else []
        if all(_is_itself(one) for one in known):
            return []
        return [f"the register's certificate is not the one with the thumbprint {thumbprint}"]


def usable_key(key: KeyHistory) -> VerificationKey | None:
    """Return the key as one that verifies; None where the PEM or the algorithm of the row is none."""
    try:
        return verification_key(key.pem, key.algorithm, key.kid)
    except Exception:  # a row that somebody has changed may hold anything, and jwcrypto raises many kinds
        return None


def _is_itself(certificate: CertificateHistory) -> bool:
    try:
        return thumbprint_of(certificate.pem) == certificate.thumbprint
    except ValueError:
        return False
