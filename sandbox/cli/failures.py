"""Prints why a command failed, on standard error. Imported only then, for it imports the errors of all packages."""

import httpx
import typer
from rich.text import Text

from sandbox.cli.screen import screen
from sandbox.errors import NodeDiedError, SandboxError
from sandbox.pki.certificates import PkiError
from shared.node.identity import IdentityError
from shared.node.onboarding.fields import FormError
from shared.node.onboarding.record import OnboardingError
from shared.node.settings import SettingsError
from shared.protocol.encoding import EncodingError
from shared.protocol.signing import KeyMaterialError
from shared.transport.tls_files import TlsConfigurationError

WRONG_INPUT = (
    SandboxError,
    PkiError,
    KeyMaterialError,
    EncodingError,
    IdentityError,
    OnboardingError,
    SettingsError,
    TlsConfigurationError,
)
"""Errors that a user can correct; the text of each says how, in one line."""


def tell_failure(error: Exception) -> int:
    """Print an error and return the exit status. Raises the error itself if it is none that a user can correct."""
    status, lines = 2, []
    if isinstance(error, NodeDiedError):
        status, sentence, lines = 1, f"{error}; the end of its log:", list(error.last_lines) or ["(nothing)"]
    elif isinstance(error, FormError):
        sentence = "the form cannot be taken, and nothing is stored:"
        lines = [" ".join(str(found).split()) for found in error.errors]
    else:
        sentence = _sentence(error)
    if not sentence:
        return 0
    text = Text("ocen-sandbox: ", style="bold red").append(" ".join(sentence.split()), style="default")
    for line in (text, *(f"  {line}" for line in lines)):
        screen(stderr=True).print(line, soft_wrap=True)
    return status


def _sentence(error: Exception) -> str:
    """Say what is wrong; nothing if a group of commands was asked for without a command, and has shown its help."""
    if isinstance(error, typer.TyperException):
        message = error.format_message().rstrip(".").replace("Value error, ", "")
        context = getattr(error, "ctx", None)
        return f"{message}; see `{context.command_path if context else 'ocen-sandbox'} --help`" if message else ""
    if isinstance(error, httpx.HTTPError):
        return f"no answer ({error}): see `ocen-sandbox status`"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}: name a file or folder that this user may use"
    if isinstance(error, WRONG_INPUT):
        return str(error)
    raise error
