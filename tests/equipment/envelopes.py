"""Looking into signed envelopes without judging them."""

import json
from typing import Any

from shared.protocol.encoding import base64url_decode


def parts_of(envelope: bytes) -> dict[str, str]:
    """The members of an envelope."""
    parts: dict[str, str] = json.loads(envelope)
    return parts


def payload_inside(envelope: bytes) -> dict[str, Any]:
    """What an envelope says."""
    payload: dict[str, Any] = json.loads(base64url_decode(parts_of(envelope)["payload"]))
    return payload
