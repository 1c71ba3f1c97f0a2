"""The parts of the evidence: every signed text under a requestId, judged again, and what is at odds with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.node.evidence.judging import SignedText, kid_of
from shared.protocol.participants import KeyStatus
from shared.protocol.verification import Examination

Quotes = tuple[tuple[str, str], ...]


class Verdict(StrEnum):
    """What the evidence says of a part."""

    HOLDS = "holds"
    FAILS = "does not hold"
    NOTHING = "nothing to verify"


@dataclass(frozen=True, slots=True)
class Part:
    """One text that travelled, or should have.

    Attributes:
        name: the beginning of the names of its files.
        what: what it is, in words.
        text: the exact bytes, and who has to have signed them; without bytes nothing travelled.
        examination: the checks that were made again; None where the text is not to be believed, and `note` says why.
        flaws: what does not hold; they may quote what a stranger, or whoever spoiled a row, has written.
        quotes: members that the signed payload has to have, with their values.
        recorded: the checks as the journal recorded them at the time, in its own writing.
        is_accepted: whether it belongs to the exchange that counts, and not to a try that came to nothing.
    """

    name: str
    what: str
    text: SignedText
    examination: Examination | None = None
    flaws: tuple[str, ...] = ()
    note: str = ""
    quotes: Quotes = ()
    recorded: str = "[]"
    is_accepted: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether it holds."""
        if self.flaws:
            return Verdict.FAILS
        return Verdict.HOLDS if self.examination is not None else Verdict.NOTHING

    @property
    def kid(self) -> str:
        """The kid of its key, empty where none can be read."""
        return kid_of(self.examination) if self.examination is not None else ""

    @property
    def key_status(self) -> KeyStatus | None:
        """The status that its key had then."""
        holder = self.examination.holder if self.examination is not None else None
        key = holder.key(self.kid) if holder is not None else None
        return key.status if key is not None else None


def message_quotes(examination: Examination, request_id: str, text: SignedText) -> Quotes:
    """Return what the payload of a message has to say."""
    stamped = (("traceId", trace_id_of(examination)), ("timestamp", _text(examination.metadata, "timestamp")))
    return (("requestId", request_id), *stamped, (text.profile.sender_member, text.signer))


def trace_id_of(examination: Examination) -> str:
    """Return the traceId that a message bears, empty where none can be read."""
    return _text(examination.metadata, "traceId")


def error_of(examination: Examination) -> str:
    """Return the error of an ack, empty where none can be read."""
    return _text(examination.document, "error")


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""
