"""The tables of a node: the same on SQLite and PostgreSQL.

Ids are UUIDs of version 7: they grow with time, so that new rows are next to each other and cost does not grow with
history. Indexes are few for the same reason; what only an unfinished delivery needs is a partial index.
"""

import logging
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from shared.node.onboarding.register_tables import register_tables
from shared.storage.database import Instant
from shared.storage.schema import Schema, statements

logger = logging.getLogger(__name__)

METADATA = MetaData()

_OrderedText = String().with_variant(String(collation="C"), "postgresql")
"""Text that compares byte by byte; the locale of a server must not order ids or nonces."""

NONCES = Table(
    "nonces",
    METADATA,
    Column("key", _OrderedText, primary_key=True),
    sqlite_with_rowid=False,
)

INBOX = Table(
    "inbox",
    METADATA,
    Column("id", _OrderedText, primary_key=True),
    Column("sender", String, nullable=False),
    Column("request_id", _OrderedText, nullable=False),
    Column("message", String, nullable=False),
    Column("trace_id", String, nullable=False),
    Column("kid", String, nullable=False),
    Column("certificate", String, nullable=False),
    Column("address", String, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("signature", Text, nullable=False, default=""),  # where it does not stand in the body
    Column("ack", LargeBinary, nullable=False),
    Column("ack_signature", Text, nullable=False, default=""),
    Column("steps", Text, nullable=False),
    UniqueConstraint("request_id", "sender"),
)

Index("inbox_sender", INBOX.c.sender, INBOX.c.id)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("id", _OrderedText, primary_key=True),
    Column("receiver", String, nullable=False),
    Column("request_id", _OrderedText, nullable=False),
    Column("message", String, nullable=False),
    Column("content", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("driven_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("result", String, nullable=False),
    UniqueConstraint("request_id", "receiver", "message"),
)

UNFINISHED = text("state IN ('WAITING', 'SENDING')")

Index("outbox_due", OUTBOX.c.receiver, OUTBOX.c.due_at, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)

GIVEN_UP = text("state IN ('DEAD', 'REFUSED')")

Index("outbox_given_up", OUTBOX.c.id, sqlite_where=GIVEN_UP, postgresql_where=GIVEN_UP)

Index("outbox_receiver", OUTBOX.c.receiver, OUTBOX.c.id)

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("outbox_id", _OrderedText, primary_key=True),
    Column("started_at", Instant, primary_key=True),
    Column("milliseconds", Float, nullable=False),
    Column("trace_id", String, nullable=False),
    Column("kid", String, nullable=False),
    Column("certificate", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("status", Integer),
    Column("reason", String, nullable=False),
    Column("sent", LargeBinary, nullable=False),
    Column("signature", Text, nullable=False, default=""),
    Column("answer", LargeBinary, nullable=False),
    Column("answer_signature", Text, nullable=False, default=""),
    Column("steps", Text, nullable=False),
)

RECORDS = Table(
    "records",
    METADATA,
    Column("id", _OrderedText, primary_key=True),
    Column("participant", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", Text, nullable=False),
    Column("expires_at", Instant, index=True),
)
"""What the rules remember; what does not expire has no time in `expires_at`."""

TIMERS = Table(
    "timers",
    METADATA,
    Column("id", _OrderedText, primary_key=True),
    Column("kind", String, nullable=False),
    Column("clock", String, nullable=False),
    Column("due_at", Instant, nullable=False, index=True),
    Column("data", Text, nullable=False),
    Column("not_before", Instant, nullable=False),
)
"""What is to be done at a time. One whose rule has failed is left alone until `not_before` (protocol time)."""

CLOCK_SETTINGS = Table(
    "clock_settings",
    METADATA,
    Column("id", String, primary_key=True),
    Column("offset_seconds", Integer, nullable=False),
    Column("set_at", Instant, nullable=False),
)
"""How far business time was set ahead of protocol time; the largest offset counts."""

ORDERS = Table(
    "orders",
    METADATA,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("data", Text, nullable=False),
    Column("ordered_at", Instant, nullable=False),
)
"""What operators have told the rules."""

NOTICES = Table(
    "notices",
    METADATA,
    Column("id", _OrderedText, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("recipient", String, nullable=False),
    Column("reference", String, nullable=False),
    Column("text", Text, nullable=False),
)

REFUSALS = Table(
    "refusals",
    METADATA,
    Column("id", _OrderedText, primary_key=True),
    Column("received_at", Instant, nullable=False),
    Column("peer", String, nullable=False),
    Column("address", String, nullable=False),
    Column("path", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("trace_id", String, nullable=False),
    Column("error", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("steps", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("signature", Text, nullable=False, default=""),
)

NODE_REGISTER = register_tables(METADATA)
"""The register of everybody whom the node knows, itself included."""

PARTICIPANTS, PARTICIPANT_CERTIFICATES, PARTICIPANT_KEYS, KEY_EVENTS = NODE_REGISTER

PEERS = Table(
    "peers",
    METADATA,
    Column("participant_id", String, primary_key=True),
    Column("dialect", String, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
"""How peers of OCEN 4.0 sign, as an operator has settled it."""

REGISTRY_KEYS = Table(
    "registry_keys",
    METADATA,
    Column("participant_id", String, primary_key=True),
    Column("kid", String, primary_key=True),
    Column("thumbprint", String, primary_key=True),
    Column("pem", Text, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
)
"""The keys that OCEN 4.0's registry has named, for the evidence of what was signed with them."""

DELETED_MESSAGES = Table(
    "deleted_messages",
    METADATA,
    Column("request_id", _OrderedText, primary_key=True),
    Column("peer", String, primary_key=True),
    Column("message", String, primary_key=True),
    Column("content_digest", LargeBinary),  # of what was received; what we sent has none
    sqlite_with_rowid=False,
)
"""What is left of messages that were deleted by age (P32): a requestId stays known for ever."""

_TO_2: Final = statements(
    "CREATE INDEX inbox_sender ON inbox (sender, id)",
    "CREATE INDEX outbox_receiver ON outbox (receiver, id)",
)


def _to_3(connection: Connection) -> None:
    """Deal with peers that were set to the dialect rfc, which is no more (P19), as with any other.

    What a file stated last is no longer kept: it seeds the register.
    """
    connection.execute(text("ALTER TABLE participants DROP COLUMN stated"))
    if number := connection.execute(text("UPDATE peers SET dialect = 'strict' WHERE dialect = 'rfc'")).rowcount:
        logger.warning("%d peers were set to the dialect rfc, which is no more: they are dealt with as strict", number)


def _to_4(connection: Connection) -> None:
    """Allow records that never expire; add timers, business time and orders."""
    ordered = 'VARCHAR COLLATE "C"' if connection.dialect.name == "postgresql" else "VARCHAR"
    columns = "participant, kind, state, expires_at"
    for statement in (
        f"CREATE TABLE records (id {ordered} NOT NULL PRIMARY KEY, participant VARCHAR NOT NULL, kind VARCHAR NOT NULL,"
        " state TEXT NOT NULL, expires_at BIGINT)",
        f"INSERT INTO records (id, {columns}) SELECT key, {columns} FROM journeys",
        "DROP TABLE journeys",
        "CREATE INDEX ix_records_expires_at ON records (expires_at)",
        f"CREATE TABLE timers (id {ordered} NOT NULL PRIMARY KEY, kind VARCHAR NOT NULL, clock VARCHAR NOT NULL,"
        " due_at BIGINT NOT NULL, data TEXT NOT NULL, not_before BIGINT NOT NULL)",
        "CREATE INDEX ix_timers_due_at ON timers (due_at)",
        "CREATE TABLE clock_settings (id VARCHAR NOT NULL PRIMARY KEY, offset_seconds INTEGER NOT NULL,"
        " set_at BIGINT NOT NULL)",
        "CREATE TABLE orders (id VARCHAR NOT NULL PRIMARY KEY, kind VARCHAR NOT NULL, data TEXT NOT NULL,"
        " ordered_at BIGINT NOT NULL)",
    ):
        connection.execute(text(statement))


def _to_5(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    ordered, binary, end = ("VARCHAR", "BLOB", "WITHOUT ROWID") if is_sqlite else ('VARCHAR COLLATE "C"', "BYTEA", "")
    connection.execute(
        text(
            f"CREATE TABLE deleted_messages (request_id {ordered} NOT NULL, peer VARCHAR NOT NULL, message VARCHAR "
            f"NOT NULL, content_digest {binary}, PRIMARY KEY (request_id, peer, message)) {end}"
        )
    )


SCHEMA: Final = Schema("node", METADATA, steps=(_TO_2, _to_3, _to_4, _to_5))


def create_tables(engine: Engine) -> None:
    """Create the tables, or migrate those of an older release. Raises DatabaseError, as Schema says."""
    SCHEMA.bring_up_to_date(engine)
