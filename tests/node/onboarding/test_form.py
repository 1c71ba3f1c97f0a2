"""The onboarding form: what is taken, and every error by field, with what was found and what to do (OCEN-ROT-01)."""

import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from shared.node.onboarding.fields import FormError
from shared.node.onboarding.form import OnboardingForm, form_of, record_of
from shared.protocol.messages import Role
from shared.protocol.participants import EnvelopeMember, KeyStatus
from tests.equipment.clock import NOW
from tests.equipment.forms import (
    certificate_pem,
    form,
    form_entry,
    jwk,
    jwk_set,
    key_with_exponent,
    private_jwk,
    private_text,
    without_character,
)
from tests.equipment.records import public_pem
from tests.node.certificates import CLIENT, SERVER, rsa_key


def refused(**changes: Any) -> list[str]:
    """The errors of the form with these changes, each as it is shown."""
    with pytest.raises(FormError) as refusal:
        record_of(form(**changes), NOW)
    assert str(refusal.value) == "; ".join(map(str, refusal.value.errors))
    return [str(error) for error in refusal.value.errors]


def test_a_form_becomes_a_record() -> None:
    record = record_of(form(), NOW)
    assert (record.organisation_id, record.name, record.role) == ("BANK01", "First Bank", Role.LENDER)
    assert (record.base_url, record.ip_addresses) == ("https://bank.example/credit", ["192.0.2.7", "198.51.100.0/24"])
    assert (record.spoc_email, record.spoc_phone) == ("ocen@bank.example", "+91 22 5550 0100")
    assert record.tls_certificates == [certificate_pem()]
    assert [(key.kid, key.algorithm, key.status, key.pem) for key in record.keys] == [
        ("bank-a", "RS512", KeyStatus.ACTIVE, public_pem("bank")),
        ("bank-b", "RS512", KeyStatus.BACKUP, public_pem("bank backup")),
    ]
    assert (record.envelope_member, record.judges_addresses) == (EnvelopeMember.HEADER, True)


def test_a_record_is_handed_out_as_the_form_that_makes_it() -> None:
    assert form_of(record_of(form(), NOW)) == form()
    single = form(backup_public_key="", backup_kid="", envelope_member="protected", role="LSP")
    assert form_of(record_of(single, NOW)) == single


def test_the_form_of_a_record_with_two_certificates_has_the_newest() -> None:
    record = record_of(form(), NOW)
    newest = certificate_pem("renewed.example")
    both = record.model_copy(update={"tls_certificates": [*record.tls_certificates, newest]})
    assert form_of(both).tls_certificate == newest


def test_a_back_up_is_no_duty() -> None:
    record = record_of(form(backup_public_key="", backup_kid=""), NOW)
    assert [(key.kid, key.status) for key in record.keys] == [("bank-a", KeyStatus.ACTIVE)]


@pytest.mark.parametrize(
    ("role", "meant"),
    [
        ("LENDER", Role.LENDER),
        ("lender", Role.LENDER),
        ("LSP", Role.LOAN_AGENT),
        (" Loan_Agent ", Role.LOAN_AGENT),
    ],
)
def test_a_role_has_the_name_of_either_document(role: str, meant: Role) -> None:
    assert record_of(form(role=role), NOW).role is meant


@pytest.mark.parametrize(
    "changes",
    [
        {"public_key": certificate_pem(key=rsa_key("bank"))},
        {"public_key": json.dumps(jwk("bank")), "kid": "bank-a"},
        {"public_key": json.dumps(jwk("bank", "bank-a")), "kid": ""},
        {"public_key": jwk_set(jwk("bank", "bank-a")), "kid": ""},
        {"public_key": jwk_set(jwk("bank", "bank-a"), jwk("leaf", "another")), "kid": "bank-a"},
        {
            "public_key": jwk_set(jwk("bank", "bank-a"), jwk("bank backup", "bank-b")),
            "kid": "",
            "backup_public_key": "",
            "backup_kid": "",
        },
    ],
    ids=["X.509", "JWK", "JWK with kid", "JWK set of one", "one of a JWK set", "JWK set of two"],
)
def test_keys_come_in_every_form_and_are_kept_in_one(changes: dict[str, Any]) -> None:
    assert record_of(form(**changes), NOW) == record_of(form(), NOW)


SECRET = "a private key"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"organisation_id": ""}, "organisation_id: empty: give 1 to 64 letters"),
        ({"organisation_id": "../etc"}, "organisation_id: '../etc' is not one: give 1 to 64 letters"),
        ({"name": " "}, "name: empty: give one line"),
        ({"name": "two\nlines"}, r"name: 'two\nlines' is not one: give one line"),
        ({"role": ""}, "role: empty: write LENDER or LSP"),
        ({"role": "BANK"}, "role: 'BANK': write LENDER or LSP"),
        ({"role": "KYC_PARTNER"}, "role: 'KYC_PARTNER': write LENDER or LSP"),
        ({"base_url": ""}, "base_url: empty: give one such as https://"),
        ({"base_url": "http://bank.example"}, "base_url: 'http://bank.example' is not encrypted: give one that begins"),
        ({"public_key": ""}, "public_key: empty: give the public key: openssl"),
        ({"public_key": public_pem("short", 1024)}, "public_key: the key has 1024 bits: use 2048"),
        ({"public_key": key_with_exponent(3)}, "public_key: the key's exponent is 3: use 65537"),
        ({"public_key": without_character(public_pem("bank"))}, "public_key: this is no public RSA key in PEM, X.509"),
        ({"public_key": json.dumps(private_jwk("bank", "k"))}, "public_key: this JWK holds a private key: give it"),
        ({"kid": ""}, "kid: empty: give 1 to 128 printable ASCII characters"),
        ({"kid": "k\n1"}, r"kid: 'k\n1' cannot be a kid: give 1 to 128"),
        ({"kid": "k" * 129}, "kid: 'kkkkk"),
        ({"backup_public_key": public_pem("bank")}, "backup_public_key: the same key as public_key: a back-up has"),
        ({"backup_kid": "bank-a"}, "backup_kid: bank-a, like the first key's: give each key a kid of its own"),
        ({"backup_public_key": ""}, "backup_public_key: empty: give the public key"),
        ({"backup_kid": ""}, "backup_kid: empty: give 1 to 128"),
        ({"spoc_email": ""}, "spoc_email: empty: give the address of a person"),
        ({"spoc_email": "ocen@gmail.com"}, "spoc_email: gmail.com gives addresses to anybody: give one at your"),
        ({"spoc_phone": "12"}, "spoc_phone: '12' is no telephone number: give 8 to 15 digits"),
        ({"ip_addresses": []}, "ip_addresses: none: give 1 to 3"),
        ({"ip_addresses": [f"192.0.2.{n}" for n in range(4)]}, "ip_addresses: 4 addresses: give 1 to 3; write more as"),
        ({"ip_addresses": ["0.0.0.0/0"]}, "ip_addresses: 0.0.0.0/0 is every address: give those that you call from"),
        ({"ip_addresses": ["bank.example"]}, "ip_addresses: 'bank.example' is no address or network: give addresses"),
        ({"envelope_member": "HEADER"}, "envelope_member: 'HEADER': write header, or protected"),
        ({"tls_certificate": ""}, "tls_certificate: empty: paste it whole"),
        (
            {"tls_certificate": without_character(certificate_pem())},
            "tls_certificate: no certificate in PEM that can be read: paste it whole",
        ),
        (
            {"tls_certificate": certificate_pem(not_after=NOW - timedelta(days=1))},
            "tls_certificate: expired on 2031-03-03: renew it and give the new one",
        ),
        (
            {"tls_certificate": certificate_pem(not_before=NOW + timedelta(days=1))},
            "tls_certificate: not valid before 2031-03-05 05:06 UTC: give it then, or look at your clock",
        ),
        (
            {"tls_certificate": certificate_pem(is_authority=True)},
            "tls_certificate: an issuer's certificate (CA:TRUE): give the leaf",
        ),
        (
            {"tls_certificate": certificate_pem(usages=(CLIENT,))},
            "tls_certificate: not made for serving: have it issued with serverAuth",
        ),
        (
            {"tls_certificate": certificate_pem(usages=(SERVER,))},
            "tls_certificate: not made for calling: give another with clientAuth as tls_client_certificate",
        ),
        (
            {"tls_client_certificate": certificate_pem(usages=(SERVER,))},
            "tls_client_certificate: not made for calling: have it issued with clientAuth",
        ),
        (
            {"tls_certificate": certificate_pem(hosts=("other.example",))},
            "tls_certificate: does not name bank.example, the host of base_url: have it issued with that subjectAltN",
        ),
    ],
)
def test_an_error_is_told_by_field_with_what_was_found_and_what_to_do(changes: dict[str, Any], error: str) -> None:
    told = refused(**changes)
    assert len(told) == 1
    assert told[0].startswith(error)


def test_a_key_that_lets_everything_pass_is_refused() -> None:
    crafted = json.dumps(jwk("bank", e="AQ"))
    (told,) = refused(public_key=crafted)
    assert told.startswith(
        ("public_key: the key's exponent is 1", "public_key: the JWK is not a usable RSA public key")
    )


@pytest.mark.parametrize("field", [name for name in form_entry() if name != "ip_addresses"])
@pytest.mark.parametrize("secret", [private_text(), json.dumps(private_jwk("bank", "k"))], ids=["PEM", "JWK"])
def test_a_private_key_is_refused_in_every_field_and_never_repeated(field: str, secret: str) -> None:
    told = refused(**{field: secret})
    assert told[0].startswith(f"{field}: ")
    assert "private key" in told[0]
    assert not any(secret[start : start + 30] in "".join(told) for start in range(30, 300, 30))


def test_a_private_key_among_the_addresses_is_refused_and_never_repeated() -> None:
    (told,) = refused(ip_addresses=[private_text()])
    assert told.startswith("ip_addresses: a private key, which is nobody else's business, is no address")


def test_all_errors_are_told_at_once_field_by_field() -> None:
    told = refused(**{name: [] if name == "ip_addresses" else "" for name in form_entry() if "backup" not in name})
    fields = [error.partition(":")[0] for error in told]
    expected = {name for name in form_entry() if "backup" not in name} - {"kid"}
    assert set(fields) == expected
    assert len(fields) == len(expected)


def test_all_that_is_wrong_with_a_certificate_is_told_at_once() -> None:
    worst = certificate_pem(not_after=NOW - timedelta(days=1), usages=(CLIENT,), hosts=("other.example",))
    assert len(refused(tls_certificate=worst)) == 3


def test_a_certificate_is_not_held_against_a_base_url_that_is_itself_an_error() -> None:
    (told,) = refused(base_url="ftp://other.example")
    assert told.startswith("base_url: ")


def test_the_base_url_is_cut_out_of_the_full_url_of_a_message() -> None:
    told = form(base_url="https://bank.example/credit/v3/loan/triggerLoanAcceptanceRequest")
    assert record_of(told, NOW).base_url == "https://bank.example/credit"


def test_a_field_that_the_form_does_not_have_is_refused() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        OnboardingForm.model_validate(form_entry(surprise=1))


def test_a_form_with_two_certificates_becomes_a_record_with_both_and_the_same_form_again() -> None:
    serves, calls = certificate_pem(usages=(SERVER,)), certificate_pem(usages=(CLIENT,))
    told = form(tls_certificate=serves, tls_client_certificate=calls)
    record = record_of(told, NOW)
    assert record.tls_certificates == [serves, calls]
    assert form_of(record).model_dump() == form_of(record_of(form_of(record), NOW)).model_dump()
    assert (form_of(record).tls_certificate, form_of(record).tls_client_certificate) == (serves, calls)


def test_of_certificates_in_renewal_the_form_has_the_newest_for_each_use() -> None:
    record = record_of(form(), NOW)
    old, new = certificate_pem(), certificate_pem(key=rsa_key("renewed"))
    serves, calls = (certificate_pem(key=rsa_key("renewed"), usages=(use,)) for use in (SERVER, CLIENT))

    def handed_out(*pems: str) -> tuple[str, str]:
        shown = form_of(record.model_copy(update={"tls_certificates": list(pems)}))
        return shown.tls_certificate, shown.tls_client_certificate

    assert handed_out(old, new) == (new, "")
    assert handed_out(old, serves) == (serves, old)
    assert handed_out(old, serves, calls) == handed_out(old, calls, serves) == (serves, calls)
