"""The operator plane's routes about ourselves: who we are, our form for counterparties, our keys and certificate."""

from typing import Final

from fastapi import APIRouter

from shared.node.onboarding.form import OnboardingForm
from shared.node.onboarding.record import verification_key
from shared.node.onboarding.registrar import MADE_HERE
from shared.node.ops.body import StrictRoute
from shared.node.ops.operated import TheNode
from shared.node.ops.participant_views import NewOwnKey, ParticipantKey, RenewedCertificate
from shared.node.ops.views import Mistake, OwnIdentity

routes: Final = APIRouter(tags=["identity"], route_class=StrictRoute)


@routes.get("/identity")
def identity(node: TheNode) -> OwnIdentity:
    """Tell who this node is, as its counterparties should have it on file."""
    own = node.identity
    return OwnIdentity(
        organisation_id=own.organisation_id,
        role=own.role,
        kid=own.signing_key.kid,
        backup_kids=[key.kid for key in own.backup_keys],
        certificate=node.trust.shown,
        client_certificate=node.trust.shown_calling,
    )


@routes.get("/identity/form")
async def own_form(node: TheNode) -> OnboardingForm:
    """Return our side of the onboarding form, to be given to a counterparty."""
    return node.registrar.own_form


@routes.post("/identity/keys", status_code=201, responses={409: {"model": Mistake}})
async def make_key(node: TheNode, requested: NewOwnKey) -> ParticipantKey:
    """Make a further signing key, as back-up. Give its public half to the counterparties before you switch to it."""
    key = await node.registrar.make_key(requested.kid, requested.reason or MADE_HERE)
    return ParticipantKey.of(key.kid, key.status, verification_key(key.pem, key.algorithm, key.kid))


@routes.post("/identity/certificate", responses={409: {"model": Mistake}})
async def renew_certificate(node: TheNode) -> RenewedCertificate:
    """Use the TLS certificates that are in our files now. Counterparties must have registered them before."""
    serving, *calling = await node.registrar.renew_certificates()
    return RenewedCertificate(certificate=serving, client_certificate=next(iter(calling), serving))
