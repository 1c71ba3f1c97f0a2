"""What the PKI maker refuses: each time one line with the mend, and nothing has changed."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.pki.folder import SANDBOX_PAIR, describe, initialise, issue
from sandbox.pki.organisation import Organisation
from shared.protocol.messages import Role
from tests.sandbox.pki_folder import NOW, THIRD, again, edit_directory, refused


@pytest.mark.parametrize("file", ["signing.key", "backup.key", "tls.key"])
def test_a_lost_private_key_is_not_replaced_silently(pki_folder: Path, file: str) -> None:
    (pki_folder / "LENDER01" / file).unlink()
    line = refused(pki_folder, lambda: again(pki_folder))
    assert f"{file} is missing" in line
    assert "put it back, or delete the folder LENDER01" in line


def test_without_the_authoritys_key_all_goes_on_until_a_certificate_must_be_issued(pki_folder: Path) -> None:
    (pki_folder / "ca.key").unlink()
    again(pki_folder)
    (pki_folder / "LENDER01" / "tls.pem").unlink()
    assert "without ca.key: put it back" in refused(pki_folder, lambda: again(pki_folder))


def test_an_expired_certificate_is_refused_with_the_way_to_renew_it(pki_folder: Path) -> None:
    later = NOW + timedelta(days=731)
    assert "has expired: delete it and run" in refused(pki_folder, lambda: again(pki_folder, now=later))
    for organisation_id in ("LENDER01", "LSP123"):
        (pki_folder / organisation_id / "tls.pem").unlink()
    again(pki_folder, now=later)
    ends = {participant.certificates[0].not_valid_after_utc for participant in describe(pki_folder)[1]}
    assert ends == {later + timedelta(days=730)}


def test_no_certificate_outlives_the_authority_and_an_expired_authority_is_refused(pki_folder: Path) -> None:
    for organisation_id in ("LENDER01", "LSP123"):
        (pki_folder / organisation_id / "tls.pem").unlink()
    again(pki_folder, now=NOW + timedelta(days=3649))
    authority, participants = describe(pki_folder)
    assert authority.not_valid_after_utc == NOW + timedelta(days=3650)
    assert {listed.certificates[0].not_valid_after_utc for listed in participants} == {authority.not_valid_after_utc}
    line = refused(pki_folder, lambda: again(pki_folder, now=NOW + timedelta(days=3650)))
    assert "ca.pem has expired: delete the folder" in line


def test_a_certificate_without_a_name_that_is_asked_for_is_refused(pki_folder: Path) -> None:
    line = refused(pki_folder, lambda: initialise(pki_folder, SANDBOX_PAIR, ["10.0.0.5", "Bank.Example"], NOW))
    assert "tls.pem does not name 10.0.0.5, bank.example: delete it" in line


def test_a_certificate_of_another_authority_is_refused(pki_folder: Path, tmp_path: Path) -> None:
    initialise(tmp_path / "other", SANDBOX_PAIR, [], NOW)
    shutil.copy(tmp_path / "other" / "ca.pem", pki_folder)
    assert "ca.key is not the key of ca.pem" in refused(pki_folder, lambda: again(pki_folder))
    shutil.copy(tmp_path / "other" / "ca.key", pki_folder)
    assert "was not issued by ca.pem: delete it" in refused(pki_folder, lambda: again(pki_folder))


def test_a_certificate_of_another_key_is_refused(pki_folder: Path) -> None:
    shutil.copy(pki_folder / "LSP123" / "tls.pem", pki_folder / "LENDER01")
    assert "is of another private key: delete it" in refused(pki_folder, lambda: again(pki_folder))


def test_an_identity_of_another_organisation_is_refused(pki_folder: Path) -> None:
    shutil.copy(pki_folder / "LSP123" / "identity.json", pki_folder / "LENDER01")
    assert "identity.json is of LSP123, LOAN_AGENT: put the right file back" in refused(
        pki_folder, lambda: again(pki_folder)
    )


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("participants.json", "{", "Invalid JSON"),
        ("participants.json", '[{"organisation_id": 1}]', "participants.json: 0.organisation_id: "),
        ("participants.json", "[]\xff", "participants.json: "),
        ("LENDER01/identity.json", "[]", "identity.json: the file: "),
        ("LENDER01/tls.pem", "text", "tls.pem holds no X.509 certificate in PEM"),
        ("LENDER01/tls.key", "text", "tls.key is no private key in plain PEM"),
        ("ca.key", "", "ca.key is no private key in plain PEM"),
        ("ca.pem", "", "ca.pem holds no X.509 certificate in PEM"),
    ],
)
def test_a_broken_file_is_named_and_left_alone(pki_folder: Path, file: str, text: str, said: str) -> None:
    (pki_folder / file).write_bytes(text.encode("latin-1"))
    assert said in refused(pki_folder, lambda: again(pki_folder))


@pytest.mark.parametrize("secret", ["", "a passphrase"])
def test_a_key_that_is_elliptic_or_encrypted_is_refused(pki_folder: Path, secret: str) -> None:
    locked = form.BestAvailableEncryption(secret.encode()) if secret else form.NoEncryption()
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked)
    (pki_folder / "LENDER01" / "tls.key").write_bytes(pem)
    said = "no private key in plain PEM" if secret else "no RSA key"
    assert said in refused(pki_folder, lambda: again(pki_folder))


@pytest.mark.parametrize(
    "organisation_id",
    [
        "",
        ".",
        "..",
        "../LSP",
        "a/b",
        "a\\b",
        "-a",
        "a b",
        "a\n",
        "é",
        "a" * 65,
        "ca.key",
        "CA.PEM",
        "Participants.json",
    ],
)
def test_an_organisation_id_that_cannot_name_a_folder_is_refused(pki_folder: Path, organisation_id: str) -> None:
    one = Organisation(organisation_id, "Any", Role.LENDER, "https://localhost:1")
    line = refused(pki_folder.parent, lambda: issue(pki_folder, one, NOW))
    assert "cannot be an organisation id here: use 1 to 64 letters" in line


@pytest.mark.parametrize(
    "base_url",
    ["", "localhost:1", "http://localhost:1", "https://", "https://[::1", "https://a:b", "https://a:99999",
     "https://u:p@a", "https://a?b", "https://a#b", "https://a\nb", "https://a b"],
)  # fmt: skip
def test_a_base_url_that_is_none_is_refused(pki_folder: Path, base_url: str) -> None:
    one = Organisation("NEW", "Any", Role.LENDER, base_url)
    assert "is no base URL: give one such as https://" in refused(pki_folder, lambda: issue(pki_folder, one, NOW))


@pytest.mark.parametrize("host", ["", "a b", "a_b", "-a", "a..b", "10.0.0.256", "[::1]", "é.example", "x" * 64, "*.a"])
def test_a_host_that_is_none_is_refused(pki_folder: Path, host: str) -> None:
    line = refused(pki_folder, lambda: initialise(pki_folder, SANDBOX_PAIR, [host], NOW))
    assert "is no host name or IP address: give one such as" in line


@pytest.mark.parametrize(
    ("name", "addresses", "said"),
    [
        ("Any", ("10.0.0.0/33",), "'10.0.0.0/33' is no IP address or network: give one such as"),
        ("Any", ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"), "takes 3, so give networks"),
        ("", (), "has 0 characters: use 1 to 200"),
        ("x" * 201, (), "has 201 characters: use 1 to 200"),
    ],
)
def test_a_name_or_an_address_that_the_onboarding_form_cannot_take_is_refused(
    pki_folder: Path, name: str, addresses: tuple[str, ...], said: str
) -> None:
    one = Organisation("NEW", name, Role.LENDER, "https://localhost:1", ip_addresses=addresses)
    assert said in refused(pki_folder, lambda: issue(pki_folder, one, NOW))


def test_an_organisation_that_exists_is_not_issued_again(pki_folder: Path) -> None:
    one = SANDBOX_PAIR[0]
    assert "LENDER01 exists already" in refused(pki_folder, lambda: issue(pki_folder, one, NOW))
    edit_directory(pki_folder, lambda entries: entries.pop(0))
    assert "LENDER01 exists already" in refused(pki_folder, lambda: issue(pki_folder, one, NOW))


def test_an_organisation_that_differs_in_case_alone_is_refused(pki_folder: Path) -> None:
    one = Organisation("lender01", "Any", Role.LENDER, "https://localhost:1")
    assert "lender01 differs from LENDER01 in case alone" in refused(pki_folder, lambda: issue(pki_folder, one, NOW))


def test_nothing_is_issued_before_there_is_an_authority(tmp_path: Path) -> None:
    assert "run `ocen-sandbox pki init` first" in refused(tmp_path, lambda: issue(tmp_path / "new", THIRD, NOW))
    assert "run `ocen-sandbox pki init` first" in refused(tmp_path, lambda: describe(tmp_path / "new"))


def test_a_folder_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for act in (lambda: again(tmp_path / "file" / "pki"), lambda: describe(tmp_path / "file" / "pki")):
        assert "Not a directory: use a folder that this user may read" in refused(tmp_path, act)


def test_a_write_that_fails_leaves_the_old_file_and_no_scraps(
    pki_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "participants.json")

    moved = [
        Organisation(organisation.organisation_id, organisation.name, organisation.role, "https://localhost:9")
        for organisation in SANDBOX_PAIR
    ]
    monkeypatch.setattr(Path, "replace", fail)
    assert "No space left on device" in refused(pki_folder, lambda: initialise(pki_folder, moved, [], NOW))


@pytest.mark.parametrize("pem", ["text", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"])
def test_a_summary_of_a_broken_directory_names_the_file(pki_folder: Path, pem: str) -> None:
    edit_directory(pki_folder, lambda entries: entries[0]["keys"][0].update(pem=pem))
    assert "participants.json holds a key that is no public key in PEM" in refused(
        pki_folder, lambda: describe(pki_folder)
    )
