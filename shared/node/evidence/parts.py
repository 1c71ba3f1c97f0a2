"""The parts of the evidence: every signed text under a requestId, judged again, and what is at odds with it."""

from dataclasses import dataclass
from enum import StrEnum

from shared.node.evidence.judging import SignedText
from shared.node.evidence.recorded import Checks
from shared.protocol.participants import KeyStatus
from shared.protocol.profiles import Judged

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
        judged: the checks that were made again; None where the text is not to be believed, and `note` says why.
        flaws: what does not hold; they may quote what a stranger, or whoever spoiled a row, has written.
        quotes: members that the signed payload has to have, with their values.
        recorded: the checks as the journal recorded them at the time; None where that cannot be read.
        is_accepted: whether it belongs to the exchange that counts, and not to a try that came to nothing.
    """

    name: str
    what: str
    text: SignedText
    judged: Judged | None = None
    flaws: tuple[str, ...] = ()
    note: str = ""
    quotes: Quotes = ()
    recorded: Checks | None = ()
    is_accepted: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether it holds."""
        if self.flaws:
            return Verdict.FAILS
        return Verdict.HOLDS if self.judged is not None else Verdict.NOTHING

    @property
    def kid(self) -> str:
        """The kid of its key, empty where none can be read."""
        return self.judged.kid if self.judged is not None else ""

    @property
    def key_status(self) -> KeyStatus | None:
        """The status that its key had then."""
        holder = self.judged.holder if self.judged is not None else None
        key = holder.key(self.kid) if holder is not None else None
        return key.status if key is not None else None


def message_quotes(judged: Judged, request_id: str, text: SignedText) -> Quotes:
    """Return what the payload of a message has to say."""
    timestamp = judged.opened.metadata.get("timestamp")
    stamped = (("traceId", judged.opened.trace_id), ("timestamp", timestamp if isinstance(timestamp, str) else ""))
    return (("requestId", request_id), *stamped, (text.profile.sender_member, text.signer))


def error_of(judged: Judged) -> str:
    """Return the error of an ack, empty where none can be read."""
    error = judged.identified.ack.get("error") if judged.identified is not None else None
    return error if isinstance(error, str) else ""
