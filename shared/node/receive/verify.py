"""What is done with a message that comes in before anybody acts on it: it is verified, phase by phase."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel

from shared.node.counterparties import Counterparties
from shared.protocol.nonces import Nonce
from shared.protocol.participants import Participant
from shared.protocol.phases import Identified, Opened, VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.profiles import Profile
from shared.protocol.verification import Failure, first_failure

ReadBody = Callable[[], Awaitable[bytes | None]]
"""Reads the body of a message; None if the client disconnects before it is complete."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a message is not accepted.

    Attributes:
        failure: the check that failed, if one did.
        reason: in words, if it was not refused by a check but by a rule, or because we cannot take it now.
        sender: the participant that has sent it, if it was identified.
    """

    problem: Problem
    failure: Failure | None = None
    reason: str = ""
    sender: Participant | None = None


async def verify(
    opened: Opened,
    read_body: ReadBody,
    profile: Profile,
    counterparties: Counterparties,
) -> VerifiedMessage | Refused | None:
    """Verify a message whose HTTP head is there; None if the client disconnects before its body is complete.

    The head checks need no body (v3 has none of them); the opening checks need nobody to be looked up; only then is the
    sender looked up and everything else judged, the signature before what it signs. If a check fails that may have
    failed because the sender has changed something since the look-up, the sender is looked up anew, and the checks are
    repeated. The journal's checks come later, inside the transaction that accepts the message.

    Raises:
        CounterpartiesUnavailable: who has sent it cannot be found out now.
    """
    if profile.head_checks and (failure := first_failure(profile.head_checks, opened)):
        return Refused(failure.problem, failure)
    body = await read_body()
    if body is None:
        return None
    opened.receive(body)
    if failure := first_failure(profile.opening_checks, opened):
        return Refused(failure.problem, failure)

    if profile.token_checks:
        shown = await counterparties.shown_token(opened)
        if failure := first_failure(profile.token_checks, shown):
            return Refused(failure.problem, failure)
    identified = Identified(opened, await counterparties.sender(opened))
    failure = first_failure(profile.verdict_checks, identified)
    if failure and (newer := await counterparties.sender_anew(identified, failure)):
        identified = Identified(opened, newer)
        failure = first_failure(profile.verdict_checks, identified)
    if failure:
        return Refused(failure.problem, failure, sender=identified.sender.holder)
    return _verified(identified, profile)


def _verified(identified: Identified, profile: Profile) -> VerifiedMessage:
    """Make the message that rules and journal see; every check but the journal's has passed."""
    opened, key, instant, content = identified.opened, identified.key, identified.instant, identified.content
    assert key is not None
    assert instant is not None
    assert isinstance(content, BaseModel)
    metadata, holder = opened.claims.metadata, identified.holder
    return VerifiedMessage(
        message_type=opened.expected,
        sender=holder,
        answer_variant=profile.variant_of(opened, holder),
        kid=key.kid,
        payload=opened.payload,
        document=opened.claims.document,
        content=content,
        nonce=Nonce(holder.id, metadata["traceId"], metadata["timestamp"], instant),
        request_id=opened.claims.identified["requestId"],
        wire=opened.wire,
        received_at=opened.now,
    )
