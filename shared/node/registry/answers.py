"""Reads participants from the registry's answers, so that an unreadable restriction never counts as none.

A list of addresses or certificates restricts who may call; an unreadable list must not pass for an empty one.
"""

import contextlib
import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from shared.catalogue.table import CATALOGUE
from shared.ip_addresses import Network
from shared.node.onboarding.record import MOST_KEYS, BaseUrl
from shared.node.registry.service import RegistryUnavailable
from shared.protocol.encoding import dump_json, kind_of, parse_json_object
from shared.protocol.participants import Dialect, KeyStatus, Participant, PublicKey
from shared.protocol.profiles import V4
from shared.protocol.signing import KeyMaterialError, load_public_key

MOST_NAMED: Final = 16
"""Certificates, and addresses, of one participant that are read at most."""

_ROLES: Final = frozenset(role for message in CATALOGUE for role in message.senders | message.receivers)
"""The roles that any message comes from or goes to."""

_THUMBPRINT: Final = re.compile(r"[0-9a-f]{64}")
_BASE_URL: Final[TypeAdapter[str]] = TypeAdapter(BaseUrl)


def is_approved(detail: Mapping[str, Any]) -> bool:
    """Tell whether a participant may take part (OCEN 4.0 registry, isApproved and participantRoleStatus)."""
    approved = detail.get("isApproved", detail.get("approved"))
    return approved is True and detail.get("participantRoleStatus", "APPROVED") == "APPROVED"


def read_participant(
    participant_id: str, detail: Mapping[str, Any], jwks: Any, items: Any, dialect: Dialect
) -> Participant | None:
    """Put a participant together; None for one who cannot be called: without role, key or https base URL of its own.

    Raises:
        RegistryUnavailable: addresses or certificates are no list, or are listed and none of them can be read.
    """
    role = next((role for role in _ROLES if role == detail.get("participantRole")), None)
    keys = _keys(jwks) or _keys(_as_jwks(detail.get("publicKey")))
    base_url = _base_url(detail.get("baseUrl"))
    if role is None or not keys or not base_url or str(detail.get("id", participant_id)) != participant_id:
        return None
    parent = detail.get("participant")
    organisation = parent if isinstance(parent, dict) else {}
    return Participant(
        id=participant_id,
        name=str(organisation.get("participantName", ""))[:200],
        role=role,
        base_url=base_url,
        certificates=frozenset(_certificates(participant_id, detail.get("tlsCertificates"))),
        keys=keys,
        networks=tuple(_networks(participant_id, items)),
        dialect=dialect,
        organisation_id=str(organisation.get("id", ""))[:64],
        client_id=str(detail.get("kcClientId") or ""),
    )


def _base_url(given: Any) -> str:
    """Return where a participant is called: by the rules of the onboarding form, so https and nothing but a place."""
    try:
        return _BASE_URL.validate_python(given).rstrip("/")
    except ValidationError:
        return ""


def _as_jwks(key: Any) -> Any:
    """Read the one key that the documented answer has: a JWK, as an object or as text, or a set of them; or PEM."""
    if isinstance(key, str) and "-----BEGIN" in key:
        return {"keys": [{"pem": key}]}
    with contextlib.suppress(ValueError, AttributeError):
        key = parse_json_object(key.encode())
    return key if isinstance(key, dict) and "keys" in key else {"keys": [key]}


def _keys(jwks: Any) -> tuple[PublicKey, ...]:
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    found: dict[str, PublicKey] = {}
    for jwk in listed if isinstance(listed, list) else ():
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or jwk.get("alg", V4.algorithm) != V4.algorithm:
            continue
        kid = str(jwk.get("kid") or "")
        pem = jwk.get("pem")
        with contextlib.suppress(KeyMaterialError, ValueError, TypeError):
            verifier = load_public_key(pem if isinstance(pem, str) else dump_json(jwk).decode(), V4.algorithm)
            found.setdefault(kid, PublicKey(kid, verifier, KeyStatus.BACKUP if found else KeyStatus.ACTIVE))
        if len(found) == MOST_KEYS:
            break
    return tuple(found.values())


def _listed(participant_id: str, what: str, given: Any) -> list[Any]:
    """Return the beginning of a list that may be absent; anything else might be meant to narrow who may call."""
    if given is None:
        return []
    if not isinstance(given, list):
        raise RegistryUnavailable(f"what the registry gives as {what} of {participant_id} is no list: {kind_of(given)}")
    return given[:MOST_NAMED]


def _certificates(participant_id: str, listed: Any) -> list[str]:
    given = _listed(participant_id, "TLS certificates", listed)
    found = [text for item in given if _THUMBPRINT.fullmatch(text := str(item).replace(":", "").lower())]
    if given and not found:
        raise RegistryUnavailable(f"no TLS certificate that the registry lists for {participant_id} is a SHA-256")
    return found


def _networks(participant_id: str, items: Any) -> list[Network]:
    given = _listed(participant_id, "addresses", items)
    found: list[Network] = []
    for item in given:
        with contextlib.suppress(ValueError, AttributeError):
            found.append(ip_network(str(item.get("ipAddress")).strip(), strict=False))
    if given and not found:
        raise RegistryUnavailable(f"no address that the registry lists for {participant_id} can be read")
    return found
