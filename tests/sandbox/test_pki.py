"""The sandbox's keys and certificates: made once, kept, and fit for strict peers."""

import hashlib
import json
import os
import shlex
import shutil
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.pki.certificates import fingerprint, hosts_of
from sandbox.pki.folder import SANDBOX_PAIR, describe, initialise, issue
from sandbox.pki.organisation import Organisation, own_form
from sandbox.pki.renewal import prepare_renewals, put_in_place
from shared.node.identity import load_identity
from shared.node.onboarding.certificates import CertificateUse, uses_of
from shared.node.onboarding.form import record_of
from shared.node.onboarding.record import leaf_of, participant_of, read_records
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from shared.transport.tls_files import checked_leaf
from tests.equipment.deadline import DEADLINE
from tests.sandbox.pki_folder import NOW, THIRD, again, connect, contents, directory, edit_directory

README = Path(__file__).parents[2] / "certs" / "README.md"


def test_a_new_folder_holds_every_file_and_private_ones_are_the_owners_alone(pki_folder: Path) -> None:
    keys = ["backup.key", "backup.pub.pem", "signing.key", "signing.pub.pem", "tls.key", "tls.pem"]
    own = {f"{folder}/{file}" for folder in ("LENDER01", "LSP123") for file in ["identity.json", *keys]}
    assert set(contents(pki_folder)) == {"ca.pem", "ca.key", "participants.json"} | own
    modes = {path: path.stat().st_mode & 0o777 for path in pki_folder.rglob("*")}
    assert {mode for path, mode in modes.items() if path.suffix == ".key"} == {0o600}
    assert {mode for path, mode in modes.items() if path.suffix in (".pem", ".json")} == {0o644}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}


def test_a_private_key_is_the_owners_alone_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, int]] = []

    def watch(handle: int) -> None:
        private = b"PRIVATE KEY" in os.pread(handle, 100, 0)
        seen.append((private, os.fstat(handle).st_mode & 0o777))

    monkeypatch.setattr(os, "fsync", watch)
    initialise(tmp_path, SANDBOX_PAIR[:1], [], NOW)
    assert [mode for private, mode in seen if private] == [0o600] * 4


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "lender", "pair.example"])
def test_both_sides_accept_each_other_under_strict_x509_rules(pki_folder: Path, name: str) -> None:
    connect(pki_folder, name=name)


def test_a_name_that_the_certificate_lacks_is_refused_by_the_client(pki_folder: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'lsp'"):
        connect(pki_folder, name="lsp")


def test_a_node_loads_its_identity_and_the_directory_knows_both_its_keys(pki_folder: Path) -> None:
    for record in read_records(pki_folder / "participants.json"):
        identity = load_identity(pki_folder / record.organisation_id / "identity.json")
        participant = participant_of(record)
        assert (identity.organisation_id, identity.role) == (participant.id, participant.role)
        assert identity.trust == (pki_folder / "ca.pem").read_text()
        signers = (identity.signing_key, *identity.backup_keys)
        assert [(key.kid, key.status) for key in participant.keys] == list(
            zip([signer.kid for signer in signers], [KeyStatus.ACTIVE, KeyStatus.BACKUP], strict=True)
        )
        for listed, signer in zip(participant.keys, signers, strict=True):
            assert listed.verifier.verify(b"message", signer.sign(b"message"))


def test_the_form_of_an_organisation_is_one_that_a_counterparty_takes(pki_folder: Path) -> None:
    for organisation_id, entry in directory(pki_folder).items():
        record = record_of(own_form(pki_folder / organisation_id / "identity.json"), NOW)
        stated = record.model_dump(mode="json", include=set(entry) - {"spoc_email", "spoc_phone"})
        assert stated == {name: entry[name] for name in stated}


def test_public_key_files_say_what_the_directory_says(pki_folder: Path) -> None:
    for organisation_id, entry in directory(pki_folder).items():
        files = [pki_folder / organisation_id / name for name in ("signing.pub.pem", "backup.pub.pem")]
        assert [key["pem"] for key in entry["keys"]] == [file.read_text() for file in files]


def test_the_directory_says_what_a_counterparty_needs_and_nothing_private(pki_folder: Path) -> None:
    entry = directory(pki_folder)["LSP123"]
    assert (pki_folder / "LSP123" / "tls.pem").read_text() == entry["tls_certificates"][0]
    assert {key: entry[key] for key in ("name", "role", "base_url", "ip_addresses", "envelope_member")} == {
        "name": "Sandbox LSP",
        "role": "LOAN_AGENT",
        "base_url": "https://localhost:8445",
        "ip_addresses": ["127.0.0.1", "::1"],
        "envelope_member": "header",
    }
    assert "PRIVATE" not in (pki_folder / "participants.json").read_text()


def test_a_second_run_changes_nothing(pki_folder: Path) -> None:
    before = contents(pki_folder)
    again(pki_folder)
    assert contents(pki_folder) == before


def test_other_base_urls_change_the_directory_and_the_identities_alone(pki_folder: Path) -> None:
    before = contents(pki_folder)
    moved = [
        Organisation(organisation.organisation_id, organisation.name, organisation.role, "https://localhost:9/")
        for organisation in SANDBOX_PAIR
    ]
    initialise(pki_folder, moved, [], NOW)
    after = contents(pki_folder)
    identities = {f"{organisation.organisation_id}/identity.json" for organisation in SANDBOX_PAIR}
    assert {file for file in after if after[file] != before[file]} == {"participants.json"} | identities
    assert {entry["base_url"] for entry in directory(pki_folder).values()} == {"https://localhost:9"}
    assert {json.loads(after[file][0])["base_url"] for file in identities} == {"https://localhost:9"}


def test_what_a_user_edited_in_the_directory_stays(pki_folder: Path) -> None:
    old_key = {"kid": "old", "algorithm": "RS512", "status": "BLOCKED", "pem": "gone"}
    stranger = {**directory(pki_folder)["LSP123"], "organisation_id": "REAL-LSP"}

    def edit(entries: list[dict[str, Any]]) -> None:
        entries[0] |= {"envelope_member": "protected", "ip_addresses": []}
        entries[0]["keys"][1]["status"] = "BLOCKED"
        entries[0]["keys"].append(old_key)
        entries.append(stranger)

    edit_directory(pki_folder, edit)
    edited = directory(pki_folder)
    again(pki_folder)
    assert directory(pki_folder) == edited


@pytest.mark.parametrize("file", ["signing.pub.pem", "tls.pem"])
def test_a_missing_public_file_is_made_again_from_the_kept_key(pki_folder: Path, file: str) -> None:
    before = contents(pki_folder)
    (pki_folder / "LENDER01" / file).unlink()
    again(pki_folder)
    after = contents(pki_folder)
    changed = {name for name in before if after[name] != before[name]}
    assert changed <= {f"LENDER01/{file}", "participants.json"}
    assert directory(pki_folder)["LENDER01"]["tls_certificates"] == [(pki_folder / "LENDER01" / "tls.pem").read_text()]
    connect(pki_folder)


def test_a_missing_directory_is_made_again_with_the_same_kids(pki_folder: Path) -> None:
    before = directory(pki_folder)
    (pki_folder / "participants.json").unlink()
    again(pki_folder)
    assert directory(pki_folder) == before


def test_a_missing_authority_certificate_is_made_again_and_issued_certificates_stay_good(pki_folder: Path) -> None:
    (pki_folder / "ca.pem").unlink()
    again(pki_folder)
    connect(pki_folder)


def test_a_half_made_organisation_is_completed_without_a_key_being_written_over(pki_folder: Path) -> None:
    kept = (pki_folder / "LSP123" / "signing.key").read_bytes()
    for file in ("identity.json", "backup.key", "tls.pem"):
        (pki_folder / "LSP123" / file).unlink()
    again(pki_folder)
    assert (pki_folder / "LSP123" / "signing.key").read_bytes() == kept
    identity = json.loads((pki_folder / "LSP123" / "identity.json").read_text())
    assert [key["kid"] for key in identity["keys"]] == [key["kid"] for key in directory(pki_folder)["LSP123"]["keys"]]


def test_a_third_organisation_is_issued_and_listed_beside_the_pair(pki_folder: Path) -> None:
    before = directory(pki_folder)
    pki = issue(pki_folder, THIRD, NOW)
    assert pki["BANK.3"] == pki_folder / "BANK.3" / "identity.json"
    assert list(pki) == ["LENDER01", "LSP123", "BANK.3"]
    after = directory(pki_folder)
    assert {path: after[path] for path in before} == before
    connect(pki_folder, "BANK.3", "bank.example")


def test_the_certificate_of_an_issued_organisation_is_made_again_by_a_later_run(pki_folder: Path) -> None:
    issue(pki_folder, THIRD, NOW)
    (pki_folder / "BANK.3" / "tls.pem").unlink()
    again(pki_folder)
    assert directory(pki_folder)["BANK.3"]["tls_certificates"] == [(pki_folder / "BANK.3" / "tls.pem").read_text()]


def test_a_summary_tells_fingerprints_expiry_and_kids_without_opening_a_private_key(pki_folder: Path) -> None:
    for path in pki_folder.rglob("*.key"):
        path.unlink()
    edit_directory(pki_folder, lambda entries: entries.append({**entries[1], "organisation_id": "ELSEWHERE"}))
    _, participants = describe(pki_folder)
    assert [(participant.record.organisation_id, participant.held) for participant in participants] == [
        ("LENDER01", True),
        ("LSP123", True),
        ("ELSEWHERE", False),
    ]
    lender = participants[0]
    assert [key.kid for key in lender.record.keys] == [key["kid"] for key in directory(pki_folder)["LENDER01"]["keys"]]
    assert [key.status for key in lender.record.keys] == [KeyStatus.ACTIVE, KeyStatus.BACKUP]
    assert lender.certificates[0].not_valid_after_utc == NOW + timedelta(days=730)
    assert set(hosts_of(lender.certificates[0])) == {"localhost", "127.0.0.1", "::1", "lender", "pair.example"}
    der = ssl.PEM_cert_to_DER_cert((pki_folder / "LENDER01" / "tls.pem").read_text())
    assert fingerprint(lender.certificates[0]) == hashlib.sha256(der).hexdigest()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("command", [line for line in README.read_text().splitlines() if line.startswith("openssl ")])
def test_the_readmes_openssl_commands_read_the_files(pki_folder: Path, command: str) -> None:
    done = subprocess.run(
        shlex.split(command),
        cwd=pki_folder.parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr


def test_a_renewal_that_was_killed_before_it_had_a_certificate_does_not_hold_up_the_next(pki_folder: Path) -> None:
    (pki_folder / "LENDER01" / "tls.next.key").write_bytes((pki_folder / "LSP123" / "tls.key").read_bytes())
    (made,) = prepare_renewals(pki_folder, "LENDER01", NOW, new_key=False)
    put_in_place([made], lambda: checked_leaf(made.certificate, made.key))
    assert not made.next_key.exists()


def test_two_certificates_are_made_listed_and_renewed_each_for_its_use(pki_folder: Path) -> None:
    issue(pki_folder, Organisation("TWO", "Two", Role.LENDER, "https://localhost:1", has_two_certificates=True), NOW)
    home = pki_folder / "TWO"
    listed = directory(pki_folder)["TWO"]["tls_certificates"]
    assert listed == [(home / name).read_text() for name in ("tls.pem", "tls-client.pem")]
    renewals = prepare_renewals(pki_folder, "TWO", NOW, new_key=True)
    put_in_place(renewals, lambda: None)
    now = [(home / name).read_text() for name in ("tls.pem", "tls-client.pem")]
    assert [uses_of(leaf_of(pem)) for pem in now] == [[CertificateUse.SERVING], [CertificateUse.CALLING]]
    assert not set(now) & set(listed)
    for name in ("tls", "tls-client"):
        checked_leaf(home / f"{name}.pem", home / f"{name}.key")


def test_of_two_certificates_neither_is_renewed_where_they_cannot_be_shown(pki_folder: Path) -> None:
    issue(pki_folder, Organisation("BACK", "Back", Role.LENDER, "https://localhost:1", has_two_certificates=True), NOW)
    renewals = prepare_renewals(pki_folder, "BACK", NOW, new_key=True)
    names = [f"{name}.{kind}" for name in ("tls", "tls-client") for kind in ("pem", "key")]
    before = [(pki_folder / "BACK" / name).read_bytes() for name in names]
    with pytest.raises(ZeroDivisionError):
        put_in_place(renewals, lambda: 1 // 0)
    assert [(pki_folder / "BACK" / name).read_bytes() for name in names] == before
    assert all(renewal.next_certificate.exists() for renewal in renewals)
