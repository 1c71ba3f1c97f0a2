"""The command line `ocen-sandbox`: the pair, its demo, its messages, keys, and signing and verifying offline."""

import codecs
import sys
from collections.abc import Sequence

import typer

from sandbox.cli.app import app

_ASCII = {"✓": "+", "✗": "x", "·": ".", "─": "-", "│": "|", "▶": ">", "◀": "<", "→": ">", "←": "<", "├": "|", "┤": "|"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done, and all held. 1: something that was looked at does not hold, or a node died. 2: wrong input, told in one
    line on standard error. 130: interrupted.
    """
    _spell_out_marks()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = app(words or ["--help"], prog_name="ocen-sandbox", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; nothing more is to be said, not even by the interpreter
        return 0
    except Exception as error:
        from sandbox.cli.failures import tell_failure

        return tell_failure(error)


def _spell_out_marks() -> None:
    """Let standard output and standard error show ASCII where they cannot hold a mark."""
    codecs.register_error("ocen-marks", _plain)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="ocen-marks")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(character, "?") for character in error.object[error.start : error.end]), error.end
