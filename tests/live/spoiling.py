"""Spoiled messages over real TLS: the LSP's good message, all that a forger has at hand, and a way for each row."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

import pytest

from shared.node.identity import load_identity
from shared.node.onboarding.record import participant_of, read_records
from shared.protocol.checks import CONNECTION_CHECKS, JOURNAL_CHECKS
from shared.protocol.checks.bearer import bearer_token_is_given, certificate_is_the_token_holders
from shared.protocol.checks.detached import signature_header_is_given_once
from shared.protocol.checks.payload import timestamp_is_fresh
from shared.protocol.checks.signature import certificate_is_registered, source_address_is_listed
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import load_private_key, new_private_key, private_pem
from shared.protocol.tampering import (
    Good,
    GoodMessage,
    OtherMessage,
    OtherParticipant,
    OutgoingMessage,
    Tampering,
    TlsIdentity,
)
from tests.live.forger import Answer, Forger, calling_as
from tests.live.letters import TRIGGER, VERIFY, letter, path_of
from tests.live.pair import LSP, SECOND_BANK, Pair

UNLISTED_ADDRESS = "127.0.0.2"

WHOLE = frozenset(
    {
        *CONNECTION_CHECKS,
        bearer_token_is_given,
        signature_header_is_given_once,
        certificate_is_registered,
        certificate_is_the_token_holders,
        source_address_is_listed,
        timestamp_is_fresh,
        *JOURNAL_CHECKS,
    }
)
"""Checks of connection, HTTP and replay: all of their rows are sent, for only there they are what they say."""

G = TypeVar("G", bound=Good)


def to_be_sent(rows: Sequence[Tampering[G]]) -> list[Tampering[G]]:
    """All rows of the checks that are `WHOLE`, and the first of every other check."""
    first = {row.caught_by: row for row in reversed(rows)}
    return [row for row in rows if row.caught_by in WHOLE or first[row.caught_by] is row]


class Forgers:
    """The callers of the lender that spoiled messages need: of the LSP or another, from a listed address or not."""

    def __init__(self, pair: Pair, other: str, kind: type[Forger] = Forger) -> None:
        """`other` is the organisation whose certificate is not the LSP's."""
        self._pair = pair
        self._other = other
        self._kind = kind
        self._stack = ExitStack()
        self._opened: dict[tuple[TlsIdentity, bool], Forger] = {}

    def send(self, message: OutgoingMessage) -> Answer:
        """Send a message with the certificate and from the address that it asks for."""
        if not message.from_listed_address and not is_ours(UNLISTED_ADDRESS):
            pytest.skip(f"this machine cannot call from {UNLISTED_ADDRESS}, the only address that is not listed")
        return self._forger(message.identity, message.from_listed_address).send(message)

    def close(self) -> None:
        """Let go of their connections."""
        self._stack.close()

    def _forger(self, identity: TlsIdentity, is_listed: bool) -> Forger:
        key = identity, is_listed
        if key not in self._opened:
            organisation_id = LSP if identity is TlsIdentity.OWN else self._other
            address = None if is_listed else UNLISTED_ADDRESS
            forger = calling_as(organisation_id, self._pair, self._pair.lender, address, self._kind)
            self._opened[key] = self._stack.enter_context(forger)
        return self._opened[key]


class Workshop:
    """Where messages of the LSP are made, spoiled and sent to the lender of a running pair.

    The lender is told of a blocked key of the LSP, as the operator of a lender would tell it.
    """

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._lsp = pair.lsp.identity
        self._records = {record.organisation_id: record for record in read_records(pair.certs / "participants.json")}
        strange = private_pem(new_private_key()).decode()
        self._stranger = load_private_key(strange, "stranger", "RS512")
        self._blocked = load_private_key(strange, "blocked-in-2030", "RS512")
        self._other = self._other_participant()
        self._forgers = Forgers(pair, SECOND_BANK.organisation_id)
        self.send = self._forgers.send

    def __enter__(self) -> Self:
        self._tell_of_a_blocked_key()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._forgers.close()

    def good(self) -> GoodMessage:
        """A message that the lender accepts, written now."""
        document = letter(TRIGGER, LSP)
        return GoodMessage(
            path=path_of(TRIGGER),
            document=document,
            key=self._lsp.signing_key,
            backup_key=self._lsp.backup_keys[0],
            blocked_key=self._blocked,
            unknown_key=self._stranger,
            other=self._other,
            elsewhere=OtherMessage(path_of(VERIFY), letter(VERIFY, LSP)),
            now=datetime.fromisoformat(document["metadata"]["timestamp"]).astimezone(UTC),
        )

    def _other_participant(self) -> OtherParticipant:
        record = self._records[SECOND_BANK.organisation_id]
        identity = load_identity(self._pair.certs / record.organisation_id / "identity.json")
        (certificate,) = participant_of(record).certificates
        return OtherParticipant(record.organisation_id, certificate, identity.signing_key)

    def _tell_of_a_blocked_key(self) -> None:
        """Let the lender know a key and block it; the back-up makes room for it meanwhile."""
        ops, backup = self._pair.lender.ops, self._lsp.backup_keys[0]
        ops.change_key(LSP, backup.kid, KeyStatus.RETIRED, "makes room")
        ops.add_key(LSP, self._blocked.public().to_pem(), self._blocked.kid)
        ops.change_key(LSP, self._blocked.kid, KeyStatus.BLOCKED, "somebody else has it")
        ops.add_key(LSP, backup.public().to_pem(), backup.kid)


def is_ours(address: str) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            return False
    return True
