"""Judging a signed text once more, long after it travelled: by the keys and certificates that counted then.

The checks are those of the protocol. Left aside is what nothing remembers: the HTTP request, the clock of the receiver,
and what a participant's addresses and role were. What was found of them at the time stands in the journal's own steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.node.evidence.remembered import Remembered
from shared.protocol.checks.bearer import (
    certificate_is_the_token_holders,
    token_holder_takes_part,
    token_party_is_its_holder,
)
from shared.protocol.checks.connection import source_address_is_listed
from shared.protocol.checks.payload import sender_has_the_role
from shared.protocol.detached import SIGNATURE_HEADER
from shared.protocol.messages import MessageType
from shared.protocol.profiles import PROFILES, V3, Profile
from shared.protocol.verification import Check, Examination, Need, Outcome, Peer, Step, examine

_FORGOTTEN = frozenset(
    {
        source_address_is_listed,
        sender_has_the_role,
        token_holder_takes_part,
        token_party_is_its_holder,
        certificate_is_the_token_holders,
    }
)
"""Access tokens are secrets and not kept; of certificates, OCEN 4.0's registry gives no more than thumbprints."""

_ALWAYS = frozenset({Need.KEY, Need.DIRECTORY})


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


def judge_message(text: SignedText, message_type: MessageType | None, register: Remembered) -> Examination:
    """Judge a message; without its type, not as to what it has to hold."""
    examination = _examination(text)
    examination.message_type = message_type
    if message_type is not None:
        examination.provided |= {Need.MESSAGE_TYPE}
    opening = text.profile.head_checks + text.profile.opening_checks
    return _judged(examination, text, register, opening, text.profile.verdict_checks)


def judge_ack(text: SignedText, trace_id: str, register: Remembered) -> Examination:
    """Judge the ack of the message with that traceId."""
    examination = _examination(text)
    examination.sent_trace_id = trace_id
    examination.provided |= {Need.SENT_MESSAGE}
    return _judged(examination, text, register, text.profile.ack_opening_checks, text.profile.ack_verdict_checks)


def flaws_of(text: SignedText, examination: Examination, register: Remembered) -> list[str]:
    """Say what does not hold: the check that failed, and what is wrong with the key and the certificate of then."""
    failed = [step for step in examination.steps if step.outcome is Outcome.FAILED]
    flaws = [f"{step.check.name}: expected {step.expected}; found {step.found}" for step in failed]
    flaws += register.flaws_of_key(text.signer, kid_of(examination))
    if text.peer is not None:
        flaws += register.flaws_of_certificate(text.signer, text.peer.certificate)
    return flaws


def kid_of(examination: Examination) -> str:
    """Return the kid of the key that a text was verified with, or else the one it names; empty where there is none."""
    return examination.key.kid if examination.key is not None else examination.kid or ""


def _examination(text: SignedText) -> Examination:
    provided = _ALWAYS | ({Need.CONNECTION} if text.peer else frozenset())
    return Examination(
        body=text.body,
        payload=text.body,
        algorithm=text.profile.algorithm,
        peer=text.peer,
        provided=provided,
        headers={SIGNATURE_HEADER: text.signature} if text.signature else {},
        id_in_metadata=text.profile.id_in_metadata,
    )


def _judged(
    examination: Examination, text: SignedText, register: Remembered, opening: Sequence[Check], verdict: Sequence[Check]
) -> Examination:
    examine(examination, opening)
    remembered = [one for one in verdict if one not in _FORGOTTEN]
    before, is_opened = examination.checkpoint(), examination.problem is None
    for holder in register.holders(text.signer, text.at, examination.kid):
        if is_opened:
            examination.rewind(before)
        examination.holder = text.profile.answerer(examination, holder)
        examine(examination, remembered)
        if examination.problem is None:
            break
    if examination.holder is None:
        examine(examination, remembered)
    examination.steps += [
        Step(one, Outcome.NOT_JUDGED, "", "no history is kept of it") for one in verdict if one in _FORGOTTEN
    ]
    return examination
