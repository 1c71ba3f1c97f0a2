"""What the registry of OCEN 4.0 answers, as its API description and the official starter together have it.

The description has no operation for one participant by id, and no answer with both key and base URL; the starter asks
for `/service/participant-roles/{id}` and reads both. `ParticipantDetail` is the union of the two.
"""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ConfigDict, Field

from shared.catalogue.bodies.body import Body
from shared.protocol.messages import Role
from shared.protocol.tokens import TOKEN_ALGORITHM

REALM: Final = "/realms/dev"
"""The path of the Auth Service's realm, as OCEN's own has it."""

TOKEN_PATH: Final = f"{REALM}/protocol/openid-connect/token"
JWKS_PATH: Final = f"{REALM}/protocol/openid-connect/certs"

PARTICIPANT_PATH: Final = "/service/participant-roles/{number}"
PARTICIPANT_KEYS_PATH: Final = f"{PARTICIPANT_PATH}/jwks"
"""An extension: both keys of a participant; `publicKey` has room for one, and a change of keys needs two."""

PARTICIPANT_ADDRESSES_PATH: Final = "/service/participant-roles/server-whitelisting-items/{number}"
NETWORK_PARTICIPANTS_PATH: Final = "/service/product-networks/{number}/participants"


class RoleStatus(StrEnum):
    """How far a participant's application has come (OCEN registry, participantRoleStatus)."""

    APPLIED = "APPLIED"
    UNDER_REVIEW = "UNDER_REVIEW"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class RequirementName(StrEnum):
    """What a lender filters by (OCEN registry, LenderNetworkFilter.requirementName)."""

    BORROWER_TYPE = "BORROWER_TYPE"
    MINIMUM_TENURE = "MINIMUM_TENURE"
    MAXIMUM_TENURE = "MAXIMUM_TENURE"
    MINIMUM_AMOUNT = "MINIMUM_AMOUNT"
    MAXIMUM_AMOUNT = "MAXIMUM_AMOUNT"
    UNDERWRITING_PARAMETER = "UNDERWRITING_PARAMETER"
    BUREAU_SCORE = "BUREAU_SCORE"


class FilterOperator(StrEnum):
    """How a lender's filter compares. The comma in `EQUALS,` is published so; it is read without it too."""

    EQUALS = "EQUALS,"
    GREATER_THAN = "GREATER_THAN"
    LESS_THAN = "LESS_THAN"
    GREATER_THAN_OR_EQUAL_TO = "GREATER_THAN_OR_EQUAL_TO"
    LESS_THAN_OR_EQUAL_TO = "LESS_THAN_OR_EQUAL_TO"
    NOT_EQUALS = "NOT_EQUALS"

    @classmethod
    def _missing_(cls, value: object) -> "FilterOperator | None":
        return cls.EQUALS if value == "EQUALS" else None


class Wire(Body):
    """A part of an answer: camelCase on the wire, made here by the names of the fields."""

    model_config = ConfigDict(populate_by_name=True)


RoleId = Annotated[
    str, BeforeValidator(lambda given: str(given) if isinstance(given, int) and not isinstance(given, bool) else given)
]
"""The id of a role: text in messages and tokens, a number in the registry's description. Both are read."""


class OrganisationDetail(Wire):
    """The organisation that a role belongs to (member `participant`). Times are RFC 3339 in UTC."""

    id: int
    participant_name: str
    participant_description: str = ""
    participant_logo: str | None = None
    participant_logo_content_type: str | None = None
    participant_website: str = ""
    participant_email: str = ""
    participant_phone: str = ""
    created_on: str = ""
    updated_on: str = ""


class RoleReference(Wire):
    """A role as other objects of the registry refer to it; `public_key` is a JWK in JSON."""

    id: int
    participant_role: Role
    participant_role_status: RoleStatus
    is_approved: bool
    approved_by: str = ""
    public_key: str = ""


class NetworkParticipant(RoleReference):
    """A role in a product network, with what the starter calls it by: `base_url`, and the organisation."""

    base_url: str = ""
    approved: bool = False
    approved_on: str = ""
    created_on: str = ""
    updated_on: str = ""
    participant: OrganisationDetail


class ParticipantDetail(Wire):
    """One participant by id.

    Attributes:
        public_key: its first verification key, a JWK in JSON; `/jwks` below its address has all.
        kc_client_id: the client that its tokens name as `azp`.
        tls_certificates: an extension: SHA-256 of its TLS certificates in DER, lower-case hex.
    """

    id: RoleId
    participant_role: Role
    participant_role_status: RoleStatus = RoleStatus.APPLIED
    is_approved: bool = False
    approved: bool = False
    approved_by: str = ""
    approved_on: str = ""
    created_on: str = ""
    updated_on: str = ""
    public_key: str = ""
    base_url: str = ""
    kc_client_id: str = ""
    tls_certificates: tuple[str, ...] = ()
    participant: OrganisationDetail | None = None


class JsonWebKey(Body):
    """A public RSA key (RFC 7517, RFC 7518 s6.3.1)."""

    kty: str = "RSA"
    kid: str
    use: str = "sig"
    alg: str = TOKEN_ALGORITHM
    n: str
    e: str


class JsonWebKeySet(Body):
    """Public keys (RFC 7517 s5)."""

    keys: list[JsonWebKey]


class CreditProduct(Wire):
    """A credit product; its flags say which steps of the journey it has."""

    name: str
    product_name: str = ""
    description: str = ""
    product_description: str = ""
    product_created_by: RoleReference | None = None
    is_private: bool = False
    is_end_use_controlled: bool = False
    is_collection_controlled: bool = False
    is_aa_flow_required: Annotated[bool, Field(alias="isAAFlowRequired")] = False
    is_monitoring_consent_required: bool = False
    is_derived_data_partner_required: bool = False
    derived_data_description: str = ""


class CreditProductAnswer(Wire):
    """A credit product by id."""

    data: CreditProduct


class ProductNetwork(Wire):
    """A product network: who offers one credit product together."""

    id: int
    product_network_name: str
    product_network_description: str = ""
    participant_roles: tuple[RoleReference, ...] = ()
    credit_product: CreditProduct | None = None
    network_created_by: RoleReference | None = None


class IndexedProductNetworkParticipants(Body):
    """The participants of a product network: an array for each role, under the name of the role."""

    model_config = ConfigDict(alias_generator=str.upper, populate_by_name=True)

    lender: tuple[NetworkParticipant, ...] = ()
    loan_agent: tuple[NetworkParticipant, ...] = ()
    disbursement_partner: tuple[NetworkParticipant, ...] = ()
    collections_partner: tuple[NetworkParticipant, ...] = ()
    derived_data_partner: tuple[NetworkParticipant, ...] = ()
    kyc_partner: tuple[NetworkParticipant, ...] = ()
    admin: tuple[NetworkParticipant, ...] = ()
    regulator: tuple[NetworkParticipant, ...] = ()


class LenderNetworkFilter(Wire):
    """What a lender demands in a network; `participant_id` is, in spite of its name, the lender's role."""

    id: int
    requirement_name: RequirementName
    operator: FilterOperator
    value: str
    product_network: ProductNetwork | None = None
    participant_id: RoleReference | None = None


class ServerWhitelistingItem(Wire):
    """An address that a participant calls from."""

    id: int
    ip_address: str
    port_number: str
    participant_role: RoleReference | None = None


def as_json(answer: Body) -> dict[str, Any]:
    """Write an answer as it goes over the wire."""
    return answer.model_dump(mode="json", by_alias=True)
