"""Requested changes of a participant: each is checked as on the form, and becomes a change of the record."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from shared.node.onboarding.certificates import checked_certificate, names_host
from shared.node.onboarding.changes import with_active, without_key
from shared.node.onboarding.fields import (
    FieldError,
    checked_addresses,
    checked_base_url,
    checked_email,
    checked_phone,
    collected_errors,
)
from shared.node.onboarding.key_forms import checked_key
from shared.node.onboarding.record import KeyRecord, ParticipantRecord, leaf_of
from shared.protocol.participants import KeyStatus

Change = Callable[[ParticipantRecord], ParticipantRecord]

_CHECKS: Final[Mapping[str, Callable[[Any, list[FieldError]], Any]]] = {
    "base_url": checked_base_url,
    "ip_addresses": checked_addresses,
    "spoc_email": checked_email,
    "spoc_phone": checked_phone,
}


def amended(fields: Mapping[str, Any]) -> Change:
    """Return the change that gives a participant these fields.

    The change raises OnboardingError where a field cannot have its value.
    """

    def change(record: ParticipantRecord) -> ParticipantRecord:
        checked = dict(fields)
        with collected_errors() as errors:
            checked |= {name: check(checked[name], errors) for name, check in _CHECKS.items() if name in checked}
            if not errors and "base_url" in checked:
                errors.extend(_unnamed_host(record, checked["base_url"]))
        return record.model_copy(update=checked)

    return change


def _unnamed_host(record: ParticipantRecord, base_url: str) -> list[FieldError]:
    if any(names_host(leaf_of(pem), base_url) for pem in record.tls_certificates):
        return []
    found = f"no certificate of {record.organisation_id} for serving names the host of {base_url}"
    return [FieldError("base_url", found, "register one that names both hosts first")]


def key_status_change(kid: str, status: KeyStatus) -> Change:
    """Return the change that makes a key ACTIVE, RETIRED or BLOCKED."""
    if status is KeyStatus.ACTIVE:
        return lambda record: with_active(record, kid)
    return lambda record: without_key(record, kid, status)


def new_key(material: str, kid: str) -> KeyRecord:
    """Read a public key that is to be added.

    Raises:
        FormError: key or kid cannot be used.
    """
    with collected_errors() as errors:
        key = checked_key("public_key", "kid", material, kid.strip(), errors)
    assert key is not None
    return key


def new_certificate(pem: str, base_url: str, now: datetime) -> str:
    """Read a TLS certificate that is to be added; `now` (aware) is when it has to be valid.

    Raises:
        FormError: it would be refused in a handshake.
    """
    with collected_errors() as errors:
        return checked_certificate(pem, base_url, now, errors)
