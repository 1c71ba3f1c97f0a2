"""The registration form: what a participant declares to the registry, checked like the onboarding form of a node."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.catalogue.bodies.body import among
from shared.node.onboarding.certificates import checked_certificates
from shared.node.onboarding.fields import (
    FieldError,
    checked_addresses,
    checked_base_url,
    checked_email,
    checked_phone,
    checked_text,
    collected_errors,
)
from shared.node.onboarding.key_forms import checked_keys
from shared.node.onboarding.record import KeyRecord, Line, Name, ParticipantRecord
from shared.node.onboarding.requested_changes import Change
from shared.protocol.messages import NETWORK_ROLES, Role
from shared.protocol.profiles import V4

_MANDATORY = ("name", "role", "base_url", "public_key", "tls_certificates", "spoc_email", "spoc_phone")
"""What the schema marks as required; that it is there is judged with all the rest, so that all errors are told."""


class KeysForm(BaseModel):
    """One or two public keys, each under its kid."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"required": ["public_key"]})

    public_key: Annotated[str, Field(description="Key to verify its messages with: PEM, X.509, JWK or JWK set.")] = ""
    kid: Annotated[str, Field(description="The id of that key; may be left out where a JWK has its own.")] = ""
    backup_public_key: Annotated[str, Field(description="A second key, to change to without a pause.")] = ""
    backup_kid: Annotated[str, Field(description="The id of the second key.")] = ""


class RegistrationForm(KeysForm):
    """What is asked of a participant. An organisation that is registered already gets a further role by its name."""

    model_config = ConfigDict(json_schema_extra={"required": list(_MANDATORY)})

    name: Annotated[str, Field(description="Name of the organisation.")] = ""
    role: Annotated[
        Annotated[Role, *among(NETWORK_ROLES)] | None,
        Field(description="What the participant is; LOAN_AGENT is OCEN 4's word for LSP."),
    ] = None
    base_url: Annotated[str, Field(description="Where its messages go: https, without the path of a message.")] = ""
    tls_certificates: Annotated[
        list[str],
        Field(description="One to four TLS certificates in PEM, some for serving, some for calling."),
    ] = []
    ip_addresses: Annotated[list[str], Field(description="Up to three addresses or networks it calls from.")] = []
    spoc_email: Annotated[str, Field(description="E-mail of the person to ask, at the organisation's domain.")] = ""
    spoc_phone: Annotated[str, Field(description="Telephone number of that person, with country code.")] = ""
    description: Line = ""
    website: Line = ""


class AmendmentForm(BaseModel):
    """New values for a participant's fields; null leaves a field as it is."""

    model_config = ConfigDict(extra="forbid")

    base_url: str | None = None
    tls_certificates: list[str] | None = None
    spoc_email: str | None = None
    spoc_phone: str | None = None
    description: Line | None = None
    website: Line | None = None


UNNUMBERED: Final = "0"
"""The id of who has no number yet."""


def judged(form: RegistrationForm, now: datetime) -> ParticipantRecord:
    """Judge a form as a whole; `now` (aware) is when its certificates have to be valid.

    Raises:
        FormError: something is wrong; it lists every error, not only the first.
    """
    with collected_errors() as errors:
        base_url = checked_base_url(form.base_url, errors)
        if form.role is None:
            errors.append(FieldError("role", "empty", f"write one of {', '.join(NETWORK_ROLES)}"))
        checked: dict[str, Any] = {
            "organisation_id": UNNUMBERED,
            "name": checked_text("name", form.name, Name, errors),
            "role": form.role,
            "base_url": base_url,
            "keys": _keys(form, errors),
            "tls_certificates": checked_certificates(form.tls_certificates, base_url, now, errors),
            "ip_addresses": checked_addresses(form.ip_addresses, errors) if form.ip_addresses else [],
            "spoc_email": checked_email(form.spoc_email, errors),
            "spoc_phone": checked_phone(form.spoc_phone, errors),
        }
    return ParticipantRecord.model_validate(checked)


def with_keys(form: KeysForm) -> Change:
    """Return the change that gives a participant the keys of a form in place of those that count.

    Raises:
        FormError: as `judged`.
    """
    with collected_errors() as errors:
        keys = _keys(form, errors)
    return lambda record: record.model_copy(update={"keys": keys})


def with_address(form: AmendmentForm, now: datetime) -> Change:
    """Return the change that gives a participant another base URL or other certificates, which have to fit each other.

    The change raises FormError: as `judged`.
    """

    def change(record: ParticipantRecord) -> ParticipantRecord:
        pems = record.tls_certificates if form.tls_certificates is None else form.tls_certificates
        with collected_errors() as errors:
            base_url = checked_base_url(form.base_url or record.base_url, errors)
            certificates = checked_certificates(pems, base_url, now, errors)
        return record.model_copy(update={"base_url": base_url, "tls_certificates": certificates})

    return change


def judged_organisation(form: AmendmentForm) -> dict[str, str]:
    """Judge what is given of an organisation; return it as columns.

    Raises:
        FormError: as `judged`.
    """
    columns = form.model_dump(include={"description", "website"}, exclude_none=True)
    with collected_errors() as errors:
        if form.spoc_email is not None:
            columns["email"] = checked_email(form.spoc_email, errors)
        if form.spoc_phone is not None:
            columns["phone"] = checked_phone(form.spoc_phone, errors)
    return columns


def _keys(form: KeysForm, errors: list[FieldError]) -> list[KeyRecord]:
    kids = form.public_key, form.kid, form.backup_public_key, form.backup_kid
    return checked_keys(*kids, errors, algorithm=V4.algorithm)
