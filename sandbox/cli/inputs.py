"""Input from files and from standard input, as unchanged bytes."""

import sys
from pathlib import Path
from typing import Any, Final

from sandbox.errors import SandboxError
from sandbox.forms import read_form
from shared.clock import SystemClock
from shared.node.onboarding.form import OnboardingForm
from shared.protocol.encoding import EncodingError, parse_json_object

STANDARD_INPUT = Path("-")

PUBLIC_KEY: Final = "a PEM key, certificate, JWK or JWK set"
PRIVATE_KEY: Final = "a private key in PEM"
CERTIFICATE: Final = "a certificate in PEM"
FORM: Final = "a form in YAML or JSON"


def read_bytes(file: Path, wanted: str = "a JSON object") -> bytes:
    """Read a file, or standard input for `-`; `wanted` is what belongs there.

    Raises SandboxError if it cannot be read, is empty, or standard input is a terminal.
    """
    if file == STANDARD_INPUT:
        if sys.stdin.isatty():
            raise SandboxError("nothing comes in on standard input: name a file, or put < FILE at the end")
        data = sys.stdin.buffer.read()
    else:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise SandboxError(f"{file} cannot be read ({error.strerror}): name another file") from error
    if not data.strip():
        raise SandboxError(f"{source_name(file)} is empty: give {wanted}")
    return data


def read_text(file: Path, wanted: str) -> str:
    """Read a file as UTF-8 text; `wanted` is what belongs there.

    Raises SandboxError if it cannot be read, is empty, or is no text.
    """
    try:
        return read_bytes(file, wanted).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SandboxError(
            f"{source_name(file)} is no text in UTF-8: if it is a key in DER, convert it to PEM"
        ) from error


def read_form_file(file: Path) -> OnboardingForm:
    """Read a form, with the files beside it that it names, and judge it. Raises SandboxError, FormError."""
    folder = Path() if file == STANDARD_INPUT else file.parent
    return read_form(read_text(file, FORM), source_name(file), folder, SystemClock().now())


def read_json(file: Path) -> dict[str, Any]:
    """Read a file as one JSON object. Raises SandboxError if it cannot be read, or is something else."""
    try:
        return parse_json_object(read_bytes(file))
    except EncodingError as error:
        raise SandboxError(f"{source_name(file)}: {error}; give one JSON object") from error


def source_name(file: Path) -> str:
    """Name a file, or standard input, for people."""
    return "standard input" if file == STANDARD_INPUT else str(file)
