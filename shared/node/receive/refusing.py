"""What becomes of a message that is refused: a signed answer, and a note in the journal."""

from typing import Final

from shared.clock import Clock
from shared.node.counterparties import Counterparties
from shared.node.identity import Identity
from shared.node.journal import Journal
from shared.node.receive.verify import Refused
from shared.node.refusals import Refusal
from shared.node.telemetry import Telemetry
from shared.protocol.detached import OpenedCall
from shared.protocol.phases import Opened
from shared.protocol.problems import Problem
from shared.protocol.profiles import Profile
from shared.protocol.tokens import challenge
from shared.protocol.verification import Acknowledgement, explain

RETRY_AFTER_SECONDS: Final = 5


class Refusals:
    """Signs the answers to messages of one profile that are refused, and notes them; neither ever raises."""

    def __init__(
        self,
        *,
        identity: Identity,
        directory: Counterparties,
        journal: Journal,
        clock: Clock,
        telemetry: Telemetry,
        explains: bool,
        profile: Profile,
    ) -> None:
        """`explains` puts `detail` into the answers."""
        self._identity = identity
        self._directory = directory
        self._journal = journal
        self._clock = clock
        self._telemetry = telemetry
        self._explains = explains
        self._profile = profile

    def answer(self, opened: Opened, refused: Refused) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers of a refusal, in the form of the request and signed; else an empty 500."""
        problem = refused.problem
        try:
            wraps = opened.message_type is not None and opened.message_type.wraps_ack
            detail = explain(problem, refused.failure, refused.reason) if self._explains else None
            ack = Acknowledgement(opened.claims.trace_id, self._clock.now(), problem, detail, wraps)
            variant, status = self._profile.variant_of(opened, refused.sender), problem.status
            body, signed = self._profile.sign(ack.payload(), self._identity.signing_key, variant)
        except Exception as error:
            self._telemetry.trouble("answer not signed", error)
            body, signed, status = b"", {}, 500
        return status, body, {**signed, **self._http_headers(opened, problem)}

    async def note(self, opened: Opened, refused: Refused) -> None:
        """Write a refusal down for people to look at."""
        if refused.problem is Problem.UNAVAILABLE:  # a storage that has just failed must not delay the answer once more
            return
        try:
            await self._journal.note_refusal(
                Refusal(
                    received_at=self._clock.now(),
                    peer=self.peer_name(opened),
                    address=opened.peer.address,
                    path=opened.wire.path,
                    request_id=opened.claims.request_id,
                    trace_id=opened.claims.trace_id,
                    problem=refused.problem,
                    failure=refused.failure,
                    raw=opened.body,
                    signature=opened.signature_text,
                    reason=refused.reason,
                )
            )
        except Exception as error:  # the note is for people; without it the answer is the same
            self._telemetry.trouble("refusal not written down", error)

    def peer_name(self, opened: Opened) -> str:
        """Return the organisation whose certificate the connection has; empty where nobody has registered it."""
        owner = self._directory.owner(opened.peer.certificate)
        return owner.id if owner else ""

    def _http_headers(self, opened: Opened, problem: Problem) -> dict[str, str]:
        headers = {}
        if problem is Problem.METHOD_NOT_ALLOWED:
            headers["allow"] = opened.expected.method
        elif problem.status in (429, 503):
            headers["retry-after"] = str(RETRY_AFTER_SECONDS)
        elif isinstance(opened, OpenedCall) and problem.status in (401, 403):
            headers["www-authenticate"] = challenge(problem, opened.token_text != "")
        if not opened.body and self._profile.head_checks:
            headers["connection"] = "close"  # else what was not read of the body would be parsed as the next request
        return headers
