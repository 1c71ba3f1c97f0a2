"""The directory: who is found by what, and how changes reach it through the table that processes share."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.node.directory import Directory
from shared.node.onboarding.record import OnboardingError, ParticipantRecord
from shared.node.onboarding.register import load_records, save_record
from shared.node.tables import PARTICIPANT_CERTIFICATES, PARTICIPANT_KEYS, PARTICIPANTS, create_tables
from shared.protocol.participants import KeyStatus
from tests.equipment.clock import NOW
from tests.equipment.parties import lender, lender_key, lsp, lsp_backup_key, lsp_blocked_key, lsp_key
from tests.equipment.records import key_of, lender_record, lsp_record, tls_identity
from tests.equipment.storage import contents

LATER = NOW + timedelta(seconds=1)


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """With all tables."""
    create_tables(engine)
    return engine


def save(engine: Engine, record: ParticipantRecord, now: Any = NOW) -> None:
    with engine.begin() as connection:
        save_record(connection, record, now)


def saved(engine: Engine) -> Sequence[ParticipantRecord]:
    with engine.begin() as connection:
        return load_records(connection)


def refresh(directory: Directory, engine: Engine) -> bool:
    with engine.begin() as connection:
        return directory.refresh(connection)


def test_records_are_read_as_they_were_saved(engine: Engine) -> None:
    save(engine, lsp_record())
    save(engine, lender_record())
    assert saved(engine) == [lender_record(), lsp_record()]


def test_a_record_takes_the_place_of_the_former_one(engine: Engine) -> None:
    for _ in range(2):
        save(engine, lsp_record())
        assert saved(engine) == [lsp_record()]
    keys = [key_of("leaf"), key_of("lsp", status="BLOCKED")]
    save(engine, lsp_record(base_url="https://new.example", keys=keys), LATER)
    left_out = key_of("lsp backup", status="RETIRED")
    assert saved(engine) == [lsp_record(base_url="https://new.example", keys=[keys[0], left_out, keys[1]])]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"keys": [key_of("leaf", "lsp-kid")]}, "LENDER01: keys: kid lsp-kid is taken; make a new one"),
        (
            {"tls_certificates": [tls_identity("lsp.example").pem]},
            "LENDER01: tls_certificates: registered for another participant",
        ),
        ({"keys": [key_of("LENDER01", pem="paste it here")]}, "LENDER01: key LENDER01-kid: this is no public RSA key"),
    ],
)
def test_a_record_that_cannot_be_used_changes_nothing(engine: Engine, changes: dict[str, Any], complaint: str) -> None:
    save(engine, lsp_record())
    save(engine, lender_record())
    before = contents(engine)
    with pytest.raises(OnboardingError) as refusal:
        save(engine, lender_record(**changes), LATER)
    assert str(refusal.value).startswith(complaint)
    assert contents(engine) == before


async def test_a_participant_is_found_by_id_by_kid_and_by_certificate() -> None:
    directory, known = Directory(), lsp()
    directory.replace([known, lender()])
    assert directory.participant("LSP123") is known
    for key in (lsp_key(), lsp_backup_key(), lsp_blocked_key()):
        assert directory.holder(key.kid) is known
    (certificate,) = known.certificates
    assert directory.owner(certificate) is known
    assert directory.holder(lender_key().kid) is not known
    assert [participant.id for participant in directory.participants()] == ["LENDER01", "LSP123"]


async def test_nobody_is_found_by_what_nobody_has() -> None:
    directory = Directory()
    directory.replace([lsp()])
    assert directory.participant("LENDER01") is None
    assert directory.holder("LENDER01-kid") is None
    assert directory.owner("00" * 32) is None


async def test_those_who_are_replaced_are_not_found_any_more() -> None:
    directory = Directory()
    directory.replace([lsp()])
    directory.replace([lender()])
    assert directory.participant("LSP123") is None
    assert directory.holder(lsp_key().kid) is None
    assert directory.owner(next(iter(lsp().certificates))) is None


def test_a_key_that_was_blocked_stays_blocked_whatever_a_later_record_says(engine: Engine) -> None:
    blocked = lsp_record(keys=[key_of("leaf"), key_of("lsp", status="BLOCKED")])
    save(engine, blocked)
    save(engine, lsp_record(keys=[key_of("leaf"), key_of("lsp", status="ACTIVE")]), LATER)
    assert saved(engine) == [blocked]
    save(engine, lsp_record(keys=[key_of("leaf")]), LATER)
    assert saved(engine) == [blocked]


def test_a_refresh_reads_only_what_has_changed(engine: Engine) -> None:
    directory = Directory()
    assert refresh(directory, engine)
    assert not refresh(directory, engine)
    save(engine, lsp_record())
    assert refresh(directory, engine)
    assert not refresh(directory, engine)
    assert directory.participant("LSP123")


async def test_a_key_that_is_blocked_elsewhere_is_blocked_here_after_a_refresh(engine: Engine) -> None:
    directory = Directory()
    save(engine, lsp_record())
    refresh(directory, engine)
    save(engine, lsp_record(keys=[key_of("lsp", status="BLOCKED"), key_of("lsp backup")]), LATER)
    assert refresh(directory, engine)
    holder = directory.holder("lsp-kid")
    assert holder is not None
    blocked = holder.by_kid.get("lsp-kid")
    assert blocked is not None
    assert blocked.status is KeyStatus.BLOCKED


@pytest.mark.parametrize("lag", [timedelta(0), timedelta(hours=1)], ids=["stands still", "has been set back"])
def test_a_change_is_seen_though_the_clock_of_who_made_it(engine: Engine, lag: timedelta) -> None:
    directory = Directory()
    save(engine, lender_record())
    save(engine, lsp_record())
    refresh(directory, engine)
    save(engine, lsp_record(base_url="https://new.example"), NOW - lag)
    assert refresh(directory, engine)
    changed = directory.participant("LSP123")
    assert changed is not None
    assert changed.base_url == "https://new.example"


def test_a_refresh_that_fails_leaves_the_directory_as_it_was(engine: Engine) -> None:
    directory = Directory()
    save(engine, lsp_record())
    refresh(directory, engine)
    save(engine, lender_record(), LATER)
    with engine.begin() as connection:
        connection.execute(PARTICIPANT_KEYS.update().values(pem="spoiled"))
    for _ in range(2):
        with pytest.raises(OnboardingError):
            refresh(directory, engine)
    assert [participant.id for participant in directory.participants()] == ["LSP123"]


def test_somebody_who_is_taken_out_of_the_tables_is_not_known_any_more(engine: Engine) -> None:
    directory = Directory()
    save(engine, lsp_record())
    save(engine, lender_record())
    refresh(directory, engine)
    with engine.begin() as connection:
        for table in (PARTICIPANTS, PARTICIPANT_KEYS, PARTICIPANT_CERTIFICATES):
            connection.execute(table.delete().where(table.c.organisation_id == "LSP123"))
    assert refresh(directory, engine)
    assert directory.participant("LSP123") is None
