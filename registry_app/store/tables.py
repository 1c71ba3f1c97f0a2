"""The tables of the registry: the same on SQLite and PostgreSQL.

Ids are numbers that are never given twice, as the registry's API has them; only reports, which are many, have UUIDs.
"""

from typing import Any, Final

from sqlalchemy import Boolean, Column, ForeignKey, Integer, MetaData, String, Table, Text, UniqueConstraint, cast

from registry_app.store.migration import TO_2
from shared.node.onboarding.register_tables import register_tables
from shared.storage.database import Instant
from shared.storage.schema import Schema

METADATA = MetaData()

_OrderedText = String().with_variant(String(collation="C"), "postgresql")


def _numbered(name: str, *columns: Any) -> Table:
    number = Column("id", Integer, primary_key=True, autoincrement=True)
    return Table(name, METADATA, number, *columns, sqlite_autoincrement=True)


ORGANISATIONS = _numbered(
    "organisations",
    Column("name", String, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("website", String, nullable=False),
    Column("email", String, nullable=False),
    Column("phone", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

ROLES = _numbered(
    "participant_roles",
    Column("organisation_id", ForeignKey(ORGANISATIONS.c.id), nullable=False, index=True),
    Column("status", String, nullable=False),
    Column("client_id", String, nullable=False, unique=True),
    Column("secret_hash", String),  # null: the client has been offboarded
    Column("approved_at", Instant),
    Column("approved_by", String, nullable=False),
    Column("status_because", Text, nullable=False),
)
"""Every role that an organisation ever had, as a member of the network."""

NETWORK_REGISTER = register_tables(METADATA, "network_")
"""The same roles as participants, by their ids as text, with their keys and certificates."""

PARTICIPANT_ID = cast(ROLES.c.id, String)
"""The id of a role as the register has it."""

PRODUCTS = _numbered(
    "products",
    Column("created_by", ForeignKey(ROLES.c.id)),
    Column("name", String, nullable=False),
    Column("description", String, nullable=False),
    Column("is_private", Boolean, nullable=False),
    Column("is_end_use_controlled", Boolean, nullable=False),
    Column("is_collection_controlled", Boolean, nullable=False),
    Column("is_aa_flow_required", Boolean, nullable=False),
    Column("is_monitoring_consent_required", Boolean, nullable=False),
    Column("is_derived_data_partner_required", Boolean, nullable=False),
    Column("derived_data_description", Text, nullable=False),
)

NETWORKS = _numbered(
    "product_networks",
    Column("created_by", ForeignKey(ROLES.c.id)),
    Column("product_id", ForeignKey(PRODUCTS.c.id), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("description", String, nullable=False),
)

MEMBERS = Table(
    "product_network_members",
    METADATA,
    Column("network_id", ForeignKey(NETWORKS.c.id), primary_key=True),
    Column("role_id", ForeignKey(ROLES.c.id), primary_key=True, index=True),
)

WHITELISTING_ITEMS = _numbered(
    "server_whitelisting_items",
    Column("role_id", ForeignKey(ROLES.c.id), nullable=False),
    Column("ip_address", String, nullable=False),
    Column("port_number", String, nullable=False),
    UniqueConstraint("role_id", "ip_address", "port_number"),
)

FILTERS = _numbered(
    "lender_network_filters",
    Column("network_id", ForeignKey(NETWORKS.c.id), nullable=False, index=True),
    Column("role_id", ForeignKey(ROLES.c.id), nullable=False, index=True),
    Column("requirement_name", String, nullable=False),
    Column("operator", String, nullable=False),
    Column("value", Text, nullable=False),
)

SIGNING_KEYS = Table(
    "signing_keys",
    METADATA,
    Column("kid", _OrderedText, primary_key=True),
    Column("pem", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("retired_at", Instant),
    Column("published_until", Instant),
)
"""The public halves of the Auth Service's keys; the one that is not retired signs."""

REPORTS = Table(
    "reports",
    METADATA,
    Column("id", _OrderedText, primary_key=True),
    Column("kind", String, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("role_id", Integer, nullable=False),
    Column("event_type", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("loan_application_id", String, nullable=False),
    Column("document", Text, nullable=False),
)


SCHEMA: Final = Schema("registry", METADATA, steps=(TO_2,))
