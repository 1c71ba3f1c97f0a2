"""The record of a participant: what it becomes, and one clear line for each that cannot be used."""

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.node.onboarding.record import OnboardingError, ParticipantRecord, participant_of, read_records
from shared.protocol.messages import Role
from shared.protocol.participants import EnvelopeMember, KeyStatus
from shared.transport.tls import thumbprint
from tests.equipment.forms import certificate_of_no_name
from tests.equipment.records import (
    key_of,
    lender_entry,
    lender_record,
    lsp_entry,
    lsp_record,
    public_pem,
    tls_identity,
)
from tests.node.certificates import private_pem, rsa_key


def test_a_record_becomes_a_participant() -> None:
    lender = participant_of(lender_record())
    assert (lender.id, lender.name, lender.role) == ("LENDER01", "Sandbox Lender", Role.LENDER)
    assert lender.base_url == "https://lender.example/base"
    assert lender.certificates == {thumbprint(tls_identity("lender.example").der)}
    assert lender.networks == (ip_network("192.0.2.7/32"), ip_network("2001:db8::/32"))
    assert lender.envelope_member is EnvelopeMember.PROTECTED
    assert [(key.kid, key.verifier.algorithm, key.status) for key in lender.keys] == [
        ("LENDER01-kid", "RS512", KeyStatus.ACTIVE)
    ]


def test_what_a_record_need_not_say() -> None:
    lsp = participant_of(lsp_record())
    assert (lsp.networks, lsp.envelope_member) == ((), EnvelopeMember.HEADER)
    assert [key.status for key in lsp.keys] == [KeyStatus.BACKUP, KeyStatus.ACTIVE]


def test_of_a_chain_the_leaf_counts_which_comes_first() -> None:
    leaf, issuer = tls_identity("lender.example"), tls_identity("issuer.example")
    lender = participant_of(lender_record(tls_certificates=[f"# the chain\n{leaf.pem}{issuer.pem}"]))
    assert lender.certificates == {thumbprint(leaf.der)}


def test_while_a_certificate_is_renewed_two_count() -> None:
    old, new = tls_identity("lender.example"), tls_identity("renewed.example")
    lender = participant_of(lender_record(tls_certificates=[old.pem, new.pem]))
    assert lender.certificates == {thumbprint(old.der), thumbprint(new.der)}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"tls_certificates": ["paste it here"]}, "tls_certificates: no certificate in PEM; paste it whole"),
        ({"tls_certificates": [tls_identity("lender.example").pem[:200]]}, "tls_certificates: no certificate"),
        ({"tls_certificates": [tls_identity("lender.example").pem.replace("M", "")]}, "tls_certificates: no cert"),
        ({"tls_certificates": [certificate_of_no_name()]}, "tls_certificates: no certificate"),
        ({"tls_certificates": [public_pem("lsp")]}, "tls_certificates: no certificate"),
        ({"keys": [key_of("LENDER01", pem="paste it here")]}, "key LENDER01-kid: this is no public RSA key"),
        ({"keys": [key_of("LENDER01", "cut", pem=public_pem("LENDER01")[:-60])]}, "key cut: this is no public RSA key"),
        ({"keys": [key_of("LENDER01", pem=private_pem(rsa_key("LENDER01")).decode())]}, "this is a private key"),
        ({"keys": [key_of(owner) for owner in ("lsp", "lsp backup", "leaf")]}, "keys: 3 that count"),
        ({"keys": [key_of("lsp", "one"), key_of("leaf", "one")]}, "keys: the same kid twice"),
        ({"keys": [key_of("lsp", "one"), key_of("lsp", "two")]}, "keys: the same key twice"),
        ({"keys": [key_of("lsp", "one"), key_of("lsp", "two", status="BLOCKED")]}, "keys: the same key twice"),
        ({"ip_addresses": ["lender.example"]}, "ip_addresses: 'lender.example' does not appear to be"),
        ({"ip_addresses": ["192.0.2.7/24"]}, "ip_addresses: 192.0.2.7/24 has host bits set"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused_in_one_line(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OnboardingError) as refusal:
        participant_of(lender_record(**changes))
    assert str(refusal.value).startswith("LENDER01: ")
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_weak_key_is_refused() -> None:
    with pytest.raises(OnboardingError, match="1024 bits"):
        participant_of(lender_record(keys=[key_of("LENDER01", pem=public_pem("short", 1024))]))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"organisation_id": ""}, "organisation_id"),
        ({"organisation_id": "../LENDER01"}, "organisation_id"),
        ({"organisation_id": "L" * 65}, "organisation_id"),
        ({"name": ""}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a\x9b31mb"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"spoc_phone": "a\u2028b"}, "spoc_phone"),
        ({"role": "BANK"}, "role"),
        ({"base_url": "http://lender.example"}, "base_url"),
        ({"base_url": "https://"}, "base_url"),
        ({"base_url": "https://lender.example:port"}, "base_url"),
        ({"base_url": "https://user:secret@lender.example"}, "base_url"),
        ({"base_url": "https://lender.example/v3?key=1"}, "base_url"),
        ({"base_url": "https://lender.example/v3#top"}, "base_url"),
        ({"base_url": "https://lender.example/\x00"}, "base_url"),
        ({"base_url": "https://[::1"}, "base_url"),
        ({"tls_certificates": []}, "tls_certificates"),
        ({"keys": []}, "keys"),
        ({"keys": [key_of("LENDER01", kid=" " * 129)]}, "keys.0.kid"),
        ({"keys": [key_of("LENDER01", kid="a\x00b")]}, "keys.0.kid"),
        ({"keys": [key_of("LENDER01", kid="..")]}, "keys.0.kid"),
        ({"keys": [key_of("LENDER01", algorithm="none")]}, "keys.0.algorithm"),
        ({"keys": [key_of("LENDER01", algorithm="RS256")]}, "keys.0.algorithm"),
        ({"keys": [key_of("LENDER01", algorithm="HS256")]}, "keys.0.algorithm"),
        ({"keys": [key_of("LENDER01", status="REVOKED")]}, "keys.0.status"),
        ({"ip_addresses": ["192.0.2.1"] * 4}, "ip_addresses"),
        ({"envelope_member": "unprotected"}, "envelope_member"),
        ({"base_uri": "https://lender.example"}, "base_uri"),
    ],
)
def test_a_field_that_it_cannot_have_is_named(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        lender_record(**changes)
    assert ".".join(str(part) for part in refusal.value.errors()[0]["loc"]) == place


@pytest.mark.parametrize(
    "base_url",
    [
        "https://lender.example",
        "https://lender.example:8444/ocen/v3.0",
        "https://127.0.0.1:8444",
        "https://[::1]:8444/",
    ],
)
def test_a_base_url_has_a_host_and_maybe_a_port_and_a_path(base_url: str) -> None:
    assert participant_of(lender_record(base_url=base_url)).base_url == base_url.rstrip("/")


def test_a_participants_file_is_a_list_of_records(tmp_path: Path) -> None:
    file = tmp_path / "participants.json"
    file.write_text(json.dumps([lender_entry(), lsp_entry()]))
    assert read_records(file) == [lender_record(), lsp_record()]


def test_a_record_is_the_same_after_it_has_been_written_down() -> None:
    record = lender_record()
    assert ParticipantRecord.model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read (No such file or directory); name a participants file"),
        ("", "Invalid JSON: "),
        ("{}", "Input should be a valid"),
        ("[{}]", "0.organisation_id: Field required"),
        (json.dumps([lender_entry(), lsp_entry(role="BANK")]), "1.role: "),
        (
            json.dumps([lender_entry(), lsp_entry(role="KYC_PARTNER")]),
            "1.role: Input should be 'LENDER' or 'LOAN_AGENT'",
        ),
        (json.dumps([lender_entry(keys=[{"kid": "one"}])]), "0.keys.0.pem: Field required"),
        (json.dumps([lender_entry(), lender_entry(name="x")]), "LENDER01 stands there twice; leave one record of it"),
    ],
)
def test_a_participants_file_that_cannot_be_used_is_named(content: str | None, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "participants.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(OnboardingError) as refusal:
        read_records(file)
    assert str(refusal.value).startswith(str(file))
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)
