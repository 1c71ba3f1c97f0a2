"""Look-ups in the registry: participants by their ids, and who belongs to a product network."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from shared.catalogue.bodies.v4.registry import (
    NETWORK_PARTICIPANTS_PATH,
    PARTICIPANT_ADDRESSES_PATH,
    PARTICIPANT_KEYS_PATH,
    PARTICIPANT_PATH,
)
from shared.node.counterparties import Access
from shared.node.registry.answers import is_approved, read_participant
from shared.node.registry.service import NETWORK, USUAL, Bounds, QueryRejectedError, RegistryClient, TokenRefusedError
from shared.protocol.participants import Dialect, Participant

_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
"""What may stand in a path as an id: no slash, no dots alone. The registry gives numbers or UUIDs."""


class RegistryLookup:
    """Asks the registry, with our token; a token that it does not take is renewed once."""

    def __init__(self, service: RegistryClient, access: Access, dialect_of: Callable[[str], Dialect]) -> None:
        """`dialect_of` tells how the peer of a participant id signs; the registry does not say."""
        self._service = service
        self._access = access
        self._dialect_of = dialect_of

    async def participant(self, participant_id: str) -> Participant | None:
        """Return an approved participant with a base URL and a key; None if the registry serves none of that id.

        Raises:
            CounterpartiesUnavailable: the registry does not answer.
        """
        if not _ID.fullmatch(participant_id):
            return None
        try:
            detail = await self._get(PARTICIPANT_PATH.format(number=participant_id))
        except QueryRejectedError:  # by a registry whose ids are of another form, such as numbers
            return None
        if not isinstance(detail, dict) or not is_approved(detail):
            return None
        keys, addresses = await asyncio.gather(
            self._get(PARTICIPANT_KEYS_PATH.format(number=participant_id)),
            self._get(PARTICIPANT_ADDRESSES_PATH.format(number=participant_id)),
        )
        return read_participant(participant_id, detail, keys, addresses, self._dialect_of(participant_id))

    async def members(self, network_id: str) -> frozenset[str]:
        """Return the ids of the approved participants of a product network, of whatever role.

        Raises:
            CounterpartiesUnavailable: the registry does not answer.
        """
        return frozenset(await self.roles_of(network_id))

    async def roles_of(self, network_id: str) -> dict[str, str]:
        """Return the role name of each approved participant of a product network, by its id.

        Raises:
            CounterpartiesUnavailable: the registry does not answer.
        """
        found = await self._get(NETWORK_PARTICIPANTS_PATH.format(number=quote(network_id, safe="")), NETWORK)
        return {
            str(participant["id"]): role
            for role, listed in (found if isinstance(found, dict) else {}).items()
            for participant in (listed if isinstance(listed, list) else ())
            if isinstance(participant, dict) and "id" in participant and is_approved(participant)
        }

    async def _get(self, path: str, bounds: Bounds = USUAL) -> Any:
        token = await self._access.token()
        try:
            return await self._service.get(path, token, bounds)
        except TokenRefusedError:
            renewed = await self._access.renew(token)
            if renewed == token:
                raise
            return await self._service.get(path, renewed, bounds)
