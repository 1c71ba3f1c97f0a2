"""The evidence of rows that somebody has changed since: manifest, README.txt and verify.sh all say so."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.node.evidence.judging import SignedText, judge
from shared.node.evidence.remembered import Remembered
from shared.node.tables import INBOX
from shared.protocol.encoding import dump_json
from shared.protocol.envelope import seal
from shared.storage.database import READ_ONLY
from tests.equipment.clock import NOW
from tests.equipment.counterparty import answering
from tests.equipment.evidence import OPENSSL, delete, spoil
from tests.equipment.parties import LENDER, LSP, lender_key, lsp_key
from tests.equipment.records import public_pem, tls_identity
from tests.equipment.storage import rows, sqlite_engine
from tests.node.exchanged import LENDER_DER, TRIGGERED, acked, evidence, exchange

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed here")

Spoiling = tuple[str, str, Callable[[Any], Any], dict[str, Any], str]


def flipped(place: int) -> Callable[[bytes], bytes]:
    """Change one character in the middle of a text, to another that base64url has too."""

    def change(raw: bytes) -> bytes:
        at = place if place >= 0 else len(raw) + place
        return raw[:at] + (b"A" if raw[at : at + 1] != b"A" else b"B") + raw[at + 1 :]

    return change


def ack_of(trace_id: str, *, by_lender: bool = False) -> Callable[[bytes], bytes]:
    """Put a genuine ack in place of another."""
    payload = dump_json({"error": "0", "traceId": trace_id, "timestamp": "2031-03-04T05:06:07.890Z"})
    return lambda _: seal(payload, lender_key() if by_lender else lsp_key()).to_bytes()


def instead(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


ACCEPTED = {"outcome": "ACCEPTED"}
CALLBACK_TRACE = "trace-of-the-callback"
OTHER_PEM = tls_identity("lsp.example").pem

DAYS = timedelta(days=2)
LENDERS_KEY, LENDERS = {"kid": "LENDER01-kid"}, {"organisation_id": LENDER}

SPOILED: list[Spoiling] = [
    ("2-callback", "inbox.raw", flipped(40), {}, "signature_verifies"),
    ("2-callback", "inbox.raw", flipped(-40), {}, "signature_verifies"),
    ("2-callback", "inbox.raw", flipped(0), {}, "body_is_a_json_object"),
    ("2-callback", "inbox.raw", instead(b"\xff\x00\n"), {}, "body_is_a_json_object"),
    ("2-callback", "inbox.raw", instead(b""), {}, "body_is_a_json_object"),
    ("2-callback", "inbox.message", instead("VerifyLoanAcceptanceResponse"), {}, "content_fits_the_message"),
    ("2-message", "inbox.message", instead("NoSuchMessage\n"), {}, "NoSuchMessage? is no message of the catalogue"),
    ("2-callback", "inbox.sender", instead("NOBODY"), {}, "kid_selects_a_key_that_counts"),
    ("2-callback", "inbox.certificate", instead("ab" * 32), {}, "certificate_is_registered"),
    ("2-callback", "inbox.received_at", lambda at: at - DAYS, {}, "which is nobody's"),
    ("2-callback-ack", "inbox.ack", flipped(40), {}, "signature_verifies"),
    ("2-callback-ack", "inbox.ack", ack_of("another"), {}, "ack_names_our_trace_id"),
    ("2-callback-ack", "inbox.ack", ack_of(CALLBACK_TRACE, by_lender=True), {}, "kid_selects_a_key_that_counts"),
    ("1-request", "attempts.sent", flipped(40), ACCEPTED, "signature_verifies"),
    ("1-request", "attempts.sent", instead(b""), ACCEPTED, "body_is_a_json_object"),
    ("1-request-try-1", "attempts.started_at", lambda at: at - DAYS, ACCEPTED, "which is nobody's"),
    ("1-request-try-1", "attempts.sent", flipped(40), {"outcome": "FAILED"}, "signature_verifies"),
    ("1-request-try-1-ack", "attempts.outcome", instead("ACCEPTED"), {"outcome": "FAILED"}, "body_is_a_json_object"),
    ("1-request-ack", "attempts.answer", flipped(40), ACCEPTED, "signature_verifies"),
    ("1-request-ack", "attempts.answer", instead(b""), ACCEPTED, "body_is_a_json_object"),
    ("1-request-ack", "attempts.answer", ack_of("other", by_lender=True), ACCEPTED, "ack_names_our_trace_id"),
    ("1-request-ack", "attempts.certificate", instead(""), ACCEPTED, "certificate_is_registered"),
    ("1-request-ack", "attempts.milliseconds", instead(-2 * 86_400_000.0), ACCEPTED, "which is nobody's"),
    ("1-message", "outbox.message", instead("NoSuchMessage"), {}, "NoSuchMessage is no message of the catalogue"),
    ("1-request-ack", "outbox.receiver", instead("NOBODY"), {}, "kid_selects_a_key_that_counts"),
    ("2-callback", "participant_keys.pem", instead(public_pem("leaf")), LENDERS_KEY, "signature_verifies"),
    ("2-callback", "participant_keys.pem", instead("none"), LENDERS_KEY, "which is nobody's"),
    ("2-callback", "participant_keys.algorithm", instead("XX"), LENDERS_KEY, "which is nobody's"),
    ("2-callback", "participant_keys.kid", instead("another"), LENDERS_KEY, "which is nobody's"),
    ("2-callback", "participant_keys.organisation_id", instead("NOBODY"), LENDERS_KEY, "which is nobody's"),
    ("2-callback", "key_events.status", instead("BLOCKED"), LENDERS_KEY, "BLOCKED key of LENDER01"),
    ("2-callback", "key_events.status", instead("GONE"), LENDERS_KEY, "which is nobody's"),
    ("2-callback", "key_events.kid", instead("another"), LENDERS_KEY, "which is nobody's"),
    ("2-callback", "key_events.at", lambda at: at + DAYS, LENDERS_KEY, "which is nobody's"),
    ("2-callback", "participants.organisation_id", instead("NOBODY"), LENDERS, "which is nobody's"),
    ("2-callback", "participant_certificates.pem", instead(OTHER_PEM), LENDERS, "certificate_is_registered"),
    ("2-callback", "participant_certificates.pem", instead("none"), LENDERS, "certificate_is_registered"),
    ("2-callback", "participant_certificates.organisation_id", instead("NOBODY"), LENDERS, "certificate_is_registered"),
    (
        "2-callback",
        "participant_certificates.registered_at",
        lambda at: at + DAYS,
        LENDERS,
        "certificate_is_registered",
    ),
    (
        "2-callback",
        "participant_certificates.removed_at",
        instead(NOW - DAYS / 4),
        LENDERS,
        "certificate_is_registered",
    ),
]


@pytest.mark.parametrize(
    ("part", "column", "change", "where", "error"),
    SPOILED,
    ids=[f"{one[1]}-{number}" for number, one in enumerate(SPOILED)],
)
async def test_a_row_that_was_changed_is_told(
    tmp_path: Path, part: str, column: str, change: Callable[[Any], Any], where: dict[str, Any], error: str
) -> None:
    with sqlite_engine(tmp_path) as engine:
        await exchange(engine, answering(b"<html>bad gateway</html>", 502, certificate=LENDER_DER), acked())
        spoil(engine, column, change, **where)
        says_so(engine, tmp_path, part, error)


async def test_a_message_that_was_put_under_another_request_is_told(engine: Engine, tmp_path: Path) -> None:
    await exchange(engine)
    for table in ("inbox", "outbox"):
        spoil(engine, f"{table}.request_id", instead("request-2"))
    made = evidence(engine, tmp_path, request_id="request-2")
    for part in ("1-request", "2-callback"):
        assert made.parts[part]["flaws"] == ["it is signed under requestId request-1, not request-2"]
    assert made.verify().stdout.count('the signed payload does not say "requestId":"request-2"') == 3


DELETED = [
    ("participant_keys", LENDERS_KEY, "2-callback", "LENDER01-kid, which is nobody's"),
    ("key_events", LENDERS_KEY, "2-callback", "LENDER01-kid, which is nobody's"),
    ("participants", LENDERS, "2-callback", "LENDER01-kid, which is nobody's"),
    ("participant_certificates", LENDERS, "2-callback", "certificate_is_registered"),
]


@pytest.mark.parametrize(("table", "where", "part", "error"), DELETED, ids=[f"{case[0]}-{case[2]}" for case in DELETED])
async def test_a_row_that_was_deleted_is_told(
    engine: Engine, tmp_path: Path, table: str, where: dict[str, Any], part: str, error: str
) -> None:
    await exchange(engine)
    delete(engine, table, **where)
    says_so(engine, tmp_path, part, error)


def says_so(engine: Engine, folder: Path, part: str, error: str) -> None:
    """Find the error in the manifest, in README.txt and in what verify.sh prints."""
    made = evidence(engine, folder)
    assert not made.manifest["holds"]
    assert made.parts[part]["verdict"] == "does not hold"
    assert error in "\n".join(made.parts[part]["flaws"])
    assert "NOT EVERYTHING IN IT HOLDS" in made.readme
    assert error in made.readme
    done = made.verify()
    assert (done.returncode, done.stderr) == (1, "")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"FAIL  {part}: ")]
    assert error in line
    assert all(line.startswith(("OK    ", "FAIL  ", "-     ")) for line in done.stdout.splitlines())


async def test_the_script_finds_by_itself_what_openssl_can_find(engine: Engine, tmp_path: Path) -> None:
    """Without what was found when it was packed, as if the node had not noticed."""
    await exchange(engine)
    spoil(engine, "inbox.raw", flipped(60))
    spoil(engine, "inbox.ack", ack_of("another"))
    made = evidence(engine, tmp_path)
    next((made.folder / "certificates").iterdir()).write_text(OTHER_PEM)
    script = made.folder / "parts.txt"
    script.write_text("".join(line for line in script.read_text().splitlines(True) if not line.startswith("found ")))
    done = made.verify()
    assert done.returncode == 1
    callback, ack = done.stdout.splitlines()[-2:]
    assert f"{TRIGGERED} of LENDER01: the signature is not that of keys/" in callback
    assert "is not the certificate with the SHA-256" in callback
    assert ack.endswith('the signed payload does not say "traceId":"trace-of-the-callback"')


async def test_no_byte_of_a_message_can_be_changed_unnoticed(engine: Engine) -> None:
    await exchange(engine)
    (row,) = rows(engine, INBOX)
    raw, missed = row["raw"], []
    with engine.connect().execution_options(**READ_ONLY) as connection:
        register = Remembered(connection, {"v3": LSP})
        for place in range(len(raw)):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            text = SignedText(changed, LENDER, row["received_at"])
            if judge(text, register).verification.passed:
                missed.append(place)
    assert missed == []
