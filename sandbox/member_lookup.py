"""What a member asks the Auth Service and the registry before its first message: asked with its node's credentials."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.insider import Insider
from sandbox.network import SECRET_FILE, Membership, current_member, read_membership
from sandbox.registry_ops import RegistryOps
from sandbox.running import Run
from sandbox.settings import NodeName
from shared.clock import Clock
from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.identity import load_identity
from shared.node.registry.member import Member
from shared.node.registry.service import registry_transport
from shared.node.settings import RegistryMembership
from shared.protocol.participants import Participant
from shared.protocol.profiles import Originator
from shared.protocol.tokens import parse_token
from shared.transport.tls import client_context


@dataclass(frozen=True, slots=True)
class MemberLookup:
    """What the Auth Service and the registry have told a member.

    Attributes:
        insider: the member, with the header of calls that has its access token, verified with the Auth Service's keys.
        claims: what the token says.
        roles: the role of each participant of the product network, by its id.
        participants: those of them that were looked up, by their ids.
    """

    insider: Insider
    member: Membership
    claims: Mapping[str, Any]
    roles: Mapping[str, str]
    participants: Mapping[str, Participant]


def look_up(home: Path, registry_url: str, sought: frozenset[str], clock: Clock) -> MemberLookup:
    """Fetch a token for the organisation in `home`, look its network up, and the participants `sought` in it.

    Raises:
        SandboxError: it is no member, or the registry does not answer as it should.
        IdentityError, TlsConfigurationError: the files of the organisation cannot be used.
    """
    try:
        secret = (home / SECRET_FILE).read_text("utf-8")
        return asyncio.run(_look_up(home, registry_url, secret, sought, clock))
    except CounterpartiesUnavailable as error:
        raise SandboxError(f"{error}: see `ocen-sandbox status`") from error


async def _look_up(home: Path, registry_url: str, secret: str, sought: frozenset[str], clock: Clock) -> MemberLookup:
    identity, member = load_identity(home / "identity.json"), read_membership(home)
    tls = client_context(*identity.calling, identity.trust)
    settings = RegistryMembership(registry_url, member.participant_id, member.client_id, secret)
    registry = Member(settings, identity, registry_transport(tls), clock)
    try:
        token = await registry.access.token()
        roles = await registry.lookup.roles_of(member.product_network_id)
        found = [await registry.lookup.participant(id_) for id_ in roles if id_ in sought]
    finally:
        await registry.aclose()
    originator = Originator(member.participant_id, member.organisation_id)
    return MemberLookup(
        insider=Insider(identity, originator, tls, {"authorization": f"Bearer {token}"}),  # RFC 6750 s2.1
        member=member,
        claims=parse_token(token).claims,
        roles=roles,
        participants={participant.id: participant for participant in found if participant is not None},
    )


def check_members(registry: RegistryOps, run: Run, members: Mapping[NodeName, Membership]) -> None:
    """Refuse to begin unless each node takes part in the network.

    Raises SandboxError if one was offboarded, is not approved, or is in no network; or the registry does not answer.
    """
    inside = {network["id"]: network["members"] for network in registry.networks()}
    for name, member in members.items():
        organisation_id = run.nodes[name].organisation_id
        known = current_member(registry, member)
        if known is None:
            hint = f"`ocen-sandbox down`, then `{run.command}`, which joins it anew"
            raise SandboxError(f"{organisation_id} was offboarded: {hint}")
        if known["status"] != "APPROVED":
            hint = f"ocen-sandbox registry approve {organisation_id}"
            raise SandboxError(f"{organisation_id} is {known['status']}, not APPROVED: {hint}")
        if member.participant_id not in inside.get(member.product_network_id, ()):
            hint = f"ocen-sandbox registry join {organisation_id}"
            raise SandboxError(f"{organisation_id} is not in product network {member.product_network_id}: {hint}")
