"""The fields of the form as a file has them: which there are, and which may stand in a PEM file beside it."""

from typing import Final

from shared.node.onboarding.form import OnboardingForm

FIELDS: Final = tuple(OnboardingForm.model_fields)

IN_FILES: Final = {
    "tls_certificate": "tls.pem",
    "public_key": "signing.pub.pem",
    "backup_public_key": "backup.pub.pem",
}
"""Fields that a form may leave to a file, with the usual name of that file."""


def file_field(field: str) -> str:
    """Return the name of the field that names the file: `tls_certificate_file` for `tls_certificate`."""
    return f"{field}_file"
