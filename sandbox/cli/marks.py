"""Lets streams that cannot hold the marks of the command line show plain characters in their place."""

import codecs
import sys

_ASCII = {"✓": "+", "✗": "x", "·": ".", "─": "-", "│": "|", "▶": ">", "◀": "<", "→": ">", "←": "<", "├": "|", "┤": "|"}


def spell_out_marks() -> None:
    """Let standard output and standard error show ASCII where they cannot hold a mark."""
    codecs.register_error("ocen-marks", _plain)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="ocen-marks")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(one, "?") for one in error.object[error.start : error.end]), error.end
