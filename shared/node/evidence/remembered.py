"""Which participant held which key and certificate at a past moment, according to the register."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from shared.node.onboarding.certificates import CertificateUse, uses_of
from shared.node.onboarding.history import CertificateHistory, KeyHistory, load_history
from shared.node.onboarding.record import leaf_of, thumbprint_of, verification_key
from shared.node.registry.looked_up_keys import looked_up_keys
from shared.protocol.messages import Role
from shared.protocol.participants import Dialect, Participant, PublicKey
from shared.protocol.profiles import V3, V4, Profile

_History = tuple[Sequence[KeyHistory], Sequence[CertificateHistory]]


class Remembered:
    """The register in an open read transaction, which reads each participant once.

    Of OCEN 4.0's participants it has the keys that the registry has named; ours are the same in both versions.
    `own_ids` says by which id we are known under each profile.
    """

    def __init__(self, connection: Connection, own_ids: Mapping[str, str]) -> None:
        self._connection = connection
        self._own_ids = own_ids
        self._histories: dict[tuple[str, str], _History] = {}

    def holders(
        self, profile: Profile, participant_id: str, moment: datetime, kid: str, use: CertificateUse
    ) -> Iterator[Participant]:
        """Give the participant with the keys, and the certificates for this use, as they counted at an aware moment.

        In OCEN 4.0 it is given with each key in turn that the kid may mean: any, where official starters leave it out.
        """
        keys, certificates = self._history(profile, participant_id)
        then = [key for key in (_key_at(key, profile, moment) for key in keys) if key is not None]
        registered = [certificate.pem for certificate in certificates if certificate.counts_at(moment)]
        thumbprints = frozenset(_thumbprint(pem) for pem in registered if _is_for(pem, use))
        participant = Participant(participant_id, "", Role.LENDER, "", thumbprints, tuple(then))
        if profile is not V4:
            yield participant
            return
        meant = [key for key in then if key.kid == kid or not kid]
        yield from (replace(participant, dialect=Dialect.AUTHSTARTER, keys=(key,)) for key in meant or then[:1])

    def certificate(self, profile: Profile, participant_id: str, thumbprint: str) -> str:
        """Return the participant's certificate with that thumbprint in PEM; empty if it never had that."""
        _, certificates = self._history(profile, participant_id)
        return next((certificate.pem for certificate in certificates if _thumbprint(certificate.pem) == thumbprint), "")

    def _history(self, profile: Profile, participant_id: str) -> _History:
        place = (profile.name, participant_id)
        if place not in self._histories:
            try:
                self._histories[place] = self._read(profile, participant_id)
            except ValueError:  # a role or a status that there is not: somebody has changed the rows
                self._histories[place] = (), ()
        return self._histories[place]

    def _read(self, profile: Profile, participant_id: str) -> _History:
        if profile is not V4:
            history = load_history(self._connection, participant_id)
            return (history.keys, history.certificates) if history else ((), ())
        if participant_id == self._own_ids.get(V4.name):
            return self._history(V3, self._own_ids[V3.name])[0], ()
        return looked_up_keys(self._connection, participant_id), ()


def _key_at(key: KeyHistory, profile: Profile, moment: datetime) -> PublicKey | None:
    """Return the key with the status that it had then; None where it had none, or the row is no key of the profile."""
    status = key.status_at(moment)
    algorithm = profile.algorithm if profile is V4 else key.algorithm  # the register states that of v3
    try:
        return PublicKey(key.kid, verification_key(key.pem, algorithm, key.kid), status) if status else None
    except Exception:  # a row that somebody has changed may hold anything, and jwcrypto raises many kinds
        return None


def _is_for(pem: str, use: CertificateUse) -> bool:
    try:
        return use in uses_of(leaf_of(pem))
    except ValueError:
        return False


def _thumbprint(pem: str) -> str:
    """Return the SHA-256 of a certificate, not trusting its row; empty if it is no certificate."""
    try:
        return thumbprint_of(pem)
    except ValueError:
        return ""
