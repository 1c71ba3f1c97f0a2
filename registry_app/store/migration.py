"""Migrations of a registry's tables from older releases; see CONTRIBUTING.md."""

from typing import Final

from shared.storage.schema import statements

_LIVE: Final = "SELECT id FROM participant_roles WHERE offboarded_at IS NULL"

_MOVED: Final = ("role", "base_url", "created_at", "updated_at", "offboarded_at")


def _keys_of(whose: str, status: str) -> str:
    """Move keys into the register; of a key that several have had, it belongs to who had it last."""
    return f"""
        INSERT INTO network_participant_keys (kid, organisation_id, algorithm, thumbprint, status, pem)
        SELECT kid, CAST(role_id AS VARCHAR), 'RS512', thumbprint, {status}, pem FROM role_keys
        WHERE role_id {whose} ({_LIVE}) AND kid NOT IN (SELECT kid FROM network_participant_keys)
        AND thumbprint NOT IN (SELECT thumbprint FROM network_participant_keys)
        AND NOT EXISTS (
            SELECT 1 FROM role_keys AS later WHERE later.role_id {whose} ({_LIVE}) AND later.role_id > role_keys.role_id
            AND (later.kid = role_keys.kid OR later.thumbprint = role_keys.thumbprint)
        )"""


TO_2: Final = statements(
    """CREATE TABLE network_participants (
        organisation_id VARCHAR NOT NULL PRIMARY KEY, name VARCHAR NOT NULL, role VARCHAR NOT NULL,
        base_url VARCHAR NOT NULL, envelope_member VARCHAR NOT NULL, ip_addresses TEXT NOT NULL,
        judges_addresses BOOLEAN NOT NULL, spoc_email VARCHAR NOT NULL, spoc_phone VARCHAR NOT NULL,
        onboarded_at BIGINT NOT NULL, offboarded_at BIGINT, offboarded_because TEXT NOT NULL, updated_at BIGINT NOT NULL
    )""",
    """CREATE TABLE network_participant_certificates (
        organisation_id VARCHAR NOT NULL, thumbprint VARCHAR NOT NULL, registered_at BIGINT NOT NULL,
        removed_at BIGINT, removed_because TEXT NOT NULL, pem TEXT NOT NULL,
        PRIMARY KEY (organisation_id, thumbprint, registered_at)
    )""",
    """CREATE TABLE network_participant_keys (
        kid VARCHAR NOT NULL PRIMARY KEY, organisation_id VARCHAR NOT NULL, algorithm VARCHAR NOT NULL,
        thumbprint VARCHAR NOT NULL, status VARCHAR NOT NULL, pem TEXT NOT NULL, UNIQUE (thumbprint)
    )""",
    "CREATE INDEX ix_network_participant_keys_organisation_id ON network_participant_keys (organisation_id)",
    """CREATE TABLE network_key_events (
        kid VARCHAR NOT NULL, at BIGINT NOT NULL, status VARCHAR NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (kid, at)
    )""",
    """INSERT INTO network_participants
        SELECT CAST(participant_roles.id AS VARCHAR), organisations.name, role, base_url, 'header', '[]', TRUE, '', '',
        participant_roles.created_at, offboarded_at,
        CASE WHEN offboarded_at IS NULL THEN '' ELSE status_because END, participant_roles.updated_at
        FROM participant_roles JOIN organisations ON organisations.id = organisation_id""",
    """INSERT INTO network_participant_certificates
        SELECT CAST(role_id AS VARCHAR), thumbprint, created_at, offboarded_at,
        CASE WHEN offboarded_at IS NULL THEN '' ELSE status_because END, pem
        FROM role_certificates JOIN participant_roles ON participant_roles.id = role_id""",
    _keys_of("IN", "CASE WHEN place = 0 THEN 'ACTIVE' ELSE 'BACKUP' END"),
    _keys_of("NOT IN", "'RETIRED'"),
    """INSERT INTO network_key_events
        SELECT kid, updated_at, status, 'registered before' FROM network_participant_keys
        JOIN network_participants ON network_participants.organisation_id = network_participant_keys.organisation_id""",
    "DROP TABLE role_keys",
    "DROP TABLE role_certificates",
    *(f"ALTER TABLE participant_roles DROP COLUMN {column}" for column in _MOVED),
)
"""Participants, keys and certificates move into a register like that of a node, which remembers what they were."""
