"""The onboarding form as people write it, and as it is written for them."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.errors import SandboxError
from sandbox.forms import form_text, read_form, save_form, template
from sandbox.pki.organisation import own_form
from shared.node.onboarding.fields import FormError
from shared.node.onboarding.form import OnboardingForm
from tests.sandbox.pki_folder import NOW


@pytest.fixture
def folder(pki_folder: Path, tmp_path: Path) -> Path:
    """A folder with the PEM files that the template names."""
    folder = tmp_path / "form"
    folder.mkdir()
    for name in ("tls.pem", "signing.pub.pem", "backup.pub.pem", "signing.key"):
        shutil.copy(pki_folder / "LENDER01" / name, folder)
    return folder


@pytest.fixture
def ours(pki_folder: Path) -> OnboardingForm:
    return own_form(pki_folder / "LENDER01" / "identity.json")


def errors(text: str, folder: Path) -> dict[str, str]:
    with pytest.raises(FormError) as caught:
        read_form(text, "form.yaml", folder, NOW)
    return {error.field: f"{error.found}: {error.hint}" for error in caught.value.errors}


def test_the_template_is_a_form_that_needs_nothing_but_the_files_beside_it(folder: Path) -> None:
    form = read_form(template(), "form.yaml", folder, NOW)
    assert form.organisation_id == "BANK01"
    assert form.tls_certificate == (folder / "tls.pem").read_text()
    assert {field for field, value in form.model_dump().items() if not value} == {"tls_client_certificate"}
    assert "\n# tls_client_certificate_file: tls-client.pem\n" in template()


def test_every_field_of_the_template_has_its_description_above_it() -> None:
    for info in OnboardingForm.model_fields.values():
        assert f"# {info.description}" in template()


def test_json_says_the_same_as_yaml(ours: OnboardingForm, tmp_path: Path) -> None:
    assert read_form(ours.model_dump_json(), "form.json", tmp_path, NOW) == ours
    assert read_form(form_text(ours), "form.yaml", tmp_path, NOW) == ours


def test_a_saved_form_has_its_pem_files_beside_it(ours: OnboardingForm, tmp_path: Path) -> None:
    written = save_form(ours, tmp_path / "theirs" / "form.yaml", "LENDER01-")
    assert [path.name for path in written] == [
        "form.yaml",
        "LENDER01-tls.pem",
        "LENDER01-signing.pub.pem",
        "LENDER01-backup.pub.pem",
    ]
    assert "BEGIN" not in written[0].read_text()
    assert read_form(written[0].read_text(), "form.yaml", written[0].parent, NOW) == ours


def test_what_looks_like_a_number_or_a_date_stays_the_text_that_it_is(folder: Path) -> None:
    text = template().replace("+91 22 5550 0100", "+912255500100").replace("bank01-2031-1", "0012")
    form = read_form(text.replace("bank01-2031-2", "2031-01-01"), "form.yaml", folder, NOW)
    assert (form.spoc_phone, form.kid, form.backup_kid) == ("+912255500100", "0012", "2031-01-01")


def test_all_that_is_wrong_is_told_at_once_field_by_field(folder: Path) -> None:
    found = errors(
        "organisation_id: B/2\nname: x\nname: y\nbase_ur: https://x\nip_addresses: 10.0.0.1\nkid: [a]\nrole: BANK\n"
        "public_key_file: signing.key\nspoc_email: a@gmail.com\ntls_certificate_file: none.pem\ncolour: red\n",
        folder,
    )
    assert found["name"] == "stands a second time in line 3: write each field once"
    assert found["base_ur"] == "no field of the form: write base_url"
    assert found["colour"].startswith("no field of the form: remove it")
    assert found["kid"].startswith("array where a text belongs")
    assert found["ip_addresses"].startswith("no list of texts: write a list")
    assert "cannot be read (No such file or directory)" in found["tls_certificate_file"]
    assert "tls_certificate" not in found
    assert "private key" in found["public_key"]
    assert found["organisation_id"].startswith("'B/2' is not one: give 1 to 64 letters")
    assert {"base_url", "role", "spoc_email", "spoc_phone"} < set(found)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"tls_certificate": "x"}, "tls_certificate_file", "stands beside tls_certificate: give one of the two"),
        ({"tls_certificate_file": "der"}, "tls_certificate_file", "is no text: give PEM"),
        (
            {"tls_certificate_file": "/dev/zero"},
            "tls_certificate_file",
            "(it does not lie beside the form): name a file",
        ),
        ({"tls_certificate_file": "../tls.pem"}, "tls_certificate_file", "(it does not lie beside the form): name a"),
        ({"tls_certificate_file": "pipe"}, "tls_certificate_file", "(it is no plain file): name a file beside the"),
        ({"tls_certificate_file": "a\0b"}, "tls_certificate_file", "(no file has such a name): name a file beside"),
        ({"kid": None}, "kid", "empty"),
        ({"ip_addresses": []}, "ip_addresses", "none: give 1 to 3"),
        ({"spoc_phone": {"no": 1}}, "spoc_phone", "where a text belongs"),
    ],
)
def test_one_error_is_told_of_its_field(change: dict[str, Any], field: str, said: str, folder: Path) -> None:
    (folder / "der").write_bytes(b"\x30\x82\xff")
    os.mkfifo(folder / "pipe")
    written = yaml.safe_load(template()) | change
    for text in (yaml.safe_dump(written), json.dumps(written)):
        found = errors(text, folder)
        assert list(found) == [field]
        assert said in found[field]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "form.yaml has no fields"),
        ("a: [", "form.yaml: line 1: "),
        ("a: \x07", "form.yaml is no YAML that can be read"),
        ("[" * 5000, "form.yaml is no YAML that can be read"),
        ('{"a": 1, "a": 2}', "the member 'a' is repeated"),
        ("a: 1\n---\nb: 2", "line 2: "),
    ],
)
def test_what_is_no_form_at_all_gives_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="onboard --template") as caught:
        read_form(text, "form.yaml", tmp_path, NOW)
    assert said in str(caught.value)


def test_a_tag_makes_no_object_of_a_value(folder: Path) -> None:
    found = errors(template().replace("BANK01\n", "!!python/object/apply:os.getcwd []\n", 1), folder)
    assert set(found) == {"organisation_id"}
