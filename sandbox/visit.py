"""What a member does at the registry before its first message, done beside its node and with the node's credentials."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sandbox.errors import SandboxError
from sandbox.network import SECRET_FILE, Membership, read_membership
from shared.node.clock import Clock
from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.identity import Identity, load_identity
from shared.node.net.tls import client_context
from shared.node.registry.member import Member
from shared.node.registry.service import registry_transport
from shared.node.settings import RegistryMembership
from shared.protocol.participants import Participant
from shared.protocol.tokens import open_token

TOKEN_HEADER: Final = "authorization"


@dataclass(frozen=True, slots=True)
class Visit:
    """What the Auth Service and the registry have told a member.

    Attributes:
        token: its access token, verified with the Auth Service's keys; never to be shown.
        claims: what the token says.
        roles: the role of each participant of the product network, by its id.
        participants: those of them that were looked up, by their ids.
    """

    identity: Identity
    member: Membership
    token: str = field(repr=False)
    claims: Mapping[str, Any]
    roles: Mapping[str, str]
    participants: Mapping[str, Participant]

    @property
    def authorization(self) -> Mapping[str, str]:
        """The header of calls with the token (RFC 6750 s2.1)."""
        return {TOKEN_HEADER: f"Bearer {self.token}"}


def visit(home: Path, registry_url: str, sought: frozenset[str], clock: Clock) -> Visit:
    """Fetch a token for the organisation in `home`, look its network up, and the participants `sought` in it.

    Raises:
        SandboxError: it is no member, or the registry does not answer as it should.
        IdentityError, TlsConfigurationError: the files of the organisation cannot be used.
    """
    try:
        secret = (home / SECRET_FILE).read_text("utf-8")
        return asyncio.run(_visit(home, registry_url, secret, sought, clock))
    except CounterpartiesUnavailable as error:
        raise SandboxError(f"{error}: see `ocen-sandbox status`") from error


async def _visit(home: Path, registry_url: str, secret: str, sought: frozenset[str], clock: Clock) -> Visit:
    identity, member = load_identity(home / "identity.json"), read_membership(home)
    transport = registry_transport(client_context(identity.tls_certificate, identity.tls_private_key, identity.trust))
    settings = RegistryMembership(registry_url, member.participant_id, member.client_id, secret)
    at_the_registry = Member(settings, identity, transport, clock)
    try:
        token = await at_the_registry.access.token()
        roles = await at_the_registry.lookup.roles_of(member.product_network_id)
        found = [await at_the_registry.lookup.participant(one) for one in roles if one in sought]
    finally:
        await at_the_registry.aclose()
    return Visit(
        identity=identity,
        member=member,
        token=token,
        claims=open_token(token).claims,
        roles=roles,
        participants={one.organisation_id: one for one in found if one is not None},
    )
