"""Verifies a signed text again, long after it travelled, with the keys and certificates that were valid then.

The checks are those of the protocol. Left out is what is not stored: the HTTP request, the receiver's
clock, and what a participant's addresses and role were.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.node.evidence.remembered import Remembered
from shared.node.onboarding.certificates import CertificateUse
from shared.protocol.detached import SIGNATURE_HEADER
from shared.protocol.messages import MessageType
from shared.protocol.phases import NO_PEER, Peer, WireMessage
from shared.protocol.profiles import PROFILES, V3, Judged, Profile
from shared.protocol.verification import Need

_ALWAYS = frozenset({Need.KEY, Need.DIRECTORY, Need.SIGNATURE})
"""There is no history of addresses and roles. Access tokens are secrets and not kept; of certificates, OCEN 4.0's
registry gives no more than thumbprints."""


@dataclass(frozen=True, slots=True)
class SignedText:
    """Bytes that travelled.

    Attributes:
        signer: who has to have signed them, by the id of the profile.
        at: when they were made or judged (aware).
        peer: the connection of the signer, where the journal has it.
        signature: what signs the body, where that does not stand in it.
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


def judge(
    text: SignedText, register: Remembered, message_type: MessageType | None = None, answers: str | None = None
) -> Judged:
    """Judge a message, or an ack where it `answers` the message with a traceId, by whoever its kid may mean.

    Without its type a message is not judged as to what it has to hold.
    """
    profile, is_ack = text.profile, answers is not None
    headers = {SIGNATURE_HEADER: text.signature} if text.signature else {}
    wire = WireMessage("", "", headers, text.body, text.peer or NO_PEER)
    opened = profile.opened(wire, message_type, text.at, answers=answers or "")
    given = {Need.CONNECTION: text.peer, Need.MESSAGE_TYPE: message_type, Need.SENT_MESSAGE: answers}
    provided = _ALWAYS | {need for need, fact in given.items() if fact is not None}
    judge_by = partial(profile.judge_ack if is_ack else profile.judge_offline, opened, provided=provided)
    judged = judge_by(lambda kid: None)
    use = CertificateUse.SERVING if is_ack else CertificateUse.CALLING  # of the certificate that the signer showed
    for holder in register.holders(profile, text.signer, text.at, opened.kid, use):
        judged = judge_by(partial(profile.answerer, holder))
        if judged.verification.passed:
            break
    return judged
