"""Write a form: as YAML in one piece, as a file with its PEM files beside it, and as a template for people."""

from pathlib import Path
from typing import Any, Final

import yaml

from shared.node.onboarding.form import OnboardingForm
from shared.protocol.participants import EnvelopeMember

IN_FILES: Final = {
    "tls_certificate": "tls.pem",
    "tls_client_certificate": "tls-client.pem",
    "public_key": "signing.pub.pem",
    "backup_public_key": "backup.pub.pem",
}
"""Fields that a form may leave to a file, with the usual name of that file."""

_EXAMPLES: Final[dict[str, Any]] = {
    "organisation_id": "BANK01",
    "name": "Example Bank",
    "role": "LENDER",
    "base_url": "https://localhost:8446",
    "kid": "bank01-2031-1",
    "backup_kid": "bank01-2031-2",
    "spoc_email": "ocen@bank01.example",
    "spoc_phone": "+91 22 5550 0100",
    "ip_addresses": ["127.0.0.1", "::1"],
    "envelope_member": EnvelopeMember.HEADER.value,
}

_INTRODUCTION: Final = """\
# The onboarding form (OCEN v3). Fill it in, put the PEM files beside it, and hand it over:
#   ocen-sandbox onboard --file form.yaml
# A certificate or key may stand here itself too: tls_certificate in place of tls_certificate_file.
"""
_OPTIONAL: Final = "# A second key is optional: leave both lines out if there is none.\n"
_UNUSUAL: Final = "tls_client_certificate"


def file_field(field: str) -> str:
    """Return the name of the field that names the file: `tls_certificate_file` for `tls_certificate`."""
    return f"{field}_file"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def form_text(form: OnboardingForm) -> str:
    """Write a form as YAML, with certificate and keys in it; what is empty is left out."""
    return _yaml({field: value for field, value in form.model_dump().items() if value})


def save_form(form: OnboardingForm, file: Path, prefix: str = "") -> list[Path]:
    """Write a form to a file, its certificate and keys to PEM files beside it; return all files, the form first.

    `prefix` begins the names of the PEM files, so that they are not taken for others that lie there.

    Raises OSError if a file cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fields, written = dict[str, Any](), [file]
    for field, value in form.model_dump().items():
        if field in IN_FILES and value:
            beside = file.with_name(f"{prefix}{IN_FILES[field]}")
            beside.write_text(value, "utf-8")
            fields[file_field(field)] = beside.name
            written.append(beside)
        elif value:
            fields[field] = value
    file.write_text(_yaml(fields), "utf-8")
    return written


def template() -> str:
    """Return a form to fill in, each field with what belongs there."""
    parts = [_INTRODUCTION]
    for field, info in OnboardingForm.model_fields.items():
        named, example = (file_field(field), IN_FILES[field]) if field in IN_FILES else (field, _EXAMPLES[field])
        optional = _OPTIONAL if field == "backup_public_key" else ""
        mark = "# " if field == _UNUSUAL else ""
        parts.append(f"{optional}# {info.description}\n{mark}{_yaml({named: example})}")
    return "\n".join(parts)


def _yaml(fields: dict[str, Any]) -> str:
    return yaml.dump(fields, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
