"""Each column of a node's database: it changes a verdict of the evidence, is stated only, or is not in the bundle."""

from datetime import datetime, timedelta
from io import BytesIO
from typing import Any, Final
from zipfile import ZipFile

from sqlalchemy import Column, Engine, insert, select, update

from shared.node.tables import METADATA
from shared.storage.database import Instant
from tests.equipment.clock import NOW
from tests.equipment.parties import LENDER
from tests.node.exchanged import REQUEST_ID, bundle_in, bundle_of, exchange
from tests.node.test_evidence_spoiled import SPOILED
from tests.node.v4.test_v4_evidence import SPOILED as SPOILED_V4

CHANGE_A_VERDICT: Final = (
    {column for _, column, *_ in SPOILED}
    | {column for column, *_ in SPOILED_V4.values()}
    | {
        # what leads to other rows, and one that excuses an unsigned ack; each has a test beside those
        "inbox.request_id",
        "outbox.request_id",
        "outbox.id",
        "attempts.outbox_id",
        "attempts.reason",
    }
)

STATED: Final = {
    "inbox": {"id", "trace_id", "kid", "address", "steps"},
    "outbox": {"state", "due_at", "created_at", "driven_at", "tries", "result"},
    "attempts": {"trace_id", "kid", "status", "steps"},
    "participant_keys": {"thumbprint", "status"},
    "key_events": {"reason"},
    "participant_certificates": {"thumbprint", "removed_because"},
    "registry_keys": {"thumbprint", "last_seen"},
}

NOT_IN_IT: Final = {
    "inbox": {"content_digest"},
    "outbox": {"content"},
    "participants": {
        "name",
        "role",
        "base_url",
        "envelope_member",
        "ip_addresses",
        "judges_addresses",
        "spoc_email",
        "spoc_phone",
        "onboarded_at",
        "offboarded_at",
        "offboarded_because",
        "updated_at",
    },
    "nonces": {"key"},
    "refusals": {
        "id",
        "received_at",
        "peer",
        "address",
        "path",
        "request_id",
        "trace_id",
        "error",
        "reason",
        "steps",
        "raw",
        "signature",
    },
    "records": {"id", "participant", "kind", "state", "expires_at"},
    "timers": {"id", "kind", "clock", "due_at", "data", "not_before"},
    "clock_settings": {"id", "offset_seconds", "set_at"},
    "orders": {"id", "kind", "data", "ordered_at"},
    "notices": {"id", "created_at", "expires_at", "recipient", "reference", "text"},
    "peers": {"participant_id", "dialect", "updated_at"},
    "deleted_messages": {"request_id", "peer", "message", "content_digest"},
}


def named(columns: dict[str, set[str]]) -> set[str]:
    return {f"{table}.{column}" for table, names in columns.items() for column in names}


def test_each_column_has_one_entry() -> None:
    entries = [*CHANGE_A_VERDICT, *named(STATED), *named(NOT_IN_IT)]
    assert sorted(entries) == sorted(str(column) for table in METADATA.sorted_tables for column in table.c)


async def test_a_column_that_is_stated_changes_only_what_is_stated(engine: Engine) -> None:
    await exchange(engine)
    add_rows(engine)
    before = files_of(bundle_of(engine))
    for column in sorted(named(STATED)):
        after = files_of(with_changed(engine, column))
        assert {name for name in before | after if before.get(name) != after.get(name)} == {
            "stated.json",
            "README.txt",
            "manifest.json",  # which has the sums of the others
            "SHA256SUMS",
        }, column
        assert proved(before) == proved(after), column


async def test_a_column_that_is_not_in_the_bundle_changes_nothing(engine: Engine) -> None:
    await exchange(engine)
    add_rows(engine)
    before = bundle_of(engine)
    for column in sorted(named(NOT_IN_IT)):
        assert with_changed(engine, column) == before, column


async def test_a_try_that_belongs_to_no_message_is_none_of_its(engine: Engine) -> None:
    await exchange(engine)
    for column in ("outbox.id", "attempts.outbox_id"):
        assert b'"verdict": "nothing to verify"' in files_of(with_changed(engine, column))["manifest.json"], column


def files_of(bundle: bytes | None) -> dict[str, bytes]:
    with ZipFile(BytesIO(bundle or b"")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def proved(files: dict[str, bytes]) -> tuple[bytes, bytes]:
    """What stands before the heading of what is stated, and the manifest's verdicts."""
    return files["README.txt"].partition(b"STATED by this node")[0], files["manifest.json"].partition(b'"files"')[0]


def with_changed(engine: Engine, column: str) -> bytes | None:
    """The bundle while every row has another value there; afterwards all is as before."""
    table, _, name = column.partition(".")
    chosen = METADATA.tables[table]
    with engine.connect() as connection, connection.begin() as transaction:
        rows = connection.execute(select(chosen)).mappings().all()
        assert rows, table
        for row in rows:
            this = [key == row[key] for key in chosen.primary_key.columns]
            connection.execute(update(chosen).where(*this).values({name: another(chosen.c[name], row[name])}))
        bundle = bundle_in(connection)
        transaction.rollback()
    return bundle


def another(column: Column[Any], value: Any) -> Any:
    """Another value that the column may have."""
    if str(column) == "participants.role":
        return "LENDER" if value == "LOAN_AGENT" else "LOAN_AGENT"
    if isinstance(value, datetime):
        return value + timedelta(seconds=1)
    if isinstance(value, bool):
        return not value
    if isinstance(value, bytes):
        return value + b"x"
    if isinstance(value, (int, float)):
        return value + 1
    if value is None:
        return NOW if isinstance(column.type, Instant) else 7
    return f"{value}x"


def add_rows(engine: Engine) -> None:
    """Put a row about the exchange into every table that it leaves empty."""
    about = {"request_id": REQUEST_ID, "participant_id": LENDER, "participant": LENDER, "peer": LENDER}
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            if connection.execute(select(table)).first() is None:
                row = {column.name: about.get(column.name) or some(column) for column in table.c}
                connection.execute(insert(table), [row])


def some(column: Column[Any]) -> Any:
    """A value that the column may have."""
    if isinstance(column.type, Instant):
        return NOW
    return {bytes: b"bytes", int: 1, str: "text"}[column.type.python_type]
