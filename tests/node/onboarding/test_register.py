"""The register: what a record in place of the former one means for keys and certificates, and what it refuses."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from shared.node.onboarding.changes import with_certificate, with_key, without_key
from shared.node.onboarding.record import KeyRecord, OnboardingError, ParticipantRecord, TakenError, UnknownError
from shared.node.onboarding.register import (
    blocked_kids,
    record_to_change,
    removed_certificates,
    save_record,
)
from shared.node.tables import PARTICIPANT_KEYS, create_tables
from shared.protocol.participants import KeyStatus
from shared.storage.database import open_engine
from tests.equipment.clock import NOW
from tests.equipment.forms import certificate_pem
from tests.equipment.records import key_of, lender_record, lsp_record, tls_identity
from tests.equipment.registry import Registry
from tests.equipment.storage import contents
from tests.node.certificates import rsa_key, self_signed

pytestmark = pytest.mark.on_both_databases

SECOND = timedelta(seconds=1)
LATER, LATEST = NOW + SECOND, NOW + 2 * SECOND
OLD, NEW = tls_identity("lsp.example"), tls_identity("renewed.example")


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return Registry(engine)


def refused(registry: Registry, record: ParticipantRecord, kind: type[OnboardingError] = TakenError) -> str:
    """Check that the record is refused and nothing changes; return the sentence."""
    before = contents(registry.engine)
    with pytest.raises(OnboardingError) as refusal:
        registry.save(record, LATEST)
    assert type(refusal.value) is kind
    assert contents(registry.engine) == before
    return str(refusal.value)


def test_every_status_of_a_key_is_kept_with_its_time_and_its_reason(registry: Registry) -> None:
    registry.save(lsp_record(), NOW, "onboarded")
    registry.save(lsp_record(keys=[key_of("leaf"), key_of("lsp", status="BLOCKED")]), LATER, "lost a laptop")
    assert registry.events() == {
        "lsp-kid": [(NOW, "ACTIVE", "onboarded"), (LATER, "BLOCKED", "lost a laptop")],
        "lsp backup-kid": [(NOW, "BACKUP", "onboarded"), (LATER, "RETIRED", "lost a laptop")],
        "leaf-kid": [(LATER, "ACTIVE", "lost a laptop")],
    }


def test_what_does_not_change_leaves_no_trace_in_the_history(registry: Registry) -> None:
    registry.save(lsp_record(), NOW, "onboarded")
    before = registry.history()
    registry.save(lsp_record(base_url="https://new.example"), LATER, "moved")
    assert registry.history() == replace(before, base_url="https://new.example", updated_at=LATER)
    assert registry.known().base_url == "https://new.example"


def test_a_key_that_was_retired_may_come_back(registry: Registry) -> None:
    registry.save(lsp_record())
    registry.save(lsp_record(keys=[key_of("lsp")]), LATER)
    assert registry.statuses() == {"lsp-kid": "ACTIVE", "lsp backup-kid": "RETIRED"}
    registry.save(lsp_record(), LATEST)
    assert registry.statuses() == {"lsp-kid": "ACTIVE", "lsp backup-kid": "BACKUP"}


def test_a_key_that_was_blocked_stays_so_whatever_a_record_says(registry: Registry) -> None:
    registry.save(lsp_record(keys=[key_of("leaf"), key_of("lsp", status="BLOCKED")]))
    for status in ("ACTIVE", "BACKUP", "RETIRED"):
        registry.save(lsp_record(keys=[key_of("leaf"), key_of("lsp", status=status)]), LATER)
        assert registry.statuses() == {"leaf-kid": "ACTIVE", "lsp-kid": "BLOCKED"}


@pytest.mark.parametrize("status", ["BLOCKED", "RETIRED", "ACTIVE"])
def test_a_kid_never_gets_other_key_material(registry: Registry, status: str) -> None:
    registry.save(lsp_record(keys=[key_of("leaf"), key_of("lsp", status=status)]))
    told = refused(registry, lsp_record(keys=[key_of("leaf"), key_of("lsp backup", "lsp-kid")]))
    assert told == (
        f"LSP123: keys: kid lsp-kid has been used for another key ({status}); "
        "a kid keeps its key for ever: give the new key a new kid"
    )


@pytest.mark.parametrize("status", ["BLOCKED", "RETIRED", "ACTIVE"])
def test_key_material_never_gets_another_kid(registry: Registry, status: str) -> None:
    registry.save(lsp_record(keys=[key_of("leaf"), key_of("lsp", status=status)]))
    told = refused(registry, lsp_record(keys=[key_of("leaf"), key_of("lsp", "fresh-kid")]))
    assert told == (
        f"LSP123: keys: the key of kid fresh-kid is known as lsp-kid ({status}); "
        "a key keeps its kid for ever: make a new key pair"
    )


def test_neither_kid_nor_key_of_another_participant_is_taken_even_after_it_was_offboarded(registry: Registry) -> None:
    registry.save(lsp_record(keys=[key_of("lsp"), key_of("leaf", status="BLOCKED")]))
    registry.offboard("LSP123", LATER)
    assert "kid lsp-kid is taken; make a new one" in refused(registry, lender_record(keys=[key_of("a", "lsp-kid")]))
    told = refused(registry, lender_record(keys=[key_of("LENDER01"), key_of("leaf", "fresh", status="BACKUP")]))
    assert told == "LENDER01: keys: a key is another participant's too; make a key pair that nobody else has"


def test_a_certificate_of_another_participant_is_taken_only_after_that_has_given_it_up(registry: Registry) -> None:
    registry.save(lsp_record())
    assert "registered for another participant" in refused(registry, lender_record(tls_certificates=[OLD.pem]))
    registry.save(lsp_record(tls_certificates=[NEW.pem]), LATER)
    registry.save(lender_record(tls_certificates=[OLD.pem]), LATEST)
    assert registry.act(removed_certificates) == frozenset()


@pytest.mark.parametrize("is_first", [True, False])
def test_nobody_takes_the_name_of_the_issuer_of_anothers_certificate(registry: Registry, is_first: bool) -> None:
    issued = lsp_record(tls_certificates=[certificate_pem("lsp.example")])
    posing = lender_record(tls_certificates=[tls_identity("test  ca").pem])
    first, second = (posing, issued) if is_first else (issued, posing)
    registry.save(first)
    assert f"and one of {first.organisation_id} seem to be issuer and issued" in refused(registry, second)


def test_self_signed_certificates_may_have_the_same_name(registry: Registry, tmp_path: Path) -> None:
    registry.save(lsp_record(tls_certificates=[tls_identity("localhost").pem]))
    registry.save(lender_record(tls_certificates=[self_signed(tmp_path, "localhost").pem]))


def test_who_comes_new_needs_a_key_that_counts(registry: Registry) -> None:
    told = refused(registry, lsp_record(keys=[key_of("lsp", status="BLOCKED")]), OnboardingError)
    assert told == "LSP123: keys: 0 that count; configure one or two"


def test_who_is_known_may_be_left_without_a_key_that_counts(registry: Registry) -> None:
    registry.save(lsp_record(keys=[key_of("lsp")]))
    registry.save(lsp_record(keys=[key_of("lsp", status="BLOCKED")]), LATER)
    assert registry.statuses() == {"lsp-kid": "BLOCKED"}


def test_certificates_are_kept_with_when_and_why_they_went(registry: Registry) -> None:
    registry.save(lsp_record(tls_certificates=[OLD.pem]))
    registry.save(lsp_record(tls_certificates=[OLD.pem, NEW.pem]), LATER, "roll-over")
    assert registry.known().tls_certificates == [OLD.pem, NEW.pem]
    registry.save(lsp_record(tls_certificates=[NEW.pem]), LATEST, "done")
    old, new = registry.history().certificates
    assert (old.registered_at, old.removed_at, old.removed_because) == (NOW, LATEST, "done")
    assert (new.registered_at, new.removed_at, new.removed_because) == (LATER, None, "")
    assert registry.act(removed_certificates) == {old.thumbprint}


def test_a_certificate_that_comes_back_counts_again_and_both_times_are_kept(registry: Registry) -> None:
    for pem, now in ((OLD.pem, NOW), (NEW.pem, LATER), (OLD.pem, LATEST)):
        registry.save(lsp_record(tls_certificates=[pem]), now)
    assert registry.known().tls_certificates == [OLD.pem]
    assert [certificate.registered_at for certificate in registry.history().certificates] == [NOW, LATER, LATEST]
    assert registry.act(removed_certificates) == {registry.history().certificates[1].thumbprint}


def test_what_could_not_be_read_again_is_not_stored(registry: Registry) -> None:
    registry.save(lsp_record(), NOW)
    unreadable = lsp_record().model_copy(update={"spoc_email": "a" * 201})
    assert refused(registry, unreadable, OnboardingError).startswith("LSP123: spoc_email: String should have at most")


def test_no_number_of_former_keys_is_too_many(registry: Registry) -> None:
    registry.save(lsp_record(), NOW)
    with registry.engine.begin() as connection:
        row = connection.execute(select(PARTICIPANT_KEYS)).mappings().first()
        former = [{**row, "kid": f"former-{n}", "thumbprint": f"{n}", "status": "RETIRED"} for n in range(1001)]
        connection.execute(insert(PARTICIPANT_KEYS), former)
    assert len(registry.known().keys) == 1003


def test_offboarding_ends_what_counts_and_keeps_the_history(registry: Registry) -> None:
    registry.save(lsp_record(keys=[key_of("lsp"), key_of("leaf", status="BLOCKED")]), NOW, "onboarded")
    registry.save(lender_record())
    registry.offboard("LSP123", LATER, "contract ended")
    assert [record.organisation_id for record in registry.records()] == ["LENDER01"]
    history = registry.history()
    assert (history.onboarded_at, history.offboarded_at) == (NOW, LATER)
    assert history.offboarded_because == "contract ended"
    assert registry.events()["lsp-kid"] == [(NOW, "ACTIVE", "onboarded"), (LATER, "RETIRED", "contract ended")]
    assert registry.events()["leaf-kid"] == [(NOW, "BLOCKED", "onboarded")]
    assert [certificate.removed_because for certificate in history.certificates] == ["contract ended"]


def test_who_was_offboarded_can_come_back_with_the_same_keys_and_certificate(registry: Registry) -> None:
    registry.save(lsp_record())
    registry.offboard("LSP123", LATER, "ended")
    registry.save(lsp_record(), LATEST, "onboarded")
    assert registry.known().model_copy(update={"keys": []}) == lsp_record().model_copy(update={"keys": []})
    assert registry.statuses() == {"lsp-kid": "ACTIVE", "lsp backup-kid": "BACKUP"}
    history = registry.history()
    assert (history.onboarded_at, history.offboarded_at, history.offboarded_because) == (LATEST, None, "")
    assert [status for _, status, _ in registry.events()["lsp-kid"]] == ["ACTIVE", "RETIRED", "ACTIVE"]


def test_a_blocked_key_stays_blocked_over_offboarding_and_coming_back(registry: Registry) -> None:
    registry.save(lsp_record(keys=[key_of("leaf"), key_of("lsp", status="BLOCKED")]))
    registry.offboard("LSP123", LATER)
    assert registry.act(lambda connection: blocked_kids(connection, "LSP123")) == {"lsp-kid"}
    registry.save(lsp_record(), LATEST)
    assert registry.statuses() == {"lsp-kid": "BLOCKED", "lsp backup-kid": "BACKUP", "leaf-kid": "RETIRED"}


def test_nobody_is_offboarded_who_is_not_there(registry: Registry) -> None:
    before = contents(registry.engine)
    with pytest.raises(UnknownError, match="LSP123 is not onboarded; GET /participants lists who is"):
        registry.offboard("LSP123")
    assert contents(registry.engine) == before


@pytest.mark.parametrize("step", [timedelta(0), -SECOND], ids=["stands still", "goes back"])
def test_changes_stay_in_their_order_though_the_clock(registry: Registry, step: timedelta) -> None:
    for number, status in enumerate(("ACTIVE", "RETIRED", "ACTIVE", "BLOCKED")):
        registry.save(lsp_record(keys=[key_of("leaf"), key_of("lsp", status=status)]), NOW + number * step)
    events = registry.events()["lsp-kid"]
    assert [status for _, status, _ in events] == ["ACTIVE", "RETIRED", "ACTIVE", "BLOCKED"]
    assert [at for at, _, _ in events] == [NOW + timedelta(microseconds=number) for number in range(4)]


@pytest.fixture
def elsewhere(engine: Engine, database_url: str) -> Iterator[Registry]:
    """The same register as another process has it."""
    other = open_engine(database_url)
    create_tables(other)
    yield Registry(other)
    other.dispose()


def test_two_processes_that_change_a_participant_at_once_undo_nothing_of_each_other(
    registry: Registry, elsewhere: Registry
) -> None:
    registry.save(lsp_record())
    failures: list[Exception] = []
    fresh = KeyRecord.model_validate(key_of("leaf"))
    changes = [
        (registry, lambda record: with_key(without_key(record, "lsp backup-kid", KeyStatus.BLOCKED), fresh)),
        (elsewhere, lambda record: with_certificate(record, NEW.pem)),
    ]
    rsa_key("leaf")
    both_are_here = threading.Barrier(2)

    def change(there: Registry, how: Any) -> None:
        def work(connection: Any) -> None:
            save_record(connection, how(record_to_change(connection, "LSP123")), LATER)

        both_are_here.wait(10)
        try:
            there.act(work)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=change, args=arguments) for arguments in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert registry.statuses() == {"lsp-kid": "ACTIVE", "lsp backup-kid": "BLOCKED", "leaf-kid": "BACKUP"}
    assert len(elsewhere.known().tls_certificates) == 2
