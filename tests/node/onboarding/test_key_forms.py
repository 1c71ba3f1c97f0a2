"""The keys of the form: in what forms they are taken, which kid they get, and what is an error."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.node.onboarding.fields import FieldError
from shared.node.onboarding.key_forms import checked_key, checked_keys, jwk_kids
from shared.node.onboarding.record import KeyRecord
from shared.protocol.participants import KeyStatus
from tests.equipment.forms import certificate_pem, jwk, jwk_set, key_with_exponent, private_jwk, private_text
from tests.equipment.records import public_pem
from tests.node.certificates import rsa_key


def judged(
    first: str, first_kid: str = "", second: str = "", second_kid: str = ""
) -> tuple[list[KeyRecord], list[str]]:
    errors: list[FieldError] = []
    keys = checked_keys(first, first_kid, second, second_kid, errors)
    return keys, [str(error) for error in errors]


def of(kid: str, owner: str = "bank", status: KeyStatus = KeyStatus.ACTIVE) -> KeyRecord:
    return KeyRecord(kid=kid, pem=public_pem(owner), status=status)


@pytest.mark.parametrize(
    "material",
    [
        public_pem("bank"),
        f"\n  {public_pem('bank')}\n",
        certificate_pem(key=rsa_key("bank")),
        json.dumps(jwk("bank")),
        json.dumps(jwk("bank", "another")),
        json.dumps(jwk("bank", use="sig", alg="RS512", key_ops=["verify"])),
        jwk_set(jwk("bank", "given")),
        jwk_set(jwk("leaf", "another"), jwk("bank", "given")),
    ],
)
def test_a_key_in_any_form_is_kept_as_spki_under_the_kid_that_is_given(material: str) -> None:
    assert judged(material, " given ") == ([of("given")], [])


@pytest.mark.parametrize("material", [json.dumps(jwk("bank", "own")), jwk_set(jwk("bank", "own"))])
def test_the_kid_of_a_jwk_counts_where_none_is_given(material: str) -> None:
    assert judged(material) == ([of("own")], [])


def test_a_set_of_two_is_the_key_in_use_and_the_back_up() -> None:
    material = jwk_set(jwk("bank", "a"), jwk("leaf", "b"))
    assert judged(material) == ([of("a"), of("b", "leaf", KeyStatus.BACKUP)], [])


@pytest.mark.parametrize(
    ("material", "error"),
    [
        (jwk_set(), "public_key: the JWK set is empty: give one with an RSA key"),
        (
            jwk_set(*(jwk(owner, owner) for owner in ("a", "b", "leaf"))),
            "public_key: the JWK set holds 3 keys: name one of them by its kid",
        ),
        (jwk_set(jwk("bank", "a"), jwk("leaf", "a")), "public_key: the JWK set holds 2 keys for kid 'a'"),
        (jwk_set(jwk("bank", "a"), private_jwk("leaf", "b")), "public_key: this JWK holds a private key: give it with"),
        (json.dumps(private_jwk("bank", "a")), "public_key: this JWK holds a private key: give it without d"),
        (private_text(), "public_key: this is a private key: keep it secret"),
        (
            '{"keys": 5}',
            "public_key: the JWK is not a usable RSA public key: give one with kty RSA, n and e, for signatures",
        ),
        (
            json.dumps(jwk("bank", "a", alg="RS256")),
            "public_key: the JWK is for alg RS256: give one for RS512, or without",
        ),
        ('{"kty": "oct", "k": "AQ"}', "public_key: the JWK is not a usable RSA public key"),
        ('{"kty": "RSA", "kty": "RSA"}', "public_key: the JWK does not parse"),
        ('{"a":' * 5000, "public_key: the JWK does not parse"),
        (key_with_exponent(3), "public_key: the key's exponent is 3: use 65537"),
        (public_pem("short", 1024), "public_key: the key has 1024 bits: use 2048"),
        (public_pem("bank"), "kid: empty: give 1 to 128"),
        (json.dumps(jwk("bank", kid="")), "kid: empty: give 1 to 128"),
        (json.dumps(jwk("bank") | {"kid": 5}), "kid: empty: give 1 to 128"),
        (json.dumps(jwk("bank", "ä")), "kid: 'ä' cannot be a kid: give 1 to 128"),
        ("\ud800", "public_key: this is no public RSA key in PEM"),
        ('{"\ud800', "public_key: the JWK"),
    ],
)
def test_a_key_that_cannot_be_used_is_an_error_of_its_field(material: str, error: str) -> None:
    keys, errors = judged(material)
    assert keys == []
    assert errors[0].startswith(error)


def test_the_same_key_twice_is_an_error_also_in_two_forms() -> None:
    _, errors = judged(public_pem("bank"), "a", json.dumps(jwk("bank", "b")))
    assert errors == ["backup_public_key: the same key as public_key: a back-up has to be another key"]


def test_the_same_kid_twice_is_an_error() -> None:
    _, errors = judged(public_pem("bank"), "a", public_pem("leaf"), " a")
    assert errors == ["backup_kid: a, like the first key's: give each key a kid of its own"]


def test_both_keys_are_judged_though_the_first_is_an_error() -> None:
    _, errors = judged("x", "a", "y", "b")
    assert [error.partition(":")[0] for error in errors] == ["public_key", "backup_public_key"]


def test_only_a_jwk_bears_kids() -> None:
    assert jwk_kids(public_pem("bank")) == jwk_kids("") == jwk_kids("[]") == jwk_kids("{") == []
    assert jwk_kids(jwk_set(jwk("bank", "a"), jwk("leaf"))) == ["a"]


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["keys", "kty", "n", "e", "kid"]), inner)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(st.text() | json_values.map(json.dumps) | st.text().map(lambda text: f"-----BEGIN PUBLIC KEY-----\n{text}"))
@example('{"keys": [[]]}')
@example('{"kty": "RSA", "n": "AQAB", "e": 1}')
@example("-----BEGIN CERTIFICATE-----")
def test_any_text_is_a_key_or_an_error(text: str) -> None:
    errors: list[FieldError] = []
    key = checked_key("public_key", "kid", text, "k", errors)
    assert (key is None) is bool(errors)
    assert judged(text, "", text)[1]
