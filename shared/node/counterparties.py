"""Where a node learns of its counterparties: its own directory (v3), or the registry of OCEN 4.0 (v4)."""

from collections.abc import Sequence
from typing import Protocol

from shared.protocol.participants import Participant
from shared.protocol.profiles import Profile
from shared.protocol.verification import Examination


class CounterpartiesUnavailable(Exception):  # noqa: N818 - named as HTTP's Service Unavailable, which it becomes
    """Who the other side is cannot be found out now; the same message may come again later."""


class Access(Protocol):
    """Gives the access tokens that our calls carry (OCEN 4.0 access token)."""

    async def token(self) -> str:
        """Return the token that is in force.

        Raises:
            CounterpartiesUnavailable: there is none, and none can be had now.
        """

    async def renew(self, refused: str) -> str:
        """Return another token in place of one that was refused, or the same where none can be had so soon."""


class Counterparties(Protocol):
    """Knows who sends, and where to send."""

    async def identify(self, profile: Profile, examination: Examination) -> None:
        """Find out who has sent an opened message: put its `holder` into the examination, and what leads to it.

        Raises:
            CounterpartiesUnavailable: it cannot be found out now.
        """

    async def renew(self, examination: Examination) -> bool:
        """Ask again for what a message was refused by, if that may be out of date; tell whether it has changed."""

    async def receiver(self, participant_id: str) -> Participant | None:
        """Return the participant that a message is to be sent to; None if there is none.

        Raises:
            CounterpartiesUnavailable: it cannot be found out now.
        """

    async def receiver_anew(self, known: Participant) -> Participant | None:
        """Return a receiver with other keys or certificates than are known; None if nobody knows of any, or can say."""

    def participants(self) -> Sequence[Participant]:
        """Return those that are known without asking, in the order of their ids."""

    def owner(self, certificate: str) -> Participant | None:
        """Return the participant that shows a certificate of that thumbprint, as far as it is known without asking."""
