"""Following the register: what one process changes counts in another, for directory, trust and the signing key."""

import asyncio
import threading
from pathlib import Path

import pytest

from shared.node.identity import IdentityError
from shared.node.onboarding.changes import with_active, with_key, without_key
from shared.node.onboarding.record import KeyRecord, thumbprint_of
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import private_pem
from shared.transport.tls_files import TlsConfigurationError
from tests.equipment.process import ISSUER, Process
from tests.equipment.records import key_of, lender_record, lsp_record, tls_identity
from tests.node.certificates import rsa_key


@pytest.fixture
def here(here: Process) -> Process:
    """It knows a lender, and has not looked at the register since."""
    here.registry.save(lender_record())
    here.trust.trusted.clear()
    return here


async def test_who_is_in_the_register_is_known_and_trusted(here: Process) -> None:
    await here.follower.refresh()
    assert [participant.id for participant in here.directory.participants()] == ["LENDER01"]
    assert here.directory.own is not None
    assert here.directory.own.organisation_id == "LSP123"
    ((trust, revoked),) = here.trust.trusted
    assert (trust, revoked) == (f"{ISSUER}\n{tls_identity('lender.example').pem}", frozenset())


async def test_nothing_is_done_where_nothing_has_changed(here: Process) -> None:
    for _ in range(3):
        await here.follower.refresh()
    assert len(here.trust.trusted) == 1


async def test_what_one_process_changes_the_other_follows(here: Process, there: Process) -> None:
    await there.follower.refresh()
    blocked = without_key(here.registry.known("LENDER01"), "LENDER01-kid", KeyStatus.BLOCKED)
    here.registry.save(blocked)
    await there.follower.refresh()
    holder = there.directory.holder("LENDER01-kid")
    assert holder is not None
    assert [key.status for key in holder.keys] == [KeyStatus.BLOCKED]


async def test_a_removed_certificate_is_revoked_in_the_other_process(here: Process, there: Process) -> None:
    await there.follower.refresh()
    here.registry.save(lender_record(tls_certificates=[tls_identity("renewed.example").pem]))
    await there.follower.refresh()
    trust, revoked = there.trust.trusted[-1]
    assert tls_identity("lender.example").pem not in trust
    assert tls_identity("renewed.example").pem in trust
    assert len(revoked) == 1


async def test_a_switch_to_a_key_made_in_one_process_is_followed_by_the_other(here: Process, there: Process) -> None:
    await there.follower.refresh()
    assert there.signs_with == ["lsp-kid", "lsp backup-kid"]
    fresh = here.own_keys.make("fresh")
    here.registry.save(with_key(without_key(here.registry.known(), "lsp backup-kid", KeyStatus.RETIRED), fresh))
    await there.follower.refresh()
    assert there.signs_with == ["lsp-kid", "fresh"]
    here.registry.save(with_active(here.registry.known(), "fresh"))
    await there.follower.refresh()
    assert there.signs_with == ["fresh", "lsp-kid"]


async def test_what_could_not_be_followed_is_tried_again(here: Process) -> None:
    here.trust.fails = True
    for _ in range(2):
        with pytest.raises(TlsConfigurationError):
            await here.follower.refresh()
    here.trust.fails = False
    await here.follower.refresh()
    assert len(here.trust.trusted) == 1


async def test_a_key_whose_private_half_is_not_here_signs_as_soon_as_it_is(here: Process, tmp_path: Path) -> None:
    await here.follower.refresh()
    (tmp_path / "made").mkdir()
    late = KeyRecord.model_validate(key_of("leaf", "late"))
    here.registry.save(lsp_record(keys=[late.model_dump(), key_of("lsp", status="BACKUP")]))
    with pytest.raises(IdentityError, match=r"late\.key cannot be read"):
        await here.follower.refresh()
    assert here.signs_with == ["lsp-kid", "lsp backup-kid"]
    (tmp_path / "made" / "late.key").write_bytes(private_pem(rsa_key("leaf")))
    await here.follower.refresh()
    assert here.signs_with == ["late", "lsp-kid"]


async def test_a_blocked_key_of_ours_signs_no_more_though_our_certificate_cannot_be_used(here: Process) -> None:
    await here.follower.refresh()
    here.trust.fails = True
    here.registry.save(without_key(here.registry.known(), "lsp-kid", KeyStatus.BLOCKED))
    with pytest.raises(TlsConfigurationError):
        await here.follower.refresh()
    assert here.signs_with == ["lsp backup-kid"]


async def test_trust_ends_though_a_key_of_ours_is_not_here(here: Process) -> None:
    await here.follower.refresh()
    here.registry.save(lsp_record(keys=[key_of("leaf", "late")]))
    here.registry.save(lender_record(tls_certificates=[tls_identity("renewed.example").pem]))
    with pytest.raises(IdentityError):
        await here.follower.refresh()
    trust, revoked = here.trust.trusted[-1]
    assert tls_identity("lender.example").pem not in trust
    assert thumbprint_of(tls_identity("lender.example").pem) in revoked


async def test_of_two_looks_at_once_the_later_has_the_last_word(here: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on = threading.Event(), threading.Event()
    replace = here.trust.replace

    def slow_at_first(trust: str, revoked: frozenset[str] = frozenset()) -> None:
        if not here.trust.trusted and not entered.is_set():
            entered.set()
            go_on.wait(10)
        replace(trust, revoked)

    monkeypatch.setattr(here.trust, "replace", slow_at_first)
    first = asyncio.create_task(here.follower.refresh())
    await asyncio.to_thread(entered.wait, 10)
    here.registry.offboard("LENDER01")
    second = asyncio.create_task(here.follower.refresh())
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, second)
    assert [len(revoked) for _, revoked in here.trust.trusted] == [0, 1]
