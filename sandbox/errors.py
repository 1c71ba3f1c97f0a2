"""Errors of the sandbox; each message ends with what to do about it."""

from collections.abc import Sequence


class SandboxError(Exception):
    """Something given is wrong, or something needed is not there: one line that says what to do, exit status 2."""


class NodeDiedError(Exception):
    """A node ended by itself, or never became ready; exit status 1.

    `last_lines` are the end of its log.
    """

    def __init__(self, reason: str, last_lines: Sequence[str]) -> None:
        super().__init__(reason)
        self.last_lines = tuple(last_lines)
