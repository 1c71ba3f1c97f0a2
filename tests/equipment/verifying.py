"""Verification by what a test knows, all at once: nobody has to be asked."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from shared.node.receive.verify import Refused, verify
from shared.protocol.detached import OpenedCall
from shared.protocol.phases import Identified, KnownSender, Opened, ShownToken, VerifiedMessage
from shared.protocol.profiles import Profile
from shared.protocol.tokens import Issuer
from shared.protocol.verification import ALL_OF_A_REQUEST, Failure, History, Verification

T = TypeVar("T")


class Known:
    """Counterparties of whom all is known. It remembers which phases a message has come to."""

    def __init__(self, sender: KnownSender, issuer: Issuer | None = None) -> None:
        self.found = sender
        self.issuer = issuer
        self.shown: ShownToken | None = None
        self.identified: Identified | None = None

    async def shown_token(self, message: Opened) -> ShownToken:
        assert isinstance(message, OpenedCall)
        assert self.issuer is not None
        self.shown = ShownToken(message.token_text, self.issuer, message.now, message.peer)
        return self.shown

    async def sender(self, message: Opened) -> KnownSender:
        self.identified = Identified(message, self.found)
        return self.found

    async def sender_anew(self, message: Identified, failure: Failure) -> KnownSender | None:
        return None


def verify_at_once(profile: Profile, opened: Opened, known: Known) -> VerifiedMessage | Refused:
    """Verify a message whose body is there."""

    async def body() -> bytes:
        return opened.body

    verdict = _result(verify(opened, body, profile, known))  # type: ignore[arg-type]
    assert verdict is not None
    return verdict


def verification_of(
    profile: Profile, opened: Opened, known: Known, failure: Failure | None, history: History | None = None
) -> Verification:
    """The verdict on that message, with every step."""
    phases = profile.phases(opened, known.shown, known.identified, history)
    return Verification(phases, ALL_OF_A_REQUEST, failure)


def _result(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits for something")
