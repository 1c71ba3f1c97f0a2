"""What may happen to keys and certificates: each change gives a new record, and what may not happen says why."""

from collections.abc import Callable

import pytest

from shared.node.onboarding.changes import (
    with_active,
    with_certificate,
    with_key,
    without_certificate,
    without_key,
)
from shared.node.onboarding.record import (
    KeyRecord,
    OnboardingError,
    ParticipantRecord,
    TakenError,
    UnknownError,
    thumbprint_of,
)
from shared.protocol.participants import KeyStatus
from tests.equipment.forms import certificate_pem
from tests.equipment.records import key_of, lsp_record, tls_identity
from tests.equipment.registry import statuses
from tests.node.certificates import CLIENT, SERVER

NEW = KeyRecord.model_validate(key_of("leaf", "new"))
PEMS = [tls_identity(f"{name}.example").pem for name in ("lsp", "second", "third", "fourth", "fifth")]


def record_with(**stated: str) -> ParticipantRecord:
    """A record with keys of these kids and statuses."""
    owners = ("lsp", "lsp backup", "leaf")
    keys = [key_of(owner, kid, status=status) for owner, (kid, status) in zip(owners, stated.items(), strict=False)]
    return lsp_record(keys=keys)


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({"a": "ACTIVE"}, lambda r: with_key(r, NEW), {"a": "ACTIVE", "new": "BACKUP"}),
        ({"a": "BACKUP"}, lambda r: with_key(r, NEW), {"a": "BACKUP", "new": "BACKUP"}),
        (
            {"a": "BLOCKED", "b": "RETIRED"},
            lambda r: with_key(r, NEW),
            {"a": "BLOCKED", "b": "RETIRED", "new": "ACTIVE"},
        ),
        ({"a": "ACTIVE", "b": "BACKUP"}, lambda r: with_active(r, "b"), {"a": "BACKUP", "b": "ACTIVE"}),
        ({"a": "ACTIVE", "b": "BACKUP"}, lambda r: with_active(r, "a"), {"a": "ACTIVE", "b": "BACKUP"}),
        ({"a": "BACKUP"}, lambda r: with_active(r, "a"), {"a": "ACTIVE"}),
        (
            {"a": "ACTIVE", "b": "BACKUP"},
            lambda r: without_key(r, "a", KeyStatus.BLOCKED),
            {"a": "BLOCKED", "b": "ACTIVE"},
        ),
        (
            {"a": "ACTIVE", "b": "BACKUP"},
            lambda r: without_key(r, "b", KeyStatus.RETIRED),
            {"a": "ACTIVE", "b": "RETIRED"},
        ),
        ({"a": "ACTIVE"}, lambda r: without_key(r, "a", KeyStatus.RETIRED), {"a": "RETIRED"}),
        ({"a": "RETIRED"}, lambda r: without_key(r, "a", KeyStatus.BLOCKED), {"a": "BLOCKED"}),
        ({"a": "BLOCKED"}, lambda r: without_key(r, "a", KeyStatus.BLOCKED), {"a": "BLOCKED"}),
    ],
)
def test_keys_change_their_status(
    before: dict[str, str], change: Callable[[ParticipantRecord], ParticipantRecord], after: dict[str, str]
) -> None:
    record = record_with(**before)
    assert statuses(change(record)) == after
    assert statuses(record) == before


def test_a_retired_key_comes_back_as_back_up() -> None:
    record = record_with(a="ACTIVE", b="RETIRED")
    assert statuses(with_key(record, record.keys[1])) == {"a": "ACTIVE", "b": "BACKUP"}


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        (
            lambda r: with_key(r, NEW),
            TakenError,
            "LSP123: two keys count already, a and b: retire or block one first",
        ),
        (
            lambda r: with_key(r, NEW.model_copy(update={"kid": "c"})),
            TakenError,
            "LSP123: kid c is there already: give a new key a new kid",
        ),
        (
            lambda r: with_key(without_key(r, "b", KeyStatus.RETIRED), NEW),
            TakenError,
            "LSP123: this key is there already as c (BLOCKED): make a new key pair",
        ),
        (lambda r: with_active(r, "c"), TakenError, "LSP123: kid c is BLOCKED: add a new key with a new kid"),
        (lambda r: with_active(r, "d"), UnknownError, "LSP123: no key d: it has a, b, c"),
        (lambda r: without_key(r, "c", KeyStatus.RETIRED), TakenError, "LSP123: kid c is BLOCKED, and stays so"),
        (lambda r: without_key(r, "d", KeyStatus.BLOCKED), UnknownError, "LSP123: no key d: it has a, b, c"),
    ],
)
def test_what_may_not_happen_to_a_key_says_why(
    change: Callable[[ParticipantRecord], object], kind: type[OnboardingError], sentence: str
) -> None:
    with pytest.raises(OnboardingError) as refusal:
        change(record_with(a="ACTIVE", b="BACKUP", c="BLOCKED"))
    assert (type(refusal.value), str(refusal.value)) == (kind, sentence)


def test_a_retired_key_is_not_made_active_without_being_added_again() -> None:
    with pytest.raises(TakenError, match="kid b is RETIRED: add it again, or add a new key with a new kid"):
        with_active(record_with(a="ACTIVE", b="RETIRED"), "b")


def test_certificates_stand_beside_each_other_until_one_is_removed() -> None:
    both = with_certificate(lsp_record(), PEMS[1])
    assert both.tls_certificates == PEMS[:2]
    assert with_certificate(both, PEMS[1]) is both
    for name in (thumbprint_of(PEMS[0]), thumbprint_of(PEMS[0])[:8], ":".join([thumbprint_of(PEMS[0]).upper()])):
        assert without_certificate(both, name).tls_certificates == [PEMS[1]]


def test_a_fifth_certificate_is_refused() -> None:
    with pytest.raises(TakenError, match="LSP123: 4 certificates already: remove an old one first"):
        with_certificate(lsp_record(tls_certificates=PEMS[:4]), PEMS[4])


def test_the_only_certificate_stays() -> None:
    with pytest.raises(TakenError, match="LSP123: its only certificate: add another first, or offboard it"):
        without_certificate(lsp_record(), thumbprint_of(PEMS[0]))


@pytest.mark.parametrize("name", ["", "0" * 64, thumbprint_of(PEMS[0])[:7]], ids=["none", "another", "short"])
def test_a_certificate_that_is_not_there_or_hardly_named_is_not_removed(name: str) -> None:
    with pytest.raises(UnknownError, match=f"LSP123: no certificate with sha256 {name}: it has "):
        without_certificate(lsp_record(tls_certificates=PEMS[:2]), name)


@pytest.mark.parametrize(("gone", "use"), [(0, "serving"), (1, "calling")])
def test_the_only_certificate_for_a_use_stays(gone: int, use: str) -> None:
    pems = [certificate_pem(usages=(usage,)) for usage in (SERVER, CLIENT)]
    record = lsp_record(tls_certificates=pems)
    with pytest.raises(TakenError, match=f"LSP123: its only certificate for {use}: add another for that first"):
        without_certificate(record, thumbprint_of(pems[gone]))
    renewed = with_certificate(record, PEMS[0])
    assert without_certificate(renewed, thumbprint_of(pems[gone])).tls_certificates == [pems[1 - gone], PEMS[0]]
