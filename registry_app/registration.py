"""The registration form: what a participant tells the registry of itself, judged like the onboarding form of a node."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from registry_app.store.roles import StoredCertificate, StoredKey
from shared.catalogue.bodies.body import among
from shared.node.onboarding.certificates import checked_certificates
from shared.node.onboarding.fields import (
    Flaw,
    checked_addresses,
    checked_base_url,
    checked_email,
    checked_phone,
    checked_text,
)
from shared.node.onboarding.form import FormError
from shared.node.onboarding.key_forms import checked_keys
from shared.node.onboarding.record import Line, Name, thumbprint_of
from shared.protocol.messages import NETWORK_ROLES, Role
from shared.protocol.profiles import V4
from shared.protocol.signing import load_public_key

_MANDATORY = ("name", "role", "base_url", "public_key", "tls_certificates", "spoc_email", "spoc_phone")
"""What the schema marks as required; that it is there is judged with all the rest, so that all flaws are told."""


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


@dataclass(frozen=True, slots=True)
class Registration:
    """A form that was judged and found right."""

    name: str
    role: Role
    base_url: str
    keys: tuple[StoredKey, ...]
    certificates: tuple[StoredCertificate, ...]
    ip_addresses: tuple[str, ...]
    email: str
    phone: str
    description: str
    website: str


def judged(form: RegistrationForm, now: datetime) -> Registration:
    """Judge a form as a whole; `now` (aware) is when its certificates have to be valid.

    Raises:
        FormError: something is wrong; the error has every flaw, not only the first.
    """
    flaws: list[Flaw] = []
    role, base_url = form.role, checked_base_url(form.base_url, flaws)
    if role is None:
        flaws.append(Flaw("role", "empty", f"write one of {', '.join(NETWORK_ROLES)}"))
    checked: dict[str, Any] = {
        "name": checked_text("name", form.name, Name, flaws),
        "keys": _keys(form, flaws),
        "certificates": _certificates(form.tls_certificates, base_url, now, flaws),
        "ip_addresses": tuple(checked_addresses(form.ip_addresses, flaws) if form.ip_addresses else ()),
        "email": checked_email(form.spoc_email, flaws),
        "phone": checked_phone(form.spoc_phone, flaws),
    }
    if flaws or role is None:
        raise FormError(flaws)
    return Registration(role=role, base_url=base_url, description=form.description, website=form.website, **checked)


def judged_keys(form: KeysForm) -> tuple[StoredKey, ...]:
    """Judge keys that are to take the place of others.

    Raises:
        FormError: as `judged`.
    """
    flaws: list[Flaw] = []
    keys = _keys(form, flaws)
    if flaws:
        raise FormError(flaws)
    return keys


def judged_address(
    base_url: str, certificates: Sequence[str], now: datetime
) -> tuple[str, tuple[StoredCertificate, ...]]:
    """Judge a base URL and the certificates that are to be shown there.

    Raises:
        FormError: as `judged`.
    """
    flaws: list[Flaw] = []
    checked = checked_base_url(base_url, flaws)
    stored = _certificates(certificates, checked, now, flaws)
    if flaws:
        raise FormError(flaws)
    return checked, stored


def judged_organisation(form: AmendmentForm) -> dict[str, str]:
    """Judge what is given of an organisation; return it as columns.

    Raises:
        FormError: as `judged`.
    """
    flaws: list[Flaw] = []
    columns = form.model_dump(include={"description", "website"}, exclude_none=True)
    if form.spoc_email is not None:
        columns["email"] = checked_email(form.spoc_email, flaws)
    if form.spoc_phone is not None:
        columns["phone"] = checked_phone(form.spoc_phone, flaws)
    if flaws:
        raise FormError(flaws)
    return columns


def _keys(form: KeysForm, flaws: list[Flaw]) -> tuple[StoredKey, ...]:
    records = checked_keys(
        form.public_key, form.kid, form.backup_public_key, form.backup_kid, flaws, algorithm=V4.algorithm
    )
    return tuple(
        StoredKey(one.kid, load_public_key(one.pem, V4.algorithm, one.kid).thumbprint(), one.pem) for one in records
    )


def _certificates(
    texts: Sequence[str], base_url: str, now: datetime, flaws: list[Flaw]
) -> tuple[StoredCertificate, ...]:
    by_thumbprint = {thumbprint_of(pem): pem for pem in checked_certificates(texts, base_url, now, flaws) if pem}
    return tuple(StoredCertificate(thumbprint, pem) for thumbprint, pem in sorted(by_thumbprint.items()))
