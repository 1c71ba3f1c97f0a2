"""The operator plane's routes about counterparties: who is known, and onboarding."""

import asyncio
from typing import Final

from fastapi import APIRouter, HTTPException

from shared.node.directory import save_record
from shared.node.onboarded import OnboardingError, ParticipantRecord, participant_of
from shared.node.ops.body import StrictRoute
from shared.node.ops.operated import TheNode
from shared.node.ops.views import KnownParticipant, KnownParticipants, Mistake, ParticipantKey
from shared.protocol.participants import Network, Participant

routes: Final = APIRouter(tags=["participants"], route_class=StrictRoute)


@routes.get("/participants")
async def participants(node: TheNode) -> KnownParticipants:
    """List the counterparties that are known."""
    return KnownParticipants(items=[_known(one) for one in node.directory.participants()])


@routes.put("/participants/{organisation_id}", responses={409: {"model": Mistake}})
async def onboard(node: TheNode, organisation_id: str, record: ParticipantRecord) -> KnownParticipant:
    """Onboard a counterparty, or replace what is known of one; it counts from the next message on."""
    if record.organisation_id != organisation_id:
        raise OnboardingError(f"organisation_id: the body says {record.organisation_id}, the path does not; mend one")
    if organisation_id == node.identity.organisation_id:
        raise HTTPException(409, f"{organisation_id} is this node itself; onboard it at its counterparties.")
    participant = await asyncio.to_thread(participant_of, record)
    now = node.clock.now()
    try:
        await node.journal.act(lambda connection: save_record(connection, record, now))
    except OnboardingError as taken:
        raise HTTPException(409, str(taken)) from taken
    await node.refresh_directory()
    return _known(node.directory.participant(organisation_id) or participant)


def _known(participant: Participant) -> KnownParticipant:
    keys = [
        ParticipantKey(
            kid=key.kid,
            algorithm=key.verifier.algorithm,
            status=key.status,
            thumbprint=key.verifier.thumbprint(),
        )
        for key in participant.keys
    ]
    return KnownParticipant(
        organisation_id=participant.organisation_id,
        name=participant.name,
        role=participant.role,
        base_url=participant.base_url,
        envelope_member=participant.envelope_member,
        ip_addresses=[_address(network) for network in participant.networks],
        certificates=sorted(participant.certificates),
        keys=keys,
    )


def _address(network: Network) -> str:
    return str(network.network_address if network.num_addresses == 1 else network)
