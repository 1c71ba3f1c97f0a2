"""Nonces and freshness: what makes a message usable once (OCEN v3 Security, "act as a nonce")."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import cached_property
from typing import Any

from shared.protocol.encoding import MAX_NUMBER_LENGTH

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Nonce:
    """Sender, traceId and timestamp of one message; the same three never count twice, on whatever path.

    `timestamp` is the text as sent, `instant` the same moment in UTC.
    """

    sender: str
    trace_id: str
    timestamp: str
    instant: datetime

    @cached_property
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

    def forgettable_before(self, now: datetime) -> str:
        """Return the key below which nonces need no longer be remembered: their timestamps alone are stale."""
        return moment_key(now - self.past)


DEFAULT_WINDOW = FreshnessWindow()


def moment_key(instant: datetime) -> str:
    """Write an aware instant as microseconds since 1970 in a fixed width, so that texts order as the instants do."""
    return f"{(instant - _EPOCH) // timedelta(microseconds=1):017d}"


def content_fingerprint(message_name: str, document: Mapping[str, Any]) -> bytes:
    """Return what two deliveries of one message have in common: a byte, then SHA-256 of its content as canonical bytes.

    `metadata.timestamp` and `metadata.traceId` are left out, because a repeated message carries new ones; everything
    else counts, also the message's name, as one body may satisfy several messages (OCEN 4.0 API design, Idempotency).

    Content is equal where it is equal to a reader of JSON (RFC 8259; as RFC 8785 has it, but no digit of a number is
    lost): whatever the order of members, the white space and the escapes. Numbers are equal by value: 1.5 is 1.50 and
    15e-1, and 1 is 1.0, but none of them is a text; of more than 40 digits a number counts as it is written, with or
    without an exponent. Texts are equal character by character; Unicode is not normalised.
    """
    return _EXACT_NUMBERS + _digest(_CANONICAL_JSON, message_name, document)


def is_fingerprint_of(fingerprint: bytes, message_name: str, document: Mapping[str, Any]) -> bool:
    """Tell whether a fingerprint that was stored is the one of this content.

    Those of former versions have no first byte. In them a number with a fraction is the text that Python shows for it.
    """
    if fingerprint.startswith(_EXACT_NUMBERS) and len(fingerprint) > hashlib.sha256().digest_size:
        return fingerprint == content_fingerprint(message_name, document)
    return fingerprint == _digest(_FORMER_JSON, message_name, document)


def _digest(canonical: json.JSONEncoder, message_name: str, document: Mapping[str, Any]) -> bytes:
    metadata = {name: value for name, value in document["metadata"].items() if name not in ("timestamp", "traceId")}
    return hashlib.sha256(canonical.encode([message_name, {**document, "metadata": metadata}]).encode()).digest()


def _canonical_number(value: Decimal) -> Any:
    """Write a number so that it is no other value's: in as many characters as it was sent, for 1e399 has 400 digits."""
    shortest = _ALL_DIGITS.normalize(value)
    if shortest.adjusted() < MOST_DIGITS and shortest == shortest.to_integral_value():
        return int(shortest)
    return [math.inf, str(shortest)]  # no document has an infinity, so this is no array of any


MOST_DIGITS = 40
"""Digits of a whole number up to which it is the same content with and without a fraction or an exponent."""

_EXACT_NUMBERS = b"\x02"
_ALL_DIGITS = Context(prec=MAX_NUMBER_LENGTH)
_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, default=_canonical_number)
_FORMER_JSON = json.JSONEncoder(sort_keys=True, default=repr)
