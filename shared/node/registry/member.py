"""A node as a member of OCEN 4.0's network: what it needs to speak v4, put together."""

import httpx

from shared.node.clock import Clock
from shared.node.identity import Identity
from shared.node.registry.auth_service import AuthServiceKeys, OwnToken
from shared.node.registry.directory import RegistryDirectory
from shared.node.registry.lookup import RegistryLookup
from shared.node.registry.service import Credentials, RegistryService
from shared.node.settings import Membership
from shared.protocol.participants import Dialect
from shared.protocol.profiles import V4, Originator


class Member:
    """Our token, the directory of the registry's participants, and the way to both."""

    def __init__(
        self, membership: Membership, identity: Identity, transport: httpx.AsyncBaseTransport, clock: Clock
    ) -> None:
        """Nothing is asked for before it is needed, so that a node starts while the registry is down."""
        self._dialects = membership.dialects
        credentials = Credentials(membership.client_id, membership.client_secret)
        self.service = RegistryService(membership.registry_url, transport)
        keys = AuthServiceKeys(self.service, clock)
        self.access = OwnToken(self.service, keys, credentials, membership.participant_id, clock)
        self.lookup = RegistryLookup(self.service, self.access, self.dialect_of)
        self.directory = RegistryDirectory(self.lookup, keys, identity, clock, membership.product_networks)
        identity.originators[V4.name] = Originator(membership.participant_id)

    def dialect_of(self, participant_id: str) -> Dialect:
        """Tell how a peer signs, and what is demanded of its signatures."""
        return self._dialects.get(participant_id, Dialect.STRICT)

    async def aclose(self) -> None:
        """Close all connections to the registry."""
        await self.service.aclose()
