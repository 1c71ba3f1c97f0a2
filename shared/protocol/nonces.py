"""Nonces and freshness: what makes a message usable once (seed 002, "timeStamp and traceId ... act as a nonce")."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, default=repr)


@dataclass(frozen=True, slots=True)
class Nonce:
    """Sender, traceId and timestamp of one message; the same three never count twice, on whatever path.

    `timestamp` is the text as sent, `instant` the same moment in UTC.
    """

    sender: str
    trace_id: str
    timestamp: str
    instant: datetime

    @property
    def key(self) -> str:
        """One text for the three. It begins with the instant, so that keys grow with time and old ones go in one cut.

        None of the parts holds a line break: the checks admit printable characters only.
        """
        return f"{moment_key(self.instant)}\n{self.sender}\n{self.trace_id}\n{self.timestamp}"


@dataclass(frozen=True, slots=True)
class FreshnessWindow:
    """How far a timestamp may lie behind and ahead of the receiver's clock; the documents give no numbers."""

    past: timedelta = timedelta(seconds=300)
    future: timedelta = timedelta(seconds=60)

    def holds(self, instant: datetime, now: datetime) -> bool:
        """Tell whether a message stamped `instant` may be taken at `now` (both aware)."""
        return now - self.past <= instant <= now + self.future

    def forgettable_before(self, now: datetime) -> str:
        """Return the key below which nonces need no longer be remembered: their timestamps alone are stale."""
        return moment_key(now - self.past)


DEFAULT_WINDOW = FreshnessWindow()


def moment_key(instant: datetime) -> str:
    """Write an aware instant as microseconds since 1970 in a fixed width, so that texts order as the instants do."""
    return f"{(instant - _EPOCH) // timedelta(microseconds=1):017d}"


def content_fingerprint(message_name: str, document: Mapping[str, Any]) -> bytes:
    """Return what two deliveries of one message have in common: SHA-256 of its content in a canonical order.

    `metadata.timestamp` and `metadata.traceId` are left out, because a repeated message carries new ones; everything
    else counts, also the message's name, as one body may satisfy several messages (OCEN 4.0 API design, Idempotency).
    """
    metadata = {name: value for name, value in document["metadata"].items() if name not in ("timestamp", "traceId")}
    canonical = _CANONICAL_JSON.encode([message_name, {**document, "metadata": metadata}])
    return hashlib.sha256(canonical.encode()).digest()
