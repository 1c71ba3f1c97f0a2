"""The onboarding form of OCEN v3 Security: what it cannot do without, field by field."""

from pathlib import Path
from typing import Any

import pytest

from shared.node.onboarding.fields import FormError
from shared.node.onboarding.form import OnboardingForm, record_of
from tests.equipment.bank_form import bank_form
from tests.equipment.clock import NOW
from tests.equipment.records import public_pem
from tests.node.certificates import PAST, Authority, Identity, private_pem, rsa_key


@pytest.fixture
def leaf(tmp_path: Path) -> Identity:
    return Authority().issue(tmp_path, "bank.example")


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/credit",
        "https://localhost/credit/",
        "https://localhost/credit/v3/loanApplication/createLoanApplicationRequest",
    ],
)
def test_of_the_full_url_of_a_message_the_base_url_is_taken(url: str, leaf: Identity) -> None:
    assert record_of(bank_form(leaf, base_url=url), NOW).base_url == "https://localhost/credit"


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("organisation_id", "", "empty"),
        ("name", "", "empty"),
        ("base_url", "http://bank.com/credit", "not encrypted"),
        ("tls_certificate", "", "empty"),
        ("tls_certificate", private_pem(rsa_key("leaf")).decode(), "a private key"),
        ("public_key", "", "empty"),
        ("kid", "", "empty"),
        ("backup_kid", "", "empty"),
        ("backup_kid", "bank-1", "like the first key's"),
        ("backup_public_key", public_pem("bank"), "the same key"),
        ("spoc_email", "", "empty"),
        ("spoc_email", "bank", "no e-mail address"),
        ("spoc_email", "bank@gmail.com", "gives addresses to anybody"),
        ("spoc_phone", "", "empty"),
        ("ip_addresses", [], "none"),
        ("ip_addresses", ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"], "4 addresses"),
    ],
)
def test_a_form_that_lacks_something_is_refused_by_the_field(
    field: str, value: Any, found: str, leaf: Identity
) -> None:
    with pytest.raises(FormError) as refusal:
        record_of(bank_form(leaf, **{field: value}), NOW)
    (error,) = refusal.value.errors
    assert error.field == field
    assert found in error.found


@pytest.mark.parametrize(
    ("wrong", "host", "found"),
    [
        ({"not_after": PAST}, "localhost", "expired"),
        ({"is_authority": True}, "localhost", "CA:TRUE"),
        ({}, "bank.example", "does not name bank.example"),
    ],
    ids=["expired", "an issuer's", "of another host"],
)
def test_a_certificate_that_would_fail_in_the_handshake_is_refused_in_the_form(
    wrong: dict[str, Any], host: str, found: str, tmp_path: Path
) -> None:
    leaf = Authority().issue(tmp_path, "bank.example", **wrong)
    with pytest.raises(FormError, match=f"tls_certificate: .*{found}"):
        record_of(bank_form(leaf, base_url=f"https://{host}/credit"), NOW)


def test_of_an_empty_form_every_field_that_is_needed_is_told_at_once() -> None:
    with pytest.raises(FormError) as refusal:
        record_of(OnboardingForm(), NOW)
    optional = {"tls_client_certificate", "kid", "backup_public_key", "backup_kid", "envelope_member"}
    assert {error.field for error in refusal.value.errors} == OnboardingForm.model_fields.keys() - optional
