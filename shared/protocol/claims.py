"""What a message that was not verified claims about itself: good for finding it again, never for acting on it."""

from typing import Any

from shared.protocol.encoding import EncodingError, base64url_decode, parse_json_object
from shared.protocol.participants import EnvelopeMember


def claimed_ids(body: bytes) -> tuple[str, str]:
    """Return the requestId and traceId that an envelope claims, each empty where none can be read.

    A refusal echoes the traceId, so that the sender knows which of its messages was refused (OCEN v3 ack).
    """
    try:
        document = parse_json_object(base64url_decode(parse_json_object(body)["payload"]))
    except (EncodingError, KeyError, TypeError, AttributeError):
        return "", ""
    return _plain(document.get("requestId")), _plain(_metadata(document).get("traceId"))


def plain_ids(body: bytes) -> tuple[str, str]:
    """Return the requestId and traceId that a plain body claims in its metadata, each empty where none can be read."""
    try:
        metadata = _metadata(parse_json_object(body))
    except EncodingError:
        return "", ""
    return _plain(metadata.get("requestId")), _plain(metadata.get("traceId"))


def claimed_member(body: bytes) -> EnvelopeMember:
    """Return how an envelope spells its signed header; `header` where it names neither or both.

    An ack answers in the spelling of its request, whatever is wrong with that.
    """
    try:
        envelope = parse_json_object(body)
    except EncodingError:
        return EnvelopeMember.HEADER
    is_protected = "protected" in envelope and "header" not in envelope
    return EnvelopeMember.PROTECTED if is_protected else EnvelopeMember.HEADER


def _metadata(document: dict[str, Any]) -> dict[str, Any]:
    metadata = document.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 64 and value.isprintable() else ""
