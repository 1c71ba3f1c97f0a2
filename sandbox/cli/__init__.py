"""The command line `ocen-sandbox`: the pair, its demo, its messages, keys, and signing and verifying offline."""

import sys
from collections.abc import Sequence

import httpx
import typer
from rich.text import Text

from sandbox.cli.app import app
from sandbox.cli.screen import screen, spell_out_marks
from sandbox.errors import NodeDiedError, SandboxError
from sandbox.pki.certificates import PkiError
from shared.node.identity import IdentityError
from shared.node.onboarding.form import FormError
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
"""What a user can mend; the text of each says how, in one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done, and all held. 1: something that was looked at does not hold, or a node died. 2: wrong input, told in one
    line on standard error. 130: interrupted.
    """
    spell_out_marks()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = app(words or ["--help"], prog_name="ocen-sandbox", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except NodeDiedError as error:
        _complain(f"{error}; the end of its log:")
        for line in error.last_lines or ["(nothing)"]:
            screen(stderr=True).print(f"  {line}", soft_wrap=True)
        return 1
    except FormError as error:
        _complain("the form cannot be taken, and nothing is stored:")
        for flaw in error.flaws:
            screen(stderr=True).print(f"  {' '.join(str(flaw).split())}", soft_wrap=True)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; nothing more is to be said, not even by the interpreter
        return 0
    except (typer.TyperException, *WRONG_INPUT, httpx.HTTPError, OSError) as error:
        sentence = _sentence(error, words)
        return _complain(sentence) if sentence else 0
    except (KeyboardInterrupt, typer.Abort):
        return 130


def _sentence(error: Exception, words: Sequence[str]) -> str:
    """Say what is wrong; nothing if a group of commands was asked for without a command, and has shown its help."""
    if isinstance(error, typer.TyperException):
        message = error.format_message().rstrip(".").replace("Value error, ", "")
        return f"{message}; see `ocen-sandbox {_command(words)}--help`" if message else ""
    if isinstance(error, httpx.HTTPError):
        return f"no answer ({error}): see `ocen-sandbox status`"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}: name a file or folder that this user may use"
    return str(error)


def _complain(line: str) -> int:
    text = Text("ocen-sandbox: ", style="bold red").append(" ".join(line.split()), style="default")
    screen(stderr=True).print(text, soft_wrap=True)
    return 2


def _command(words: Sequence[str]) -> str:
    """Return the command that was meant, in its group if it has one, for a hint at its help."""
    meant, level = "", app
    for word in words:
        groups = {group.name: group.typer_instance for group in level.registered_groups}
        commands = {command.name or getattr(command.callback, "__name__", "") for command in level.registered_commands}
        if word not in commands | set(groups):
            break
        meant += f"{word} "
        level = groups.get(word) or typer.Typer()
    return meant
