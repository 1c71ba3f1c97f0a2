"""Where a node learns of its counterparties: its own directory (v3), or the registry of OCEN 4.0 (v4)."""

from collections.abc import Sequence
from typing import Protocol

from shared.protocol.participants import Participant
from shared.protocol.phases import Identified, KnownSender, Opened, ShownToken
from shared.protocol.verification import Failure


class CounterpartiesUnavailable(Exception):  # noqa: N818 - named as HTTP's Service Unavailable, which it becomes
    """The counterparty cannot be looked up now; the same message may be sent again later."""


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

    async def shown_token(self, message: Opened) -> ShownToken:
        """Return the access token that a message shows, together with the Auth Service that it has to be of.

        Raises:
            CounterpartiesUnavailable: the keys of the Auth Service are not known now.
        """

    async def sender(self, message: Opened) -> KnownSender:
        """Find out who has sent a message: by its kid in v3, in v4 by its token, which has been judged.

        Raises:
            CounterpartiesUnavailable: it cannot be found out now.
        """

    async def sender_anew(self, message: Identified, failure: Failure) -> KnownSender | None:
        """Look the sender up again if the failure may be due to something that has changed since; None if nothing has.

        Raises:
            CounterpartiesUnavailable: it cannot be found out now.
        """

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
