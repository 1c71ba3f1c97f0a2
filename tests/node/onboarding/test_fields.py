"""The fields of the form one by one; whatever is put into one becomes a value or an error, and nothing is raised."""

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.node.onboarding.fields import (
    FieldError,
    checked_addresses,
    checked_base_url,
    checked_email,
    checked_phone,
    checked_text,
    holds_private_key,
    shown,
)
from shared.node.onboarding.record import BaseUrl, Name, OrganisationId
from tests.equipment.forms import private_text

MESSAGE = "/v3/loan/triggerLoanAcceptanceRequest"
ANYTHING = st.text() | st.text("0123456789.:/[]@%+-() v\n", max_size=60)
patient = settings(deadline=None, max_examples=200)


def judged(check: Any, value: Any) -> tuple[Any, list[FieldError]]:
    errors: list[FieldError] = []
    return check(value, errors), errors


@pytest.mark.parametrize(
    ("told", "base"),
    [
        ("https://bank.example", "https://bank.example"),
        (" https://bank.example/ ", "https://bank.example"),
        ("HTTPS://bank.example:9443", "https://bank.example:9443"),
        (f"https://bank.example{MESSAGE}", "https://bank.example"),
        (f"https://bank.example:9443/credit{MESSAGE}?", "https://bank.example:9443/credit"),
        ("https://bank.example/credit/v3.0.0alpha/loan/x", "https://bank.example/credit"),
        ("https://bank.example/V4/loan", "https://bank.example"),
        ("https://v3.bank.example/very/vast", "https://v3.bank.example/very/vast"),
        ("https://[::1]:8444/ocen", "https://[::1]:8444/ocen"),
    ],
)
def test_a_base_url_ends_before_the_version_of_a_message(told: str, base: str) -> None:
    assert judged(checked_base_url, told) == (base, [])


@pytest.mark.parametrize(
    "told",
    [
        "bank.example",
        "https://",
        "https:///credit",
        "https://bank.example:port",
        "https://bank.example:0",
        "https://bank.example:65536",
        "https://user:secret@bank.example",
        "https://bank.example/credit?key=1",
        "https://bank.example/credit#top",
        "https://[::1",
        "https://bänk.example",
        "https://bank.example/\x00",
        "https://bank.example/" + "a" * 500,
        "ftp://bank.example",
    ],
)
def test_what_is_no_base_url_is_an_error(told: str) -> None:
    value, (error,) = judged(checked_base_url, told)
    assert (value, error.field) == ("", "base_url")
    assert "https://bank.example/credit" in error.hint


def test_a_url_that_is_not_encrypted_is_an_error_of_its_own() -> None:
    value, (error,) = judged(checked_base_url, "http://bank.example")
    assert (value, error.found) == ("", "'http://bank.example' is not encrypted")


@pytest.mark.parametrize(
    "told", ["ocen@bank.example", " a.b+c@sub.bank.co.in ", "ocen@mail.sbi.bank.in", "x@mebank.in"]
)
def test_an_address_at_an_organisation_is_taken(told: str) -> None:
    assert judged(checked_email, told) == (told.strip(), [])


@pytest.mark.parametrize(
    "told", ["a@gmail.com", "a@GMail.com", "a@yahoo.co.in", "a@rediffmail.com", "a@outlook.in", "a@proton.me"]
)
def test_an_address_that_anybody_can_have_is_an_error(told: str) -> None:
    value, (error,) = judged(checked_email, told)
    assert (value, error.field) == ("", "spoc_email")
    assert "gives addresses to anybody" in error.found


@pytest.mark.parametrize(
    "told", ["ocen", "ocen@bank", "@bank.example", "a b@bank.example", "a@-bank.example", "a@b@c.d"]
)
def test_what_is_no_address_of_a_person_is_an_error(told: str) -> None:
    value, (error,) = judged(checked_email, told)
    assert (value, error.found) == ("", f"{told!r} is no e-mail address")


@pytest.mark.parametrize("told", ["+91 22 5550 0100", "02255500100", "+1 (555) 010-0100", "12345678"])
def test_a_number_of_8_to_15_digits_is_taken(told: str) -> None:
    assert judged(checked_phone, told) == (told, [])


@pytest.mark.parametrize("told", ["1234567", "+1234567890123456", "call us", "+91 22 five", "", "++91225550100"])
def test_what_is_no_telephone_number_is_an_error(told: str) -> None:
    _, (error,) = judged(checked_phone, told)
    assert error.field == "spoc_phone"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (["192.0.2.7"], ["192.0.2.7"]),
        ([" 192.0.2.7/32 ", "2001:0db8::/32"], ["192.0.2.7", "2001:db8::/32"]),
        (["10.0.0.0/28", "::1", "10.1.0.0/16"], ["10.0.0.0/28", "::1", "10.1.0.0/16"]),
    ],
)
def test_addresses_and_networks_are_kept_in_their_short_form(told: list[str], kept: list[str]) -> None:
    assert judged(checked_addresses, told) == (kept, [])


@pytest.mark.parametrize(
    "told", ["192.0.2", "192.0.2.7/24", "bank.example", "", "1.2.3.4-1.2.3.9", "0.0.0.0/0", "::/0"]
)
def test_what_is_no_address_or_every_address_is_an_error(told: str) -> None:
    _, (error,) = judged(checked_addresses, [told])
    assert error.field == "ip_addresses"


def test_each_wrong_address_is_told() -> None:
    _, errors = judged(checked_addresses, ["a", "192.0.2.7", "b"])
    assert [error.found for error in errors] == ["'a' is no address or network", "'b' is no address or network"]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("", "empty"), (" \n", "empty"), ("a\nb", r"'a\nb'"), ("x" * 100, repr("x" * 80)), (private_text(), "a private")],
)
def test_what_was_found_is_shown_in_one_line_and_never_a_private_key(text: str, quoted: str) -> None:
    assert shown(text).startswith(quoted)
    assert "\n" not in shown(text)


def test_a_private_key_is_known_in_pem_and_in_json() -> None:
    assert all(map(holds_private_key, [private_text(), '{"d": "AQ"}', '{"kty":"RSA","qi" :1}']))
    assert not any(map(holds_private_key, ["", "PRIVATE", "d", '{"kty":"RSA","n":"d"}']))


@patient
@given(ANYTHING)
@example("https://[v1.a]")
@example("https://bank.example\ud800")
@example("//[")
def test_any_text_is_a_base_url_or_an_error(text: str) -> None:
    value, errors = judged(checked_base_url, text)
    assert bool(value) is not bool(errors)
    if value:
        assert TypeAdapter(BaseUrl).validate_python(value) == value
        assert judged(checked_base_url, value) == (value, [])


@patient
@given(ANYTHING)
def test_any_text_is_an_e_mail_address_or_an_error(text: str) -> None:
    value, errors = judged(checked_email, text)
    assert bool(value) is not bool(errors)


@patient
@given(ANYTHING)
def test_any_text_is_a_telephone_number_or_an_error(text: str) -> None:
    value, errors = judged(checked_phone, text)
    assert bool(errors) or 8 <= sum(character in "0123456789" for character in value) <= 15


@patient
@given(st.lists(ANYTHING | st.ip_addresses().map(str), max_size=5))
@example(["fe80::1%eth0"])
@example(["::ffff:1.2.3.4/128"])
@example(["\u0661.1.1.1"])
def test_any_texts_are_addresses_or_errors(texts: list[str]) -> None:
    value, errors = judged(checked_addresses, texts)
    assert bool(errors) or (1 <= len(value) <= 3 and all(ip_network(network).prefixlen for network in value))


@patient
@given(ANYTHING, st.sampled_from([("organisation_id", OrganisationId), ("name", Name)]))
def test_any_text_is_an_id_or_a_name_or_an_error(text: str, field: tuple[str, Any]) -> None:
    errors: list[FieldError] = []
    value = checked_text(field[0], text, field[1], errors)
    assert bool(value) is not bool(errors)
