"""Rows for a journal, written straight into its tables. A higher number is a later row, in whatever table."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert

from shared.node.tables import ATTEMPTS, INBOX, NOTICES, OUTBOX, REFUSALS
from shared.protocol.envelope import seal
from shared.protocol.signing import load_private_key
from tests.node.certificates import private_pem, rsa_key
from tests.node.operated import NOW

STEPS = json.dumps(
    [
        ["signature_verifies", "passed", "such a one"],
        ["a_check_of_long_ago", "failed", "that", "this"],
        ["nonce_is_new", "not reached", ""],
    ]
)
"""As former versions wrote them."""


def row_id(number: int) -> str:
    return f"01999c1e-7a90-7d02-b3a4-{number:012d}"


def envelope(payload: dict[str, Any]) -> bytes:
    key = load_private_key(private_pem(rsa_key("lsp")).decode(), "lsp-kid", "RS512")
    return seal(json.dumps(payload).encode(), key).to_bytes()


def add_received(connection: Connection, number: int, **changes: Any) -> None:
    values = {
        "id": row_id(number),
        "sender": "LENDER01",
        "request_id": f"request-{number}",
        "message": "TriggerLoanAcceptanceResponse",
        "trace_id": f"trace-{number}",
        "kid": "LENDER01-kid",
        "certificate": "ab" * 32,
        "address": "127.0.0.1",
        "received_at": NOW + timedelta(milliseconds=number),
        "content_digest": b"digest",
        "raw": b"{}",
        "ack": b"{}",
        "steps": STEPS,
    }
    connection.execute(insert(INBOX), [values | changes])


def add_sent(connection: Connection, number: int, **changes: Any) -> None:
    at = NOW + timedelta(milliseconds=number)
    values = {
        "id": row_id(number),
        "receiver": "LENDER01",
        "request_id": f"request-{number}",
        "message": "TriggerLoanAcceptanceRequest",
        "content": '{"requestId":"request","amount":10.25}',
        "state": "DELIVERED",
        "due_at": at,
        "created_at": at,
        "driven_at": at,
        "tries": 1,
        "result": "acknowledged",
    }
    connection.execute(insert(OUTBOX), [values | changes])


def add_attempt(connection: Connection, number: int, seconds: int, **changes: Any) -> None:
    values = {
        "outbox_id": row_id(number),
        "started_at": NOW + timedelta(seconds=seconds),
        "milliseconds": 12.5,
        "trace_id": f"trace-{number}-{seconds}",
        "kid": "lsp-kid",
        "certificate": "",
        "outcome": "FAILED",
        "status": None,
        "reason": "no answer: ConnectError",
        "sent": b"{}",
        "answer": b"",
        "steps": "[]",
    }
    connection.execute(insert(ATTEMPTS), [values | changes])


def add_refusal(connection: Connection, number: int, **changes: Any) -> None:
    values = {
        "id": row_id(number),
        "received_at": NOW + timedelta(milliseconds=number),
        "peer": "LENDER01",
        "address": "127.0.0.1",
        "path": "/v3/loan/triggerLoanAcceptanceResponse",
        "request_id": f"request-{number}",
        "trace_id": f"trace-{number}",
        "error": "AUTH1001",
        "reason": "",
        "steps": STEPS,
        "raw": b"\xff not even text",
    }
    connection.execute(insert(REFUSALS), [values | changes])


def add_notice(connection: Connection, number: int, **changes: Any) -> None:
    values = {
        "id": row_id(number),
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=5),
        "recipient": "XXXXXXX317",
        "reference": f"request-{number}",
        "text": "048213 is your OTP",
    }
    connection.execute(insert(NOTICES), [values | changes])
