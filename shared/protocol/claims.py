"""What a message that was not verified claims about itself: good for finding it again, never for acting on it."""

from typing import Any

from shared.protocol.checks.connection import MAX_BODY_BYTES
from shared.protocol.encoding import EncodingError, JsonTexts, base64url_decode
from shared.protocol.participants import EnvelopeMember


def claimed_payload(texts: JsonTexts, body: bytes) -> bytes:
    """Return the payload in an envelope that no check has opened, empty where there is none."""
    payload = _object(texts, body).get("payload")
    try:
        return base64url_decode(payload) if isinstance(payload, str) else b""
    except EncodingError:
        return b""


def claimed_ids(texts: JsonTexts, payload: bytes, id_in_metadata: bool) -> tuple[str, str]:
    """Return the requestId and traceId that a payload claims, each empty where none can be read.

    A refusal echoes the traceId, so that the sender knows which of its messages was refused (OCEN v3 ack).
    """
    document = _object(texts, payload)
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    return _plain((metadata if id_in_metadata else document).get("requestId")), _plain(metadata.get("traceId"))


def claimed_member(texts: JsonTexts, body: bytes) -> EnvelopeMember:
    """Return how an envelope spells its signed header; `header` where it names neither or both.

    An ack answers in the spelling of its request, whatever is wrong with that.
    """
    envelope = _object(texts, body)
    is_protected = "protected" in envelope and "header" not in envelope
    return EnvelopeMember.PROTECTED if is_protected else EnvelopeMember.HEADER


def _object(texts: JsonTexts, text: bytes) -> dict[str, Any]:
    try:
        return texts.read(text) if 0 < len(text) <= MAX_BODY_BYTES else {}  # of what is too large, not all is here
    except EncodingError:
        return {}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 64 and value.isprintable() else ""
