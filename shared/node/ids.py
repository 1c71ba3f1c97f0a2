"""Identifiers that we make: UUIDs of version 7 (RFC 9562 s5.7), which grow with time and cannot be guessed."""

from uuid_utils import uuid7


def new_id() -> str:
    """Return a new id in the form with dashes, 36 characters, as OCEN's requestId and traceId."""
    return str(uuid7())
