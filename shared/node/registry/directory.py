"""The counterparties of OCEN 4.0: whoever holds a token of the Auth Service and is in the registry.

Nothing of a participant is kept longer than `PARTICIPANT_LIFETIME.hard`: an offboarded one is gone by then, and while
the registry is down the known ones go on until then.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from shared.node.clock import Clock
from shared.node.identity import Identity
from shared.node.registry.auth_service import AuthServiceKeys, token_kid
from shared.node.registry.cache import Kept, Lifetime
from shared.node.registry.lookup import RegistryLookup
from shared.protocol.participants import Participant
from shared.protocol.profiles import V4, Originator, Profile
from shared.protocol.verification import Examination

PARTICIPANT_LIFETIME: Final = Lifetime(
    soft=timedelta(minutes=5), hard=timedelta(minutes=15), refreshes=1, per=timedelta(seconds=10)
)
"""G11: 5 to 15 minutes; out of turn, for an unknown kid or a signature that fails, once in ten seconds."""

MOST_KEPT: Final = 5_000
"""So many participants are kept; ids come from verified tokens, or from those who send in our name."""


class RegistryDirectory:
    """Knows counterparties by their participant ids. See `shared.node.counterparties.Counterparties`."""

    def __init__(
        self,
        lookup: RegistryLookup,
        keys: AuthServiceKeys,
        identity: Identity,
        clock: Clock,
        product_networks: Iterable[str] = (),
    ) -> None:
        """`product_networks` are those that we belong to; with none given, membership is not judged."""
        self._lookup = lookup
        self._keys = keys
        self._identity = identity
        self._clock = clock
        self._kept: dict[str, Kept[Participant | None]] = {}
        self._networks = {
            network: Kept(lambda network=network: lookup.members(network), clock, PARTICIPANT_LIFETIME)  # type: ignore[misc]
            for network in product_networks
        }

    async def identify(self, profile: Profile, examination: Examination) -> None:
        """Judge the token, and look its participant up; a kid that is not known is asked for once more."""
        profile.judge_token(examination, await self._keys.issuer(token_kid(examination.token_text)))
        if examination.problem is not None or examination.token is None:
            return
        kept = self._entry(examination.token.participant_id)
        holder = await kept.get()
        if holder is not None and examination.kid is not None and holder.key(examination.kid) is None:
            await kept.refresh()
            holder = await kept.get()
        examination.holder = holder
        examination.networks = {network: await members.get() for network, members in self._networks.items()}

    async def renew(self, examination: Examination) -> bool:
        """Look the sender up once more, as its signature did not hold; tell whether its keys have changed."""
        if examination.holder is None:
            return False
        before = examination.holder.keys
        kept = self._entry(examination.holder.organisation_id)
        if not await kept.refresh():
            return False
        now = await kept.get()
        return now is None or [key.verifier.thumbprint() for key in now.keys] != [
            key.verifier.thumbprint() for key in before
        ]

    async def receiver(self, participant_id: str) -> Participant | None:
        """Return a participant with the base URL of now: a callback goes where the registry says, and nowhere else."""
        await self._introduce()
        return await self._entry(participant_id).get()

    def participants(self) -> Sequence[Participant]:
        """Return those that were looked up and still count."""
        known = (kept.last for kept in self._kept.values() if kept.is_known)
        return sorted((one for one in known if one is not None), key=lambda one: one.organisation_id)

    def owner(self, certificate: str) -> Participant | None:
        """Return the participant that shows a certificate, as far as it has been looked up."""
        return next((one for one in self.participants() if certificate in one.certificates), None)

    async def _introduce(self) -> None:
        """Learn once from the registry which organisation our role belongs to, for our own metadata (C7)."""
        own = self._identity.originators[V4.name]
        if not own.organisation_id:
            entry = await self._entry(own.participant_id).get()
            if entry is not None and entry.parent_id:
                self._identity.originators[V4.name] = Originator(own.participant_id, entry.parent_id)

    def _entry(self, participant_id: str) -> Kept[Participant | None]:
        kept = self._kept.get(participant_id)
        if kept is None:
            while len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            kept = Kept(lambda: self._lookup.participant(participant_id), self._clock, PARTICIPANT_LIFETIME)
            self._kept[participant_id] = kept
        return kept
