"""The tables of a register of participants: of a node's counterparties, or of all members of the OCEN 4.0 network."""

from typing import NamedTuple

from sqlalchemy import Boolean, Column, MetaData, String, Table, Text

from shared.storage.database import Instant


class RegisterTables(NamedTuple):
    """The tables of one register.

    Attributes:
        participants: everybody who ever was one: who was offboarded stays, for the evidence of what they once sent.
        certificates: every TLS certificate that a participant ever had.
        keys: every key that a participant ever had, with the status of now.
        key_events: every change of a key's status. From `at` on it has that status, until the next of the same kid.
    """

    participants: Table
    certificates: Table
    keys: Table
    key_events: Table


def register_tables(metadata: MetaData, prefix: str = "") -> RegisterTables:
    """Define the tables; a node and the registry may share a database, so the names of one begin with a prefix."""
    return RegisterTables(
        _participants(metadata, prefix),
        _certificates(metadata, prefix),
        _keys(metadata, prefix),
        _key_events(metadata, prefix),
    )


def _participants(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}participants",
        metadata,
        Column("organisation_id", String, primary_key=True),
        Column("name", String, nullable=False),
        Column("role", String, nullable=False),
        Column("base_url", String, nullable=False),
        Column("envelope_member", String, nullable=False),
        Column("ip_addresses", Text, nullable=False),
        Column("judges_addresses", Boolean, nullable=False),
        Column("spoc_email", String, nullable=False),
        Column("spoc_phone", String, nullable=False),
        Column("onboarded_at", Instant, nullable=False),
        Column("offboarded_at", Instant),
        Column("offboarded_because", Text, nullable=False),
        Column("updated_at", Instant, nullable=False),
    )


def _certificates(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}participant_certificates",
        metadata,
        Column("organisation_id", String, primary_key=True),
        Column("thumbprint", String, primary_key=True),
        Column("registered_at", Instant, primary_key=True),
        Column("removed_at", Instant),
        Column("removed_because", Text, nullable=False),
        Column("pem", Text, nullable=False),
    )


def _keys(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}participant_keys",
        metadata,
        Column("kid", String, primary_key=True),
        Column("organisation_id", String, nullable=False, index=True),
        Column("algorithm", String, nullable=False),
        Column("thumbprint", String, nullable=False, unique=True),
        Column("status", String, nullable=False),
        Column("pem", Text, nullable=False),
    )


def _key_events(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}key_events",
        metadata,
        Column("kid", String, primary_key=True),
        Column("at", Instant, primary_key=True),
        Column("status", String, nullable=False),
        Column("reason", Text, nullable=False),
    )
