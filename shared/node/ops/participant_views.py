"""What the operator plane takes and gives of participants, field by field."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.node.onboarding.certificates import leaf_summary
from shared.node.onboarding.form import OnboardingForm
from shared.node.onboarding.history import CertificateHistory, KeyHistory, ParticipantHistory
from shared.node.onboarding.record import Line, Name
from shared.node.ops.ledger_views import Moment
from shared.protocol.messages import Role
from shared.protocol.participants import EnvelopeMember, KeyStatus, Network, Participant


class ParticipantKey(BaseModel):
    """A verification key, told by its JWK thumbprint (RFC 7638)."""

    kid: str
    algorithm: str
    status: KeyStatus
    thumbprint: str


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
        keys = [
            ParticipantKey(
                kid=key.kid,
                algorithm=key.verifier.algorithm,
                status=key.status,
                thumbprint=key.verifier.thumbprint(),
            )
            for key in participant.keys
        ]
        return cls(
            organisation_id=participant.organisation_id,
            name=participant.name,
            role=participant.role,
            base_url=participant.base_url,
            envelope_member=participant.envelope_member,
            ip_addresses=[_address(network) for network in participant.networks],
            judges_addresses=participant.judges_addresses,
            certificates=sorted(participant.certificates),
            keys=keys,
        )


class KnownParticipants(BaseModel):
    """All counterparties, in the order of their ids."""

    items: list[KnownParticipant]


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
    changes: list[KeyChange]

    @classmethod
    def of(cls, key: KeyHistory) -> Self:
        """Show the history of a key."""
        changes = [KeyChange(at=event.at, status=event.status, reason=event.reason) for event in key.events]
        return cls(
            kid=key.kid,
            algorithm=key.algorithm,
            status=changes[-1].status,
            thumbprint=key.thumbprint,
            pem=key.pem,
            changes=changes,
        )


class CertificateDetails(BaseModel):
    """A TLS certificate, in PEM, and from when to when (null: still) it is registered."""

    thumbprint: str
    subject: str
    expires_at: Moment
    registered_at: Moment
    removed_at: Moment | None
    removed_because: str
    pem: str

    @classmethod
    def of(cls, certificate: CertificateHistory) -> Self:
        """Show the history of a certificate."""
        subject, expires_at = leaf_summary(certificate.pem)
        return cls(
            thumbprint=certificate.thumbprint,
            subject=subject,
            expires_at=expires_at,
            registered_at=certificate.registered_at,
            removed_at=certificate.removed_at,
            removed_because=certificate.removed_because,
            pem=certificate.pem,
        )


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

    @classmethod
    def of(cls, history: ParticipantHistory) -> Self:
        """Show what the register remembers."""
        return cls(
            organisation_id=history.organisation_id,
            name=history.name,
            role=history.role,
            onboarded_at=history.onboarded_at,
            offboarded_at=history.offboarded_at,
            offboarded_because=history.offboarded_because,
            keys=[KeyDetails.of(key) for key in history.keys],
            certificates=[CertificateDetails.of(certificate) for certificate in history.certificates],
        )


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
    """A wish for a further signing key of ours; without a kid, a UUID becomes one."""

    kid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None


class KeyStanding(ReasonedChange):
    """How a key is to stand from now on."""

    status: Literal[KeyStatus.ACTIVE, KeyStatus.RETIRED, KeyStatus.BLOCKED]


class NewCertificate(ReasonedChange):
    """A TLS certificate in PEM."""

    tls_certificate: str


class RenewedCertificate(BaseModel):
    """The certificate that is shown from now on, by its thumbprint."""

    certificate: str


def _address(network: Network) -> str:
    return str(network.network_address if network.num_addresses == 1 else network)
