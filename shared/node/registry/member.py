"""A node as a member of OCEN 4.0's network: what it needs to speak v4, put together."""

from functools import partial

import httpx
from sqlalchemy import Engine

from shared.clock import Clock
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.registry.auth_service import AuthServiceKeys, OwnToken
from shared.node.registry.cache import CacheTimes
from shared.node.registry.directory import RegistryDirectory
from shared.node.registry.looked_up_keys import note_keys
from shared.node.registry.lookup import RegistryLookup
from shared.node.registry.path_signing import PathSigner
from shared.node.registry.peers import Peers
from shared.node.registry.service import ClientCredentials, RegistryClient
from shared.node.settings import PathSigning, RegistryMembership
from shared.protocol.participants import Participant
from shared.protocol.profiles import V4, Originator
from shared.storage.reader import read


class Member:
    """Our token, the directory of the registry's participants, and the client for both."""

    def __init__(
        self, membership: RegistryMembership, identity: Identity, transport: httpx.AsyncBaseTransport, clock: Clock
    ) -> None:
        """Nothing is asked for before it is needed, so that a node starts while the registry is down."""
        self._clock = clock
        self.peers = Peers(membership.dialects)
        signs = membership.signs
        sign_path = None if signs is PathSigning.NONE else PathSigner(identity, signs)
        credentials = ClientCredentials(membership.client_id, membership.client_secret)
        self.service = RegistryClient(membership.registry_url, transport, sign_path)
        times = CacheTimes(membership.keeps_for)
        keys = AuthServiceKeys(self.service, clock, times)
        self.access = OwnToken(self.service, keys, credentials, membership.participant_id, clock)
        self.lookup = RegistryLookup(self.service, self.access, self.peers.dialect_of)
        self.directory = RegistryDirectory(self.lookup, keys, identity, clock, membership.product_networks, times=times)
        identity.originators[V4.name] = Originator(membership.participant_id)

    def remember_in(self, journal: Journal) -> None:
        """Have the keys of all that are looked up written down, before any message counts by them."""

        async def note(participant: Participant) -> None:
            await journal.act(partial(note_keys, participant=participant, now=self._clock.now()))

        self.directory.note = note

    async def follow(self, engine: Engine) -> None:
        """Apply what operators have set for peers, also for those that are known already."""
        if await read(engine, self.peers.refresh):
            self.directory.set_dialects(self.peers.dialect_of)

    async def aclose(self) -> None:
        """Close all connections to the registry."""
        await self.service.aclose()
