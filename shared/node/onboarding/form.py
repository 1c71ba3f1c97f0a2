"""The onboarding form (OCEN v3 Security, Onboarding Process): what is asked, and how a record is handed out."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.node.onboarding.certificates import CertificateUse, checked_pair, uses_of
from shared.node.onboarding.fields import (
    FieldError,
    checked_addresses,
    checked_base_url,
    checked_email,
    checked_phone,
    checked_text,
    collected_errors,
    shown,
)
from shared.node.onboarding.key_forms import checked_keys
from shared.node.onboarding.record import (
    ONBOARDED_ROLES,
    Name,
    OrganisationId,
    ParticipantRecord,
    leaf_of,
)
from shared.protocol.messages import Role
from shared.protocol.participants import EnvelopeMember, KeyStatus

ROLES = {"LSP": Role.LOAN_AGENT, **{role.value: role for role in ONBOARDED_ROLES}}
"""The roles by what a form may call them."""


class OnboardingForm(BaseModel):
    """What a participant tells its counterparty once, in the fields of OCEN v3 Security."""

    model_config = ConfigDict(extra="forbid")

    organisation_id: Annotated[str, Field(description="The id that metadata.orgId carries.")] = ""
    name: Annotated[str, Field(description="Name of the organisation.")] = ""
    role: Annotated[str, Field(description="LENDER or LSP (OCEN 4: LOAN_AGENT).")] = ""
    base_url: Annotated[str, Field(description="Where its messages go: https, without the path of a message.")] = ""
    tls_certificate: Annotated[str, Field(description="TLS certificate for serving, and for calling too, in PEM.")] = ""
    tls_client_certificate: Annotated[str, Field(description="Another for calling, if that is not.")] = ""
    public_key: Annotated[str, Field(description="Key to verify its messages with: PEM, X.509, JWK or JWK set.")] = ""
    kid: Annotated[str, Field(description="The id of that key; may be left out where a JWK has its own.")] = ""
    backup_public_key: Annotated[str, Field(description="A second key, to change to without a pause.")] = ""
    backup_kid: Annotated[str, Field(description="The id of the second key.")] = ""
    spoc_email: Annotated[str, Field(description="E-mail of the person to ask, at the organisation's domain.")] = ""
    spoc_phone: Annotated[str, Field(description="Telephone number of that person, with country code.")] = ""
    ip_addresses: Annotated[list[str], Field(description="One to three addresses or networks it calls from.")] = []
    envelope_member: Annotated[str, Field(description="How it spells the signed header: header or protected.")] = (
        EnvelopeMember.HEADER.value
    )


def record_of(form: OnboardingForm, now: datetime) -> ParticipantRecord:
    """Judge a form as a whole and make the record of it; `now` (aware) is when its certificate has to be valid.

    Raises:
        FormError: something is wrong; it lists every error, not only the first.
    """
    with collected_errors() as errors:
        base_url = checked_base_url(form.base_url, errors)
        checked = {
            "organisation_id": checked_text("organisation_id", form.organisation_id, OrganisationId, errors),
            "name": checked_text("name", form.name, Name, errors),
            "role": _role(form.role, errors),
            "base_url": base_url,
            "tls_certificates": checked_pair(form.tls_certificate, form.tls_client_certificate, base_url, now, errors),
            "keys": checked_keys(form.public_key, form.kid, form.backup_public_key, form.backup_kid, errors),
            "spoc_email": checked_email(form.spoc_email, errors),
            "spoc_phone": checked_phone(form.spoc_phone, errors),
            "ip_addresses": checked_addresses(form.ip_addresses, errors),
            "envelope_member": _member(form.envelope_member, errors),
        }
    return ParticipantRecord.model_validate(checked)


def form_of(record: ParticipantRecord) -> OnboardingForm:
    """Write a record as the form that its counterparty takes; of several certificates for one use the newest."""
    active = next((key for key in record.keys if key.status is KeyStatus.ACTIVE), None)
    backup = next((key for key in record.keys if key.status is KeyStatus.BACKUP), None)
    serving, calling = _certificates(record)
    plain = ("organisation_id", "name", "base_url", "ip_addresses", "spoc_email", "spoc_phone")
    return OnboardingForm(
        **{name: getattr(record, name) for name in plain},
        role="LSP" if record.role is Role.LOAN_AGENT else record.role.value,
        tls_certificate=serving,
        tls_client_certificate=calling,
        public_key=active.pem if active else "",
        kid=active.kid if active else "",
        backup_public_key=backup.pem if backup else "",
        backup_kid=backup.kid if backup else "",
        envelope_member=record.envelope_member.value,
    )


def _certificates(record: ParticipantRecord) -> tuple[str, str]:
    """Return the certificate that a participant serves with and, if it calls with another, that one too."""
    uses = {pem: uses_of(leaf_of(pem)) for pem in reversed(record.tls_certificates)}
    newest = record.tls_certificates[-1]
    serving = next((pem for pem, made_for in uses.items() if CertificateUse.SERVING in made_for), newest)
    alone = next((pem for pem, made_for in uses.items() if made_for == [CertificateUse.CALLING]), "")
    if alone or CertificateUse.CALLING in uses[serving]:
        return serving, alone if alone != serving else ""
    return serving, next((pem for pem, made_for in uses.items() if CertificateUse.CALLING in made_for), "")


def _role(text: str, errors: list[FieldError]) -> Role | None:
    role = ROLES.get(text.strip().upper())
    if role is None:
        errors.append(FieldError("role", shown(text), "write LENDER or LSP"))
    return role


def _member(text: str, errors: list[FieldError]) -> EnvelopeMember | None:
    if text not in tuple(EnvelopeMember):
        errors.append(
            FieldError("envelope_member", shown(text), "write header, or protected for a peer that follows RFC 7515")
        )
        return None
    return EnvelopeMember(text)
