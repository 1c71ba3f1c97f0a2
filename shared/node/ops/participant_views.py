"""What the operator plane takes and gives of participants, field by field."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, computed_field

from shared.ip_addresses import Network
from shared.node.onboarding.certificates import CertificateUse, uses_of
from shared.node.onboarding.form import OnboardingForm
from shared.node.onboarding.record import Line, Name, leaf_of
from shared.node.ops.ledger_views import Moment
from shared.protocol.messages import Role
from shared.protocol.participants import EnvelopeMember, KeyStatus, Participant
from shared.protocol.signing import VerificationKey


class ParticipantKey(BaseModel):
    """A verification key, told by its JWK thumbprint (RFC 7638)."""

    kid: str
    algorithm: str
    status: KeyStatus
    thumbprint: str

    @classmethod
    def of(cls, kid: str, status: KeyStatus, key: VerificationKey) -> Self:
        """Show a key under its kid."""
        return cls(kid=kid, algorithm=key.algorithm, status=status, thumbprint=key.thumbprint())


class KnownParticipant(BaseModel):
    """A counterparty as it is known now; `certificates` are SHA-256 thumbprints in hex."""

    organisation_id: str
    name: str
    role: Role
    base_url: str
    envelope_member: EnvelopeMember
    ip_addresses: list[str]
    judges_addresses: bool
    certificates: list[str]
    keys: list[ParticipantKey]

    @classmethod
    def of(cls, participant: Participant) -> Self:
        """Show a participant."""
        plain = ("name", "role", "base_url", "envelope_member", "judges_addresses")
        return cls(
            organisation_id=participant.id,
            **{name: getattr(participant, name) for name in plain},
            ip_addresses=[_address(network) for network in participant.networks],
            certificates=sorted(participant.certificates),
            keys=[ParticipantKey.of(key.kid, key.status, key.verifier) for key in participant.keys],
        )


class Onboarded(BaseModel):
    """The answer to a form: who is known from now on, and our side's form for them."""

    participant: KnownParticipant
    ours: OnboardingForm


class KeyChange(BaseModel):
    """From `at` on the key has this status."""

    at: Moment
    status: KeyStatus
    reason: str


class KeyDetails(ParticipantKey):
    """A key with its public half in PEM, and everything that became of it."""

    pem: str
    changes: Annotated[list[KeyChange], Field(validation_alias="events")]


class CertificateView(BaseModel):
    """A TLS certificate in PEM; `thumbprint` is SHA-256 of its DER in lower-case hex."""

    thumbprint: str
    pem: str

    @computed_field
    def subject(self) -> str:
        """Whose certificate it is (RFC 4514)."""
        return leaf_of(self.pem).subject.rfc4514_string()

    @computed_field
    def expires_at(self) -> Moment:
        """Until when it is valid."""
        return leaf_of(self.pem).not_valid_after_utc

    @computed_field
    def uses(self) -> list[CertificateUse]:
        """What it is for: serving, calling or both."""
        return uses_of(leaf_of(self.pem))


class CertificateDetails(CertificateView):
    """A TLS certificate, and from when to when (null: still) it is registered."""

    registered_at: Moment
    removed_at: Moment | None
    removed_because: str


class ParticipantDetails(BaseModel):
    """A participant with every key and certificate that it ever had."""

    organisation_id: str
    name: str
    role: Role
    onboarded_at: Moment
    offboarded_at: Moment | None
    offboarded_because: str
    keys: list[KeyDetails]
    certificates: list[CertificateDetails]


class ReasonedChange(BaseModel):
    """Why something is done; kept with the change."""

    model_config = ConfigDict(extra="forbid")

    reason: Line = ""


class ParticipantChanges(ReasonedChange):
    """New values for a participant's fields; null leaves a field as it is."""

    name: Name | None = None
    base_url: str | None = None
    ip_addresses: list[str] | None = None
    judges_addresses: bool | None = None
    envelope_member: EnvelopeMember | None = None
    spoc_email: str | None = None
    spoc_phone: str | None = None


class NewKey(ReasonedChange):
    """A public key in PEM, X.509 or JWK; a JWK may bear the kid itself."""

    public_key: str
    kid: str = ""


class NewOwnKey(ReasonedChange):
    """A further signing key for us; without a kid, it gets a UUID as its kid."""

    kid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None


class NewKeyStatus(ReasonedChange):
    """The status that a key has from now on."""

    status: Literal[KeyStatus.ACTIVE, KeyStatus.RETIRED, KeyStatus.BLOCKED]


class NewCertificate(ReasonedChange):
    """A TLS certificate in PEM."""

    tls_certificate: str


class RenewedCertificate(BaseModel):
    """The certificates that are shown from now on, by their thumbprints: in serving, and in calling."""

    certificate: str
    client_certificate: str


def _address(network: Network) -> str:
    return str(network.network_address if network.num_addresses == 1 else network)
