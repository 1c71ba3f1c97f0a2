"""An onboarding form, filled in."""

from typing import Any

from shared.node.onboarding.form import OnboardingForm
from tests.equipment.records import public_pem
from tests.node.certificates import Identity


def bank_form(leaf: Identity, **changes: Any) -> OnboardingForm:
    """The form of a bank with every field of OCEN v3 Security; the leaf has to name localhost."""
    fields = {
        "organisation_id": "BANK01",
        "name": "Bank",
        "role": "LENDER",
        "base_url": "https://localhost/credit",
        "tls_certificate": leaf.pem,
        "public_key": public_pem("bank"),
        "kid": "bank-1",
        "backup_public_key": public_pem("bank backup"),
        "backup_kid": "bank-2",
        "spoc_email": "ocen@bank.example",
        "spoc_phone": "+91 22 5550 0100",
        "ip_addresses": ["192.0.2.7", "192.0.2.8", "198.51.100.0/24"],
    }
    return OnboardingForm.model_validate(fields | changes)
