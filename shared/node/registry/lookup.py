"""Participants as the registry has them: keys, base URL, certificates and addresses of a role, by its id."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final

from shared.node.counterparties import Access
from shared.node.registry.service import RegistryService, RegistryUnavailable, TokenRefusedError
from shared.protocol.encoding import dump_json, parse_json_object
from shared.protocol.participants import Dialect, KeyStatus, Network, Participant, ParticipantRole, PublicKey
from shared.protocol.profiles import V4
from shared.protocol.signing import KeyMaterialError, load_public_key

ROLES: Final = "/service/participant-roles"
NETWORKS: Final = "/service/product-networks"

LOOPBACK_HTTP: Final = ("http://localhost", "http://127.0.0.1", "http://[::1]")


class RegistryLookup:
    """Asks the registry, with our token; a token that it does not take is renewed once."""

    def __init__(self, service: RegistryService, access: Access, dialects: Mapping[str, Dialect]) -> None:
        """`dialects` are those of peers that are set to another than STRICT, by participant id."""
        self._service = service
        self._access = access
        self.dialects = dict(dialects)

    async def participant(self, participant_id: str) -> Participant | None:
        """Return an approved participant with a base URL and a key; None if the registry serves none of that id.

        Raises:
            CounterpartiesUnavailable: the registry does not answer.
        """
        detail = await self._get(f"{ROLES}/{participant_id}")
        if not isinstance(detail, dict) or not _is_approved(detail):
            return None
        keys, addresses = await asyncio.gather(
            self._get(f"{ROLES}/{participant_id}/jwks"),
            self._get(f"{ROLES}/server-whitelisting-items/{participant_id}"),
        )
        return _participant(participant_id, detail, keys, addresses, self.dialects.get(participant_id, Dialect.STRICT))

    async def members(self, network_id: str) -> frozenset[str]:
        """Return the ids of the approved participants of a product network, of whatever role.

        Raises:
            CounterpartiesUnavailable: the registry does not answer.
        """
        return frozenset(await self.roles_of(network_id))

    async def roles_of(self, network_id: str) -> dict[str, str]:
        """Return the role name of each approved participant of a product network, by its id."""
        found = await self._get(f"{NETWORKS}/{network_id}/participants")
        roles = found if isinstance(found, dict) else {}
        return {
            str(one["id"]): role
            for role, listed in roles.items()
            for one in (listed if isinstance(listed, list) else ())
            if isinstance(one, dict) and "id" in one and _is_approved(one)
        }

    async def _get(self, path: str) -> Any:
        token = await self._access.token()
        try:
            return await self._service.get(path, token)
        except TokenRefusedError:
            renewed = await self._access.renew(token)
            if renewed == token:
                raise
            return await self._service.get(path, renewed)


def _is_approved(detail: Mapping[str, Any]) -> bool:
    approved = detail.get("isApproved", detail.get("approved"))
    return approved is True and detail.get("participantRoleStatus", "APPROVED") == "APPROVED"


def _participant(
    participant_id: str, detail: Mapping[str, Any], keys: Any, addresses: Any, dialect: Dialect
) -> Participant | None:
    base_url, parent = detail.get("baseUrl"), detail.get("participant")
    registered = _keys(keys) or _keys(_single(detail.get("publicKey")))
    role = next((role for role in ParticipantRole if role.value == detail.get("participantRole")), None)
    if role is None or not registered or not isinstance(base_url, str) or not base_url.startswith("https://"):
        return None
    listed = detail.get("tlsCertificates")
    return Participant(
        organisation_id=participant_id,
        name=str(parent.get("participantName", "")) if isinstance(parent, dict) else "",
        role=role,
        base_url=base_url.rstrip("/"),
        certificates=frozenset(str(one) for one in listed) if isinstance(listed, list) else frozenset(),
        keys=registered,
        networks=tuple(_networks(addresses)),
        dialect=dialect,
        parent_id=str(parent.get("id", "")) if isinstance(parent, dict) else "",
        client_id=str(detail.get("kcClientId") or ""),
    )


def _single(text: Any) -> Any:
    """Read the one key that the documented answer has: a JWK as text."""
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        return {"keys": [parse_json_object(text.encode())]}
    return None


def _keys(jwks: Any) -> tuple[PublicKey, ...]:
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    found = []
    for number, jwk in enumerate(listed if isinstance(listed, list) else ()):
        with contextlib.suppress(KeyMaterialError, ValueError, TypeError):
            kid = jwk.get("kid") or ""
            key = load_public_key(dump_json(jwk).decode(), V4.algorithm)
            found.append(PublicKey(str(kid), key, KeyStatus.BACKUP if number else KeyStatus.ACTIVE))
    return tuple(found)


def _networks(items: Any) -> Sequence[Network]:
    found = []
    for item in items if isinstance(items, list) else ():
        with contextlib.suppress(ValueError, AttributeError):
            found.append(ip_network(str(item.get("ipAddress")).strip()))
    return found


__all__ = ["RegistryLookup", "RegistryUnavailable"]
