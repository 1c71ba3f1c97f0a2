"""Databases as releases before schema versions made them: from their own DDL, with a few rows."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

_DDL = Path(__file__).parents[1] / "vectors" / "schema"

REQUEST_ID = "request-of-version-1"

_AT = 1_767_355_200_678_901

_ROWS = {
    "nonces": {"key": "2026-01-02T12:00:00.678901Z LSP123 trace-1"},
    "inbox": {
        "id": "019b7dfa-3ea6-7d02-b3a4-000000000001",
        "sender": "LSP123",
        "request_id": REQUEST_ID,
        "message": "TriggerLoanAcceptanceRequest",
        "trace_id": "trace-1",
        "kid": "lsp-kid",
        "certificate": "ab" * 32,
        "address": "127.0.0.1",
        "received_at": _AT,
        "content_digest": bytes(range(32)),
        "raw": b"{}",
        "signature": "",
        "ack": b"{}",
        "ack_signature": "",
        "steps": "[]",
    },
    "outbox": {
        "id": "019b7dfa-3ea6-7d02-b3a4-000000000002",
        "receiver": "LSP123",
        "request_id": REQUEST_ID,
        "message": "TriggerLoanAcceptanceResponse",
        "content": "{}",
        "state": "DEAD",
        "due_at": _AT,
        "created_at": _AT,
        "driven_at": _AT,
        "tries": 8,
        "result": "",
    },
    "journeys": {
        "key": "otp LSP123 session-1",
        "participant": "LSP123",
        "kind": "otp",
        "state": "{}",
        "expires_at": 4_102_444_800_000_000,
    },
}


def lay_out(engine: Engine, schema: str) -> None:
    """Create version 1 of the tables of the `node` or the `registry` in an empty database."""
    script = (_DDL / f"{schema}-1-{engine.dialect.name}.sql").read_text()
    with engine.begin() as connection:
        for statement in script.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        if schema == "node":
            _fill(connection)


def _fill(connection: Connection) -> None:
    for table, row in _ROWS.items():
        names, values = ", ".join(f'"{name}"' for name in row), ", ".join(f":{name}" for name in row)
        connection.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({values})'), row)


_RENAMED: dict[str, tuple[str, dict[str, str]]] = {"journeys": ("records", {"key": "id"})}
"""The tables that are called otherwise since, and their columns."""


def rows_kept(engine: Engine) -> bool:
    """Tell whether every row is there with all of its values."""
    names_now = inspect(engine).get_table_names()
    with engine.connect() as connection:
        for table, row in _ROWS.items():
            now, renamed = (table, {}) if table in names_now else _RENAMED[table]
            names = ", ".join(f'"{renamed.get(name, name)}" AS "{name}"' for name in row)
            found = connection.execute(text(f'SELECT {names} FROM "{now}"')).mappings().all()
            if [dict(each) for each in found] != [row]:
                return False
    return True
