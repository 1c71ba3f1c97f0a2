"""Participants files seed the register: whom it does not know comes in, and of all others it has the last word."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.node.onboarding.changes import with_active, with_certificate, with_key, without_key
from shared.node.onboarding.record import KeyRecord, OnboardingError, ParticipantRecord, thumbprint_of
from shared.node.onboarding.seed import seed
from shared.protocol.participants import KeyStatus
from tests.equipment.clock import NOW
from tests.equipment.records import key_of, lender_record, lsp_record, tls_identity
from tests.equipment.registry import Registry
from tests.equipment.storage import contents

SECOND = timedelta(seconds=1)
PEMS = [tls_identity(f"{name}.example").pem for name in ("lsp", "second", "third", "fourth", "fifth")]
FRESH = KeyRecord.model_validate(key_of("leaf", "fresh"))


class Restarts:
    """A node that reads a file at each start."""

    def __init__(self, engine: Engine) -> None:
        self.registry = Registry(engine)
        self.now = NOW

    def start(self, *records: ParticipantRecord) -> None:
        self.now += SECOND
        self.registry.act(lambda connection: seed(connection, records, self.now))

    def change(self, record: ParticipantRecord) -> ParticipantRecord:
        """What an operator does meanwhile."""
        self.now += SECOND
        self.registry.save(record, self.now, "by hand")
        return self.registry.known()


@pytest.fixture
def node(engine: Engine) -> Restarts:
    """It has read once that the LSP has an active key and a back-up."""
    node = Restarts(engine)
    node.start(lsp_record(), lender_record())
    return node


def test_what_a_file_says_first_is_what_is_known(node: Restarts) -> None:
    assert node.registry.records() == [lender_record(), lsp_record()]
    assert node.registry.events()["lsp-kid"] == [(NOW + SECOND, "ACTIVE", "from a file")]


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
    node.change(change(node.registry.known()))
    before = contents(node.registry.engine)
    node.start(lsp_record(), lender_record())
    assert contents(node.registry.engine) == before


A, B, C = key_of("lsp", "lsp-kid"), key_of("lsp backup", "lsp backup-kid", status="BACKUP"), key_of("leaf", "fresh")


@pytest.mark.parametrize(
    ("says", "named"),
    [
        ({"base_url": "https://moved.example", "name": "Renamed"}, "name, base_url"),
        ({"keys": [A, C | {"status": "BACKUP"}]}, "key fresh"),
        ({"keys": [A, B | {"status": "BLOCKED"}]}, "key lsp backup-kid"),
        ({"tls_certificates": PEMS[:2]}, f"certificate {thumbprint_of(PEMS[1])}"),
    ],
    ids=["fields", "one new key", "a key that is blocked there", "one new certificate"],
)
def test_what_a_file_says_otherwise_of_whom_the_register_knows_is_left_aside_and_logged(
    node: Restarts, caplog: pytest.LogCaptureFixture, says: dict[str, Any], named: str
) -> None:
    before = contents(node.registry.engine)
    node.start(lsp_record(), lender_record())
    assert caplog.messages == []
    node.start(lsp_record(**says), lender_record())
    assert contents(node.registry.engine) == before
    told = "LSP123 is in the register, which counts; what the file says otherwise is left aside: "
    assert caplog.messages == [told + named]


def test_who_was_offboarded_stays_so_and_that_is_logged(node: Restarts, caplog: pytest.LogCaptureFixture) -> None:
    node.registry.offboard("LSP123", NOW)
    before = contents(node.registry.engine)
    made_anew = lsp_record(base_url="https://moved.example", keys=[C], tls_certificates=PEMS[1:2])
    node.start(made_anew, lender_record())
    assert contents(node.registry.engine) == before
    assert caplog.messages == ["LSP123 is offboarded, so its record in the file is left aside"]


def test_where_all_keys_were_made_anew_they_take_the_place_of_the_former(node: Restarts) -> None:
    node.change(without_key(node.registry.known(), "lsp backup-kid", KeyStatus.BLOCKED))
    node.start(lsp_record(keys=[C], base_url="https://moved.example"), lender_record())
    statuses = {"lsp-kid": "RETIRED", "lsp backup-kid": "BLOCKED", "fresh": "ACTIVE"}
    assert (node.registry.statuses(), node.registry.known().base_url) == (statuses, "https://lsp.example")
    assert node.registry.known().tls_certificates == lsp_record().tls_certificates
    before = contents(node.registry.engine)
    node.start(lsp_record(), lender_record())
    assert contents(node.registry.engine) == before


def test_where_all_certificates_were_made_anew_they_take_the_place_of_the_former(node: Restarts) -> None:
    node.change(with_certificate(node.registry.known(), PEMS[1]))
    node.start(lsp_record(tls_certificates=PEMS[2:4]), lender_record())
    assert set(node.registry.known().tls_certificates) == set(PEMS[2:4])
    assert node.registry.statuses() == {"lsp-kid": "ACTIVE", "lsp backup-kid": "BACKUP"}
    before = contents(node.registry.engine)
    node.start(lsp_record(tls_certificates=PEMS[:2]), lender_record())
    assert contents(node.registry.engine) == before


def test_who_is_left_out_of_the_file_stays(node: Restarts) -> None:
    node.start(lender_record())
    assert node.registry.record() is not None


def test_who_was_onboarded_by_form_stays_as_the_form_said(engine: Engine) -> None:
    node = Restarts(engine)
    node.change(lsp_record(base_url="https://by.form", keys=[key_of("lsp"), key_of("leaf", status="BLOCKED")]))
    before = contents(engine)
    node.start(lsp_record())
    assert contents(engine) == before


def test_a_record_that_cannot_be_used_stores_nothing_of_the_file(engine: Engine) -> None:
    node = Restarts(engine)
    before = contents(engine)
    with pytest.raises(OnboardingError, match="LENDER01: tls_certificates: no certificate in PEM"):
        node.start(lsp_record(), lender_record(tls_certificates=["garbage"]))
    assert contents(engine) == before


def test_a_changed_record_that_cannot_be_used_stores_nothing_of_the_file(node: Restarts) -> None:
    before = contents(node.registry.engine)
    with pytest.raises(OnboardingError, match="LSP123: tls_certificates: no certificate in PEM"):
        node.start(lender_record(keys=[C]), lsp_record(tls_certificates=["garbage"]))
    assert contents(node.registry.engine) == before
