"""What the operator plane of the registry takes and gives, field by field. Ids are text, as in messages and tokens."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from registry_app.auth.signing_keys import TokenKey
from registry_app.store.roles import StoredRole
from shared.catalogue.bodies.v4.registry import FilterOperator, RequirementName, RoleStatus
from shared.node.onboarding.record import Line, Name
from shared.node.ops.ledger_views import Moment
from shared.node.ops.participant_views import CertificateView
from shared.protocol.messages import Role


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}$"), BeforeValidator(_as_text)]
"""The number of a participant, product, network, item or filter, as text; a number is read too."""


class Form(BaseModel):
    """What an operator sends; a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Reason(Form):
    """Why something is done; kept with the participant."""

    reason: Line = ""


class Approval(Reason):
    """Who approves a participant (for the registry: an SRO)."""

    approved_by: Line = "operator"


class KeyView(BaseModel):
    """A public key of a participant; `thumbprint` is that of RFC 7638."""

    kid: str
    thumbprint: str
    pem: str


class OrganisationView(BaseModel):
    """The organisation that a participant belongs to."""

    id: Id
    name: str
    description: str
    website: str
    spoc_email: Annotated[str, Field(validation_alias="email")]
    spoc_phone: Annotated[str, Field(validation_alias="phone")]


class ParticipantView(BaseModel):
    """A participant; `id` is the participantId of messages and tokens, `client_id` that of its Auth Service client."""

    id: Id
    client_id: str
    role: Role
    status: RoleStatus
    status_because: str
    base_url: str
    organisation: OrganisationView
    keys: list[KeyView]
    tls_certificates: list[CertificateView]
    approved_by: str
    approved_at: Moment | None
    created_at: Moment
    updated_at: Moment
    offboarded_at: Moment | None

    @classmethod
    def of(cls, role: StoredRole) -> Self:
        """Show what is stored."""
        history = role.history
        return cls(
            **{name: getattr(role, name) for name in ("id", "client_id", "status", "status_because", "approved_by")},
            **{name: getattr(history, name) for name in ("role", "base_url", "updated_at", "offboarded_at")},
            approved_at=role.approved_at,
            created_at=history.onboarded_at,
            organisation=OrganisationView.model_validate(role.organisation, from_attributes=True),
            keys=[KeyView.model_validate(key, from_attributes=True) for key in history.counting_keys],
            tls_certificates=[
                CertificateView(thumbprint=known.thumbprint, pem=known.pem) for known in history.current_certificates
            ],
        )


class Registered(BaseModel):
    """A participant with the credentials of its client; the secret is shown this once and nowhere again."""

    participant: ParticipantView
    client_id: str
    client_secret: str


class ProductForm(Form):
    """A credit product. Lengths are those of the registry's API."""

    name: Annotated[Name, StringConstraints(max_length=35)]
    description: Annotated[Line, StringConstraints(max_length=35)] = ""
    created_by: Id | None = None
    is_private: bool = False
    is_end_use_controlled: bool = False
    is_collection_controlled: bool = False
    is_aa_flow_required: bool = False
    is_monitoring_consent_required: bool = False
    is_derived_data_partner_required: bool = False
    derived_data_description: Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")] = ""


class ProductView(ProductForm):
    """A credit product under its id."""

    id: Id


class NetworkForm(Form):
    """A product network, and maybe its first members."""

    name: Name
    description: Line = ""
    product_id: Id
    created_by: Id | None = None
    members: Annotated[list[Id], Field(max_length=1000)] = []


class NetworkView(NetworkForm):
    """A product network under its id, with the participants in it, served or not: as many as have joined it."""

    id: Id
    members: list[Id] = []


class WhitelistingForm(Form):
    """An address or network that a participant calls from."""

    participant_id: Id
    ip_address: str
    port_number: Annotated[Id, Field(max_length=5)] = "443"


class WhitelistingView(WhitelistingForm):
    """A whitelisting item under its id."""

    id: Id


class FilterForm(Form):
    """What a lender demands in a network."""

    network_id: Id
    participant_id: Id
    requirement_name: RequirementName
    operator: FilterOperator
    value: Name


class FilterView(FilterForm):
    """A lender network filter under its id."""

    id: Id


class SigningKeyView(BaseModel):
    """A key of the Auth Service: null `retired_at` says that it signs; it is in the JWKS until `published_until`."""

    kid: str
    made_at: Moment
    retired_at: Moment | None
    published_until: Moment | None

    @classmethod
    def of(cls, key: TokenKey) -> Self:
        """Show a key."""
        return cls.model_validate(key, from_attributes=True)


class Health(BaseModel):
    """The process lives; `issuer` is what its tokens name."""

    status: Literal["ok"] = "ok"
    issuer: str
    pid: int
    version: str
