"""What the register remembers: which key and certificate counted at a moment, for the evidence of old messages."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from shared.node.evidence.remembered import Remembered
from shared.node.onboarding.certificates import CertificateUse
from shared.node.onboarding.history import load_history
from shared.node.onboarding.record import thumbprint_of
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from shared.protocol.profiles import V3
from tests.equipment.clock import NOW
from tests.equipment.forms import certificate_pem
from tests.equipment.records import key_of, lsp_record, tls_identity
from tests.equipment.registry import Registry
from tests.node.certificates import CLIENT, SERVER

SECOND = timedelta(seconds=1)


@pytest.fixture
def registry(engine: Engine) -> Registry:
    """The LSP's active key is blocked after two seconds, its certificate renewed after four."""
    registry = Registry(engine)
    registry.save(lsp_record(), NOW, "onboarded")
    blocked = [key_of("lsp", status="BLOCKED"), key_of("lsp backup")]
    registry.save(lsp_record(keys=blocked), NOW + 2 * SECOND, "stolen")
    renewed = [tls_identity("renewed.example").pem]
    registry.save(lsp_record(keys=blocked, tls_certificates=renewed), NOW + 4 * SECOND, "renewed")
    return registry


def test_nobody_has_a_history_who_was_never_there(engine: Engine) -> None:
    assert Registry(engine).act(lambda connection: load_history(connection, "LSP123")) is None


def test_a_history_tells_whose_it_is(registry: Registry) -> None:
    history = registry.history()
    assert (history.organisation_id, history.name, history.role) == (
        "LSP123",
        "Sandbox LSP",
        Role.LOAN_AGENT,
    )
    assert (history.onboarded_at, history.offboarded_at, history.offboarded_because) == (NOW, None, "")


def test_a_key_tells_what_it_was_at_any_moment(registry: Registry) -> None:
    key = next(key for key in registry.history().keys if key.kid == "lsp-kid")
    moments = [NOW - SECOND, NOW, NOW + SECOND, NOW + 2 * SECOND, NOW + 9 * SECOND]
    assert [key.status_at(moment) for moment in moments] == [
        None,
        KeyStatus.ACTIVE,
        KeyStatus.ACTIVE,
        KeyStatus.BLOCKED,
        KeyStatus.BLOCKED,
    ]


def test_a_certificate_tells_whether_it_counted_at_any_moment(registry: Registry) -> None:
    old, new = registry.history().certificates
    moments = [NOW - SECOND, NOW, NOW + 3 * SECOND, NOW + 4 * SECOND, NOW + 9 * SECOND]
    assert [old.counts_at(moment) for moment in moments] == [False, True, True, False, False]
    assert [new.counts_at(moment) for moment in moments] == [False, False, False, True, True]


def test_of_keys_registered_at_the_same_time_the_active_one_comes_first(registry: Registry) -> None:
    keys = [key_of("lsp", status="BLOCKED"), key_of("lsp backup"), key_of("leaf", "a-newer-one", status="BACKUP")]
    registry.save(lsp_record(keys=keys), NOW + 6 * SECOND)
    assert [key.kid for key in registry.history().keys] == ["lsp-kid", "lsp backup-kid", "a-newer-one"]


def test_for_evidence_a_certificate_counts_for_the_use_that_it_is_made_for(engine: Engine) -> None:
    registry = Registry(engine)
    serves, calls = (certificate_pem(usages=(usage,)) for usage in (SERVER, CLIENT))
    registry.save(lsp_record(tls_certificates=[serves, calls]))

    def counting(use: CertificateUse) -> set[str]:
        holders = registry.act(lambda rows: list(Remembered(rows, {}).holders(V3, "LSP123", NOW, "lsp-kid", use)))
        return {certificate for holder in holders for certificate in holder.certificates}

    assert counting(CertificateUse.SERVING) == {thumbprint_of(serves)}
    assert counting(CertificateUse.CALLING) == {thumbprint_of(calls)}
