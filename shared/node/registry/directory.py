"""The counterparties of OCEN 4.0: participants that hold a token of the Auth Service and are in the registry.

What was looked up is used for `CacheTimes.longest` at most: an offboarded participant is gone by then, and while the
registry is down, known ones can be used until then.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Final

from shared.clock import Clock
from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.identity import Identity
from shared.node.registry.auth_service import AuthServiceKeys, token_kid
from shared.node.registry.cache import USUAL_TIMES, Ages, CacheTimes, Kept
from shared.node.registry.lookup import RegistryLookup
from shared.protocol.checks.originator import both_are_in_the_product_network, short_networks
from shared.protocol.detached import OpenedCall
from shared.protocol.participants import Dialect, Participant
from shared.protocol.phases import Identified, KnownSender, Opened, ShownToken
from shared.protocol.problems import Problem
from shared.protocol.profiles import V4, Originator
from shared.protocol.tokens import parse_token
from shared.protocol.verification import Failure

MOST_KEPT: Final = 5_000
"""Participants kept in memory at most; ids come from verified tokens, or from those who send in our name."""


Note = Callable[[Participant], Awaitable[None]]
"""Writes down what was looked up. Where it cannot, the look-up has failed: what cannot be proved is not accepted."""


async def _not_noted(_: Participant) -> None:
    """Keep nothing."""


class RegistryDirectory:
    """Knows counterparties by their participant ids. See `shared.node.counterparties.Counterparties`."""

    def __init__(
        self,
        lookup: RegistryLookup,
        keys: AuthServiceKeys,
        identity: Identity,
        clock: Clock,
        product_networks: Iterable[str] = (),
        *,
        times: CacheTimes = USUAL_TIMES,
    ) -> None:
        """`product_networks` are those that we belong to; with none given, membership is not judged."""
        self._lookup = lookup
        self._keys = keys
        self._identity = identity
        self._clock = clock
        self._kept: dict[str, Kept[Participant | None]] = {}
        self._owners: dict[str, str] = {}
        self._times = times
        self.note: Note = _not_noted
        self._networks = {
            network: Kept(partial(lookup.members, network), clock, times.look_up_pace, lambda _: times.participants)
            for network in product_networks
        }

    async def shown_token(self, message: Opened) -> ShownToken:
        """Return the token that a message shows, with the keys of the Auth Service as far as it needs them."""
        assert isinstance(message, OpenedCall)
        issuer = await self._keys.issuer(token_kid(message.token_text))
        return ShownToken(message.token_text, issuer, message.now, message.peer)

    async def sender(self, message: Opened) -> KnownSender:
        """Look the token's participant up; once more where the message shows a kid or certificate not known yet."""
        assert isinstance(message, OpenedCall)
        kept = self._entry(parse_token(message.token_text).participant_id)
        holder = await kept.get()
        if holder is not None and _shows_something_new(message, holder):
            await kept.refresh()
            holder = await kept.get()
        owner = self.owner(message.peer.certificate)
        networks = {network: await members.get() for network, members in self._networks.items()}
        return KnownSender(holder, owner.id if owner is not None else "", networks)

    async def sender_anew(self, message: Identified, failure: Failure) -> KnownSender | None:
        """Ask once more for the sender's keys, or who is in the product network.

        Compared with what there is now, for somebody else's message may have led to the look-up.
        """
        known = message.sender.holder
        if known is None:
            return None
        if failure.check is both_are_in_the_product_network:
            is_changed = await self._renew_networks(message)
        elif failure.problem is Problem.SIGNATURE:
            kept = self._entry(known.id)
            await kept.refresh()
            is_changed = _keys_of(await kept.get()) != _keys_of(known)
        else:
            return None
        return await self.sender(message.opened) if is_changed else None

    async def _renew_networks(self, message: Identified) -> bool:
        """Ask again who belongs to the networks that somebody was missing in; others than ours are not asked for."""
        missed = {network: self._networks[network] for network in short_networks(message)}
        for members in missed.values():
            await members.refresh()
        known = message.sender.networks
        return any([await members.get() != known[network] for network, members in missed.items()])

    async def receiver(self, participant_id: str) -> Participant | None:
        """Return a participant with the base URL of now: a callback goes where the registry says, and nowhere else."""
        await self._introduce()
        return await self._entry(participant_id).get()

    async def receiver_anew(self, known: Participant) -> Participant | None:
        """Look a receiver up once more, as its certificate or its ack was not what we know of it."""
        kept = self._entry(known.id)
        await kept.refresh()
        try:
            now = await kept.get()
        except CounterpartiesUnavailable:
            return None
        return now if now is not None and _shown_by(now) != _shown_by(known) else None

    def participants(self) -> Sequence[Participant]:
        """Return those that were looked up and still count."""
        known = (kept.last for kept in self._kept.values() if kept.is_known)
        return sorted(filter(None, known), key=attrgetter("id"))

    def owner(self, certificate: str) -> Participant | None:
        """Return the participant that shows a certificate, as far as it has been looked up."""
        kept = self._kept.get(self._owners.get(certificate, ""))
        participant = kept.last if kept is not None and kept.is_known else None
        return participant if participant is not None and certificate in participant.certificates else None

    def set_dialects(self, dialect_of: Callable[[str], Dialect]) -> None:
        """Set for known participants how they sign from now on."""
        for participant_id, kept in self._kept.items():
            kept.amend(partial(_signing_like, dialect_of(participant_id)))

    async def _introduce(self) -> None:
        """Learn once from the registry which organisation our role belongs to, for our own metadata (P22).

        Raises:
            CounterpartiesUnavailable: it does not say. A message without it would be refused for good.
        """
        own = self._identity.originators[V4.name]
        if not own.organisation_id:
            entry = await self._entry(own.participant_id).get()
            if entry is None or not entry.organisation_id:
                found = f"the registry does not say which organisation we, {own.participant_id}, belong to"
                raise CounterpartiesUnavailable(f"{found}; ask its operator whether we are approved")
            self._identity.originators[V4.name] = Originator(own.participant_id, entry.organisation_id)

    def _entry(self, participant_id: str) -> Kept[Participant | None]:
        kept = self._kept.get(participant_id)
        if kept is None:
            if len(self._kept) >= MOST_KEPT:
                self._forget(next(iter(self._kept)))
            kept = Kept(partial(self._ask, participant_id), self._clock, self._times.look_up_pace, self._ages_of)
            self._kept[participant_id] = kept
        return kept

    def _forget(self, participant_id: str) -> None:
        known = self._kept.pop(participant_id).last
        for certificate in known.certificates if known is not None else ():
            self._owners.pop(certificate, None)

    async def _ask(self, participant_id: str) -> Participant | None:
        found = await self._lookup.participant(participant_id)
        if found is not None:
            await self.note(found)
        self._owners.update(dict.fromkeys(found.certificates if found is not None else (), participant_id))
        return found

    def _ages_of(self, found: Participant | None) -> Ages:
        return self._times.participants if found is not None else self._times.nobody


def _keys_of(participant: Participant | None) -> list[tuple[str, str]]:
    return [(key.kid, key.verifier.thumbprint()) for key in participant.keys] if participant is not None else []


def _shown_by(participant: Participant) -> tuple[list[tuple[str, str]], frozenset[str]]:
    return _keys_of(participant), participant.certificates


def _shows_something_new(message: Opened, holder: Participant) -> bool:
    """Tell whether the registry, when it was last asked, did not name this kid or this certificate."""
    if message.kid and holder.by_kid.get(message.kid) is None:
        return True
    return bool(holder.certificates) and message.peer.certificate not in holder.certificates


def _signing_like(dialect: Dialect, known: Participant | None) -> Participant | None:
    return replace(known, dialect=dialect) if known is not None else None
