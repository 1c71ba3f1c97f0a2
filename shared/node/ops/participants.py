"""The operator plane's routes about participants: onboarding, and the life of keys and certificates afterwards.

Our own organisation id may stand wherever a participant's does: our keys and certificates live as theirs do.
"""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path, Query

from shared.catalogue.bodies.body import Identifier
from shared.node.onboarding.changes import with_certificate, with_key, without_certificate
from shared.node.onboarding.form import OnboardingForm
from shared.node.onboarding.history import load_history
from shared.node.onboarding.record import Line, participant_of
from shared.node.onboarding.requested_changes import amended, key_status_change, new_certificate, new_key
from shared.node.ops.body import StrictRoute
from shared.node.ops.operated import TheNode
from shared.node.ops.participant_views import (
    KnownParticipant,
    NewCertificate,
    NewKey,
    NewKeyStatus,
    Onboarded,
    ParticipantChanges,
    ParticipantDetails,
    ReasonedChange,
)
from shared.node.ops.views import Items, Mistake
from shared.storage.reader import read

_UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {404: {"model": Mistake}, 409: {"model": Mistake}}

routes: Final = APIRouter(tags=["participants"], route_class=StrictRoute)

OrganisationId = Annotated[Identifier, Path()]


@routes.get("/participants")
async def participants(node: TheNode) -> Items[KnownParticipant]:
    """List the counterparties that are known."""
    return Items(items=[KnownParticipant.of(participant) for participant in node.directory.participants()])


@routes.post("/participants", status_code=201, responses={409: {"model": Mistake}})
async def onboard(node: TheNode, form: OnboardingForm) -> Onboarded:
    """Onboard a counterparty by its form, and answer with ours; its messages count from now on."""
    record = await node.registrar.onboard(form)
    return Onboarded(participant=KnownParticipant.of(participant_of(record)), ours=node.registrar.own_form)


@routes.get("/participants/{organisation_id}", responses=_UNKNOWN)
async def participant(node: TheNode, organisation_id: OrganisationId) -> ParticipantDetails:
    """Show a participant with every key and certificate that it ever had, offboarded or not."""
    history = await read(node.engine, partial(load_history, organisation_id=organisation_id))
    if history is None:
        raise HTTPException(404, f"{organisation_id} has never been onboarded; GET /participants lists who is.")
    return ParticipantDetails.model_validate(history, from_attributes=True)


@routes.patch("/participants/{organisation_id}", responses=_UNKNOWN)
async def amend(node: TheNode, organisation_id: OrganisationId, amendment: ParticipantChanges) -> ParticipantDetails:
    """Change what is neither key nor certificate, such as addresses; what is left out stays."""
    change = amended(amendment.model_dump(exclude={"reason"}, exclude_none=True))
    await node.registrar.change(organisation_id, change, amendment.reason)
    return await participant(node, organisation_id)


@routes.post("/participants/{organisation_id}/offboard", responses=_UNKNOWN)
async def offboard(node: TheNode, organisation_id: OrganisationId, why: ReasonedChange) -> ParticipantDetails:
    """Offboard a counterparty: its keys and certificates count no more, its history stays."""
    await node.registrar.offboard(organisation_id, why.reason)
    return await participant(node, organisation_id)


@routes.post("/participants/{organisation_id}/keys", status_code=201, responses=_UNKNOWN)
async def add_key(node: TheNode, organisation_id: OrganisationId, new: NewKey) -> ParticipantDetails:
    """Add a verification key, as back-up; of ours, POST /identity/keys makes one."""
    key = new_key(new.public_key, new.kid)
    await node.registrar.change(organisation_id, lambda record: with_key(record, key), new.reason)
    return await participant(node, organisation_id)


@routes.put("/participants/{organisation_id}/keys/{kid:path}", responses=_UNKNOWN)
async def change_key(node: TheNode, organisation_id: OrganisationId, kid: str, new: NewKeyStatus) -> ParticipantDetails:
    """Make a key the ACTIVE one, or let it count no more: RETIRED, or BLOCKED for ever."""
    await node.registrar.change(organisation_id, key_status_change(kid, new.status), new.reason)
    return await participant(node, organisation_id)


@routes.post("/participants/{organisation_id}/certificates", status_code=201, responses=_UNKNOWN)
async def add_certificate(node: TheNode, organisation_id: OrganisationId, new: NewCertificate) -> ParticipantDetails:
    """Register a further TLS certificate; the former ones stay valid beside it until they are removed."""
    now = node.clock.now()
    await node.registrar.change(
        organisation_id,
        lambda record: with_certificate(record, new_certificate(new.tls_certificate, record.base_url, now)),
        new.reason,
    )
    return await participant(node, organisation_id)


@routes.delete("/participants/{organisation_id}/certificates/{thumbprint}", responses=_UNKNOWN)
async def remove_certificate(
    node: TheNode, organisation_id: OrganisationId, thumbprint: str, reason: Annotated[Line, Query()] = ""
) -> ParticipantDetails:
    """Remove a TLS certificate, named by its SHA-256 in hex or the beginning of it."""
    await node.registrar.change(organisation_id, lambda record: without_certificate(record, thumbprint), reason)
    return await participant(node, organisation_id)
