"""What is done with a message that comes in before anybody acts on it: it is verified, phase by phase."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel

from shared.node.counterparties import Counterparties
from shared.protocol.nonces import Nonce
from shared.protocol.opened import Opened
from shared.protocol.participants import Participant
from shared.protocol.phases import Identified, VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.profiles import Profile
from shared.protocol.verification import Failure, first_failure


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a message is not accepted.

    Attributes:
        failure: the check that failed, if one did.
        reason: in words, where no check has refused it but a rule or what we can do at the moment.
        sender: who has sent it, as far as anybody is known.
    """

    problem: Problem
    failure: Failure | None = None
    reason: str = ""
    sender: Participant | None = None


async def verify(
    opened: Opened,
    read_body: Callable[[], Awaitable[bytes | None]],
    profile: Profile,
    counterparties: Counterparties,
) -> VerifiedMessage | Refused | None:
    """Verify a message whose head is there; None if its sender went away before all of it was.

    What the head alone tells is judged before the body is read, and nothing that costs anything before the sender is
    looked up. The journal's checks come later, inside the transaction that accepts the message. Where a check fails
    that may only be out of date, the sender is looked up anew and the message judged by that.

    Raises:
        CounterpartiesUnavailable: who has sent it cannot be found out now.
    """
    if failure := first_failure(profile.head_checks, opened):
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
    metadata, holder = opened.metadata, identified.holder
    return VerifiedMessage(
        message_type=opened.expected,
        sender=holder,
        answer_style=profile.style_of(opened, holder),
        kid=key.kid,
        payload=opened.payload,
        document=opened.document,
        content=content,
        nonce=Nonce(holder.organisation_id, metadata["traceId"], metadata["timestamp"], instant),
        request_id=opened.identified["requestId"],
        wire=opened.wire,
        received_at=opened.now,
    )
