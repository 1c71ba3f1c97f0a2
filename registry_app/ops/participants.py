"""The operator plane's routes about participants: from registration to offboarding."""

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Query

from registry_app.components import TheRegistry
from registry_app.ops.views import (
    Approval,
    Id,
    ParticipantView,
    Reason,
    Registered,
)
from registry_app.registrar import Credentials
from registry_app.registration import AmendmentForm, KeysForm, RegistrationForm
from registry_app.status_changes import APPROVE, REJECT, SUSPEND
from registry_app.store.roles import load_role, load_roles
from shared.node.ops.body import StrictRoute
from shared.node.ops.views import Items

routes: Final = APIRouter(tags=["participants"], route_class=StrictRoute)

ParticipantId = Annotated[Id, Path()]


@routes.get("/participants")
async def participants(registry: TheRegistry, offboarded: Annotated[bool, Query()] = False) -> Items[ParticipantView]:
    """List participants; those that were offboarded only if asked for too."""
    roles = await registry.database.read(load_roles)
    shown = [role for role in roles if offboarded or role.history.offboarded_at is None]
    return Items(items=[ParticipantView.of(role) for role in shown])


@routes.post("/participants", status_code=201)
async def register(registry: TheRegistry, form: RegistrationForm) -> Registered:
    """Register a participant; it has to be approved before it gets tokens and others can look it up."""
    return _registered(await registry.registrar.register(form))


@routes.get("/participants/{participant_id}")
async def participant(registry: TheRegistry, participant_id: ParticipantId) -> ParticipantView:
    """Show a participant, offboarded or not."""
    role = await registry.database.read(lambda connection: load_role(connection, int(participant_id)))
    if role is None:
        raise HTTPException(404, f"{participant_id} has never been registered; GET /participants lists who is.")
    return ParticipantView.of(role)


@routes.patch("/participants/{participant_id}")
async def amend(registry: TheRegistry, participant_id: ParticipantId, form: AmendmentForm) -> ParticipantView:
    """Change base URL, TLS certificates or contact; what is left out stays."""
    return ParticipantView.of(await registry.registrar.amend(int(participant_id), form))


@routes.put("/participants/{participant_id}/keys")
async def change_keys(registry: TheRegistry, participant_id: ParticipantId, form: KeysForm) -> ParticipantView:
    """Replace the present public keys by one or two others."""
    return ParticipantView.of(await registry.registrar.change_keys(int(participant_id), form))


@routes.post("/participants/{participant_id}/approve")
async def approve(registry: TheRegistry, participant_id: ParticipantId, form: Approval) -> ParticipantView:
    """Approve a participant: it gets tokens, and others can look it up."""
    step = registry.registrar.step(int(participant_id), APPROVE, form.approved_by, form.reason)
    return ParticipantView.of(await step)


@routes.post("/participants/{participant_id}/suspend")
async def suspend(registry: TheRegistry, participant_id: ParticipantId, why: Reason) -> ParticipantView:
    """Put an approved participant under review again: it gets no tokens, and no look-up finds it."""
    return ParticipantView.of(await registry.registrar.step(int(participant_id), SUSPEND, "", why.reason))


@routes.post("/participants/{participant_id}/reject")
async def reject(registry: TheRegistry, participant_id: ParticipantId, why: Reason) -> ParticipantView:
    """Reject an application."""
    return ParticipantView.of(await registry.registrar.step(int(participant_id), REJECT, "", why.reason))


@routes.post("/participants/{participant_id}/offboard")
async def offboard(registry: TheRegistry, participant_id: ParticipantId, why: Reason) -> ParticipantView:
    """Offboard a participant for ever: it gets no tokens, no look-up finds it, its resources are removed."""
    return ParticipantView.of(await registry.registrar.offboard(int(participant_id), why.reason))


@routes.post("/participants/{participant_id}/secret")
async def rotate_secret(registry: TheRegistry, participant_id: ParticipantId) -> Registered:
    """Give the participant's client a new secret; the former one is invalid at once."""
    return _registered(await registry.registrar.rotate_secret(int(participant_id)))


def _registered(credentials: Credentials) -> Registered:
    return Registered(
        participant=ParticipantView.of(credentials.participant),
        client_id=credentials.participant.client_id,
        client_secret=credentials.client_secret,
    )
