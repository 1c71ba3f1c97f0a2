"""Participants files: of a file counts what it says anew, so that a restart undoes nothing."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.node.onboarding.changes import with_active, with_certificate, with_key, without_key
from shared.node.onboarding.record import KeyRecord, OnboardingError, ParticipantRecord
from shared.node.onboarding.stated import merged, take_stated
from shared.protocol.participants import KeyStatus
from tests.equipment.clock import NOW
from tests.equipment.records import key_of, lender_record, lsp_record, tls_identity
from tests.equipment.registry import Registry, statuses
from tests.equipment.storage import contents

SECOND = timedelta(seconds=1)
PEMS = [tls_identity(f"{name}.example").pem for name in ("lsp", "second", "third", "fourth", "fifth")]
FRESH = KeyRecord.model_validate(key_of("leaf", "fresh"))


class Restarts:
    """A node that reads a file at each start."""

    def __init__(self, engine: Engine) -> None:
        self.registry = Registry(engine)
        self.now = NOW

    def start(self, *records: ParticipantRecord) -> Sequence[str]:
        self.now += SECOND
        return self.registry.act(lambda connection: take_stated(connection, records, self.now))

    def change(self, record: ParticipantRecord) -> ParticipantRecord:
        """What an operator does meanwhile."""
        self.now += SECOND
        self.registry.save(record, self.now, "by hand")
        return self.registry.known()


@pytest.fixture
def node(engine: Engine) -> Restarts:
    """It has read once that the LSP has an active key and a back-up."""
    node = Restarts(engine)
    assert node.start(lsp_record(), lender_record()) == []
    return node


def test_what_a_file_says_first_is_what_is_known(node: Restarts) -> None:
    assert node.registry.records() == [lender_record(), lsp_record()]
    assert node.registry.events()["lsp-kid"] == [(NOW + SECOND, "ACTIVE", "stated by file")]


def test_a_restart_with_the_same_file_writes_nothing(node: Restarts) -> None:
    before = contents(node.registry.engine)
    node.start(lsp_record(), lender_record())
    assert contents(node.registry.engine) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.model_copy(update={"base_url": "https://moved.example", "ip_addresses": ["192.0.2.1"]}),
        lambda r: with_active(r, "lsp backup-kid"),
        lambda r: without_key(r, "lsp-kid", KeyStatus.BLOCKED),
        lambda r: without_key(r, "lsp-kid", KeyStatus.RETIRED),
        lambda r: without_key(without_key(r, "lsp-kid", KeyStatus.RETIRED), "lsp backup-kid", KeyStatus.BLOCKED),
        lambda r: with_key(without_key(r, "lsp-kid", KeyStatus.RETIRED), FRESH),
        lambda r: with_certificate(r, PEMS[1]),
        lambda r: r.model_copy(update={"tls_certificates": PEMS[1:2]}),
    ],
    ids=["fields", "switch", "block", "retire", "no key left", "new key", "new certificate", "renewed"],
)
def test_a_restart_undoes_nothing_that_was_changed_since(node: Restarts, change: Any) -> None:
    changed = node.change(change(node.registry.known()))
    before = contents(node.registry.engine)
    node.start(lsp_record(), lender_record())
    assert contents(node.registry.engine) == before
    node.start(lsp_record(name="Renamed"), lender_record())
    assert node.registry.known() == changed.model_copy(update={"name": "Renamed"})


def test_a_changed_base_url_alone_changes_that_alone(node: Restarts) -> None:
    before, history = node.registry.known(), node.registry.history()
    node.start(lsp_record(base_url="https://moved.example"))
    assert node.registry.known() == before.model_copy(update={"base_url": "https://moved.example"})
    assert (node.registry.history().keys, node.registry.history().certificates) == (history.keys, history.certificates)


def test_who_was_offboarded_stays_so_and_is_named(node: Restarts) -> None:
    node.registry.offboard("LSP123", NOW)
    before = contents(node.registry.engine)
    assert node.start(lsp_record(base_url="https://moved.example"), lender_record()) == ["LSP123"]
    assert contents(node.registry.engine) == before


def test_who_is_left_out_of_the_file_stays(node: Restarts) -> None:
    node.start(lender_record())
    assert node.registry.record() is not None


def test_who_was_onboarded_by_form_becomes_what_a_file_says(engine: Engine) -> None:
    node = Restarts(engine)
    node.change(lsp_record(base_url="https://by.form", keys=[key_of("lsp"), key_of("leaf", status="BLOCKED")]))
    node.start(lsp_record())
    assert node.registry.known().base_url == "https://lsp.example"
    assert node.registry.statuses() == {"lsp-kid": "ACTIVE", "lsp backup-kid": "BACKUP", "leaf-kid": "BLOCKED"}


def test_a_record_that_cannot_be_used_stores_nothing_of_the_file(engine: Engine) -> None:
    node = Restarts(engine)
    before = contents(engine)
    with pytest.raises(OnboardingError, match="LENDER01: tls_certificates: no certificate in PEM"):
        node.start(lsp_record(), lender_record(tls_certificates=["garbage"]))
    assert contents(engine) == before


def test_a_changed_record_that_cannot_be_used_stores_nothing_of_the_file(node: Restarts) -> None:
    before = contents(node.registry.engine)
    with pytest.raises(OnboardingError, match="LSP123: tls_certificates: no certificate in PEM"):
        node.start(lender_record(name="Renamed"), lsp_record(tls_certificates=["garbage"]))
    assert contents(node.registry.engine) == before


A, B, C = key_of("lsp", "a"), key_of("lsp backup", "b"), key_of("leaf", "c")
BACKUP, BLOCKED, RETIRED = {"status": "BACKUP"}, {"status": "BLOCKED"}, {"status": "RETIRED"}


@pytest.mark.parametrize(
    ("current", "before", "stated", "after"),
    [
        pytest.param([A], [A], [A, B | BACKUP], {"a": "ACTIVE", "b": "BACKUP"}, id="added"),
        pytest.param([A, B | BACKUP], [A, B | BACKUP], [A], {"a": "ACTIVE", "b": "RETIRED"}, id="left out"),
        pytest.param(
            [A, B | BACKUP],
            [A, B | BACKUP],
            [B, C | BACKUP],
            {"a": "RETIRED", "b": "ACTIVE", "c": "BACKUP"},
            id="rolled",
        ),
        pytest.param(
            [A | BACKUP, B],
            [A, B | BACKUP],
            [A, C | BACKUP],
            {"a": "ACTIVE", "b": "RETIRED", "c": "BACKUP"},
            id="an ACTIVE one is left",
        ),
        pytest.param([A, B | BACKUP], [A], [A, C | BACKUP], {"a": "ACTIVE", "b": "RETIRED", "c": "BACKUP"}, id="room"),
        pytest.param([A | BACKUP, B], [A], [A | BACKUP, C], {"a": "BACKUP", "b": "RETIRED", "c": "ACTIVE"}, id="one"),
        pytest.param([B], [A], [C], {"b": "BACKUP", "c": "ACTIVE"}, id="the new ACTIVE one is the only one"),
        pytest.param([A | BLOCKED, B], [A | BACKUP, B], [A, B | BACKUP], {"a": "BLOCKED", "b": "ACTIVE"}, id="blocked"),
        pytest.param([A], [A], [A | BLOCKED, B], {"a": "BLOCKED", "b": "ACTIVE"}, id="blocked by the file"),
        pytest.param([A | RETIRED, B], [A, B | BACKUP], [A], {"a": "ACTIVE"}, id="never left without a key"),
    ],
)
def test_keys_change_where_the_file_says_otherwise_than_before(
    current: list[dict[str, Any]], before: list[dict[str, Any]], stated: list[dict[str, Any]], after: dict[str, str]
) -> None:
    made = merged(lsp_record(keys=current), lsp_record(keys=before), lsp_record(keys=stated))
    assert statuses(made) == after


@pytest.mark.parametrize(
    ("current", "before", "stated", "after"),
    [
        ([0], [0], [0, 1], [0, 1]),
        ([0], [0], [1], [1]),
        ([0, 2], [0], [1], [2, 1]),
        ([1], [0], [1], [1]),
        ([1], [0], [0], [1]),
        ([2], [0, 2], [0], [0]),
        ([0, 1, 2, 3], [0], [0, 4], [1, 2, 3, 4]),
    ],
    ids=["added", "renewed", "beside", "renewed here first", "kept", "never left without one", "the oldest makes room"],
)
def test_certificates_change_where_the_file_says_otherwise_than_before(
    current: list[int], before: list[int], stated: list[int], after: list[int]
) -> None:
    records = [lsp_record(tls_certificates=[PEMS[one] for one in which]) for which in (current, before, stated)]
    assert merged(*records).tls_certificates == [PEMS[one] for one in after]
