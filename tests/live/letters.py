"""Messages written by hand: payloads under the metadata of a given moment, and the envelopes of a given key."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.catalogue.table import example_of, find_message
from shared.node.ids import new_id
from shared.protocol.encoding import dump_json, format_timestamp
from shared.protocol.envelope import seal
from shared.protocol.signing import SigningKey

TRIGGER, TRIGGERED = "TriggerLoanAcceptanceRequest", "TriggerLoanAcceptanceResponse"
VERIFY, VERIFIED = "VerifyLoanAcceptanceRequest", "VerifyLoanAcceptanceResponse"


def path_of(message: str) -> str:
    """Where a message is taken."""
    return find_message(message).path


def letter(message: str, sender: str, *, age: timedelta = timedelta(0), **members: Any) -> dict[str, Any]:
    """A payload that was written `age` ago: the catalogue's example, with these members changed or added."""
    return written({"requestId": new_id(), **example_of(find_message(message)), **members}, sender, age=age)


def rewritten(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The same payload under metadata of now, and thereby with another nonce; with these members changed or added."""
    return written({**document, **members}, document["metadata"]["orgId"])


def written(content: dict[str, Any], sender: str, *, age: timedelta = timedelta(0)) -> dict[str, Any]:
    """This content as a payload that was written `age` ago."""
    timestamp = format_timestamp(datetime.now(UTC) - age)
    return {**content, "metadata": {"version": "1.0", "timestamp": timestamp, "traceId": new_id(), "orgId": sender}}


def envelope(document: dict[str, Any], key: SigningKey) -> bytes:
    """The signed bytes of a payload."""
    return seal(dump_json(document), key).to_bytes()
