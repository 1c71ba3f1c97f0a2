"""What the operator plane of the registry takes and gives, field by field. Ids are text, as in messages and tokens."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from registry_app.auth.signing_keys import TokenKey
from registry_app.store.roles import StoredRole
from shared.catalogue.bodies.v4.registry import FilterOperator, RequirementName, RoleStatus
from shared.node.onboarding.certificates import leaf_summary
from shared.node.onboarding.record import Line, Name
from shared.node.ops.ledger_views import Moment
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


class AmendmentForm(Form):
    """New values for a participant's fields; null leaves a field as it is."""

    base_url: str | None = None
    tls_certificates: list[str] | None = None
    spoc_email: str | None = None
    spoc_phone: str | None = None
    description: Line | None = None
    website: Line | None = None


class KeyView(BaseModel):
    """A public key of a participant; `thumbprint` is that of RFC 7638."""

    kid: str
    thumbprint: str
    pem: str


class CertificateView(BaseModel):
    """A TLS certificate of a participant; `thumbprint` is SHA-256 of its DER in lower-case hex."""

    thumbprint: str
    subject: str
    expires_at: Moment
    pem: str


class OrganisationView(BaseModel):
    """The organisation that a participant belongs to."""

    id: str
    name: str
    description: str
    website: str
    spoc_email: str
    spoc_phone: str


class ParticipantView(BaseModel):
    """A participant; `id` is the participantId of messages and tokens, `client_id` that of its Auth Service client."""

    id: str
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
        organisation = role.organisation
        plain = ("client_id", "role", "status", "status_because", "base_url", "approved_by")
        times = ("approved_at", "created_at", "updated_at", "offboarded_at")
        return cls(
            id=str(role.id),
            organisation=OrganisationView(
                id=str(organisation.id),
                name=organisation.name,
                description=organisation.description,
                website=organisation.website,
                spoc_email=organisation.email,
                spoc_phone=organisation.phone,
            ),
            keys=[KeyView(kid=key.kid, thumbprint=key.thumbprint, pem=key.pem) for key in role.keys],
            tls_certificates=[_certificate(one.thumbprint, one.pem) for one in role.certificates],
            **{name: getattr(role, name) for name in (*plain, *times)},
        )


class ParticipantList(BaseModel):
    """Participants, in the order of their ids."""

    items: list[ParticipantView]


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


class ProductList(BaseModel):
    """All products."""

    items: list[ProductView]


class NetworkList(BaseModel):
    """All product networks."""

    items: list[NetworkView]


class WhitelistingList(BaseModel):
    """Whitelisting items."""

    items: list[WhitelistingView]


class FilterList(BaseModel):
    """Lender network filters."""

    items: list[FilterView]


class SigningKeyView(BaseModel):
    """A key of the Auth Service: null `retired_at` says that it signs; it is in the JWKS until `published_until`."""

    kid: str
    made_at: Moment
    retired_at: Moment | None
    published_until: Moment | None

    @classmethod
    def of(cls, key: TokenKey) -> Self:
        """Show a key."""
        return cls(kid=key.kid, made_at=key.made_at, retired_at=key.retired_at, published_until=key.published_until)


class SigningKeyList(BaseModel):
    """The published keys: the one that signs, then the newest."""

    items: list[SigningKeyView]


class Health(BaseModel):
    """The process lives; `issuer` is what its tokens name."""

    status: Literal["ok"] = "ok"
    issuer: str
    pid: int
    version: str


def _certificate(thumbprint: str, pem: str) -> CertificateView:
    subject, expires_at = leaf_summary(pem)
    return CertificateView(thumbprint=thumbprint, subject=subject, expires_at=expires_at, pem=pem)
