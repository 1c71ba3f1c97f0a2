"""A lender that takes messages: the profile with a directory and a journal in memory."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from shared.catalogue.table import example_of, find_message, messages_received_by
from shared.node.receive.verify import Refused
from shared.protocol.messages import Role
from shared.protocol.nonces import content_fingerprint
from shared.protocol.participants import Participant
from shared.protocol.phases import KnownSender, Opened, Peer, VerifiedMessage, WireMessage
from shared.protocol.profiles import V3, Profile
from shared.protocol.tampering import OutgoingMessage, TlsIdentity
from shared.protocol.verification import History, Verification, first_failure
from tests.equipment.verifying import Known, verification_of, verify_at_once

NOW = datetime(2031, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
LSP_CERTIFICATE = "11" * 32
LENDER_CERTIFICATE = "22" * 32
LISTED_ADDRESS = "10.4.17.8"
UNLISTED_ADDRESS = "10.4.18.8"

_PATHS = {message.path: message for message in messages_received_by(Role.LENDER)}
_CERTIFICATES = {TlsIdentity.OWN: LSP_CERTIFICATE, TlsIdentity.OTHER: LENDER_CERTIFICATE}


def payload_of(name: str, **metadata: str) -> dict[str, Any]:
    """A payload of that message, sent by the LSP now."""
    stamp = {"version": "1.0", "timestamp": "2031-03-04T05:06:07.890Z", "traceId": "trace-1", "orgId": "Lsp-417"}
    return {"metadata": {**stamp, **metadata}, "requestId": "request-1", **example_of(find_message(name))}


def arrived(message: OutgoingMessage) -> WireMessage:
    """The message as the lender's socket sees it: no query in the path, lines of one name joined (RFC 9110 s5.3)."""
    address = LISTED_ADDRESS if message.from_listed_address else UNLISTED_ADDRESS
    peer = Peer(_CERTIFICATES[message.identity], address)
    headers = dict(message.headers)
    for name, value in message.further_headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return WireMessage(message.method, message.path.partition("?")[0], headers, message.body, peer)


class Receiver:
    """Takes messages as a lender does, and remembers the nonces and requestIds of those it accepted."""

    profile: Profile = V3

    def __init__(self, participants: Iterable[Participant]) -> None:
        self.nonces: set[str] = set()
        self.requests: dict[tuple[str, str], bytes] = {}
        self._holders = {key.kid: participant for participant in participants for key in participant.keys}

    def take(self, message: OutgoingMessage, now: datetime = NOW) -> Verification:
        """Judge a message as a whole."""
        opened, known = self.opened(message, now), self.known(message)
        verdict = verify_at_once(self.profile, opened, known)
        if isinstance(verdict, Refused):
            return verification_of(self.profile, opened, known, verdict.failure)
        history = self._history(verdict)
        failure = first_failure(self.profile.journal_checks, history)
        if failure is None:
            self.nonces.add(verdict.nonce.key)
            self.requests[verdict.sender.id, verdict.request_id] = _fingerprint(verdict)
        return verification_of(self.profile, opened, known, failure, history)

    def judge(self, message: OutgoingMessage, now: datetime = NOW) -> VerifiedMessage | Refused:
        """Judge a message up to the point at which the journal is asked."""
        return verify_at_once(self.profile, self.opened(message, now), self.known(message))

    def opened(self, message: OutgoingMessage, now: datetime = NOW) -> Opened:
        """The message as it is before anybody is looked up."""
        wire = arrived(message)
        return V3.opened(wire, _PATHS.get(wire.path), now)

    def known(self, message: OutgoingMessage) -> Known:
        """What there is to know of its sender."""
        return Known(KnownSender(self._holders.get(self.opened(message).kid)))

    def _history(self, verified: VerifiedMessage) -> History:
        if verified.nonce.key in self.nonces:
            return History.NONCE_USED
        earlier = self.requests.get((verified.sender.id, verified.request_id))
        if earlier is None:
            return History.NEW
        return History.REPEATED if earlier == _fingerprint(verified) else History.CONFLICT


def _fingerprint(verified: VerifiedMessage) -> bytes:
    return content_fingerprint(verified.message_type.name, verified.document)
