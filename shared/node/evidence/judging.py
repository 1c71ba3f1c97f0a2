"""Judging a signed text once more, long after it travelled: by the keys and certificates that counted then.

The checks are those of the protocol. Left aside is what nothing remembers: the HTTP request, the clock of the receiver,
and what a participant's addresses and role were. What was found of them at the time stands in the journal's own steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.node.evidence.remembered import Remembered
from shared.protocol.detached import SIGNATURE_HEADER
from shared.protocol.messages import MessageType
from shared.protocol.opened import NO_PEER, Opened, Peer, WireMessage
from shared.protocol.profiles import PROFILES, V3, HolderOf, Judged, Profile
from shared.protocol.verification import Need

_ALWAYS = frozenset({Need.KEY, Need.DIRECTORY, Need.SIGNATURE})
"""There is no history of addresses and roles. Access tokens are secrets and not kept; of certificates, OCEN 4.0's
registry gives no more than thumbprints."""


@dataclass(frozen=True, slots=True)
class SignedText:
    """Bytes that travelled: who has to have signed them, when they were made or judged (aware), and by which profile.

    `peer` is the connection of the signer where the journal has it; `signature` what signs the body where that does not
    stand in it.
    """

    body: bytes
    signer: str
    at: datetime
    profile: Profile = V3
    peer: Peer | None = None
    signature: str = ""


def profile_of(message_type: MessageType | None) -> Profile:
    """Return the profile of a message; where nobody knows it any more, v3."""
    return PROFILES[message_type.version] if message_type else V3


def judge_message(text: SignedText, message_type: MessageType | None, register: Remembered) -> Judged:
    """Judge a message; without its type, not as to what it has to hold."""
    opened = _opened(text, message_type)
    provided = _provided(text) | ({Need.MESSAGE_TYPE} if message_type else frozenset())
    return _judged(text, opened, register, partial(text.profile.judge_offline, opened, provided=provided))


def judge_ack(text: SignedText, trace_id: str, register: Remembered) -> Judged:
    """Judge the ack of the message with that traceId."""
    opened = _opened(text, answers=trace_id)
    provided = _provided(text) | {Need.SENT_MESSAGE}
    return _judged(text, opened, register, partial(text.profile.judge_ack, opened, provided=provided))


def _judged(text: SignedText, opened: Opened, register: Remembered, judge: Callable[[HolderOf], Judged]) -> Judged:
    """Judge by each participant that the kid may have meant then, until one fits."""
    judged = judge(lambda kid: None)
    for holder in register.holders(text.signer, text.at, opened.kid):
        judged = judge(partial(text.profile.answerer, holder))
        if judged.verification.passed:
            break
    return judged


def flaws_of(text: SignedText, judged: Judged, register: Remembered) -> list[str]:
    """Say what does not hold: the check that failed, and what is wrong with the key and the certificate of then."""
    failure = judged.verification.failure
    flaws = [f"{failure.check.name}: expected {failure.expected}; found {failure.found}"] if failure else []
    flaws += register.flaws_of_key(text.signer, judged.kid)
    if text.peer is not None:
        flaws += register.flaws_of_certificate(text.signer, text.peer.certificate)
    return flaws


def _provided(text: SignedText) -> frozenset[Need]:
    return _ALWAYS | ({Need.CONNECTION} if text.peer else frozenset())


def _opened(text: SignedText, message_type: MessageType | None = None, answers: str = "") -> Opened:
    headers = {SIGNATURE_HEADER: text.signature} if text.signature else {}
    wire = WireMessage("", "", headers, text.body, text.peer or NO_PEER)
    return text.profile.opened(wire, message_type, text.at, answers=answers)
