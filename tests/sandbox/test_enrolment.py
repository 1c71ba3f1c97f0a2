"""What the registry is told of a member's keys and certificates, what it has no room for, and what is waited for."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.enrolment import LOOK_UP, Enrolment, enrolled
from sandbox.errors import SandboxError
from sandbox.network import MEMBERSHIP_FILE
from sandbox.registry_ops import RegistryOps
from sandbox.settings import Folders, NodeName
from shared.node.onboarding.record import thumbprint_of
from shared.protocol.encoding import format_timestamp
from tests.equipment.clock import NOW, FrozenClock
from tests.sandbox.nodes import TOKEN, Answers, alive, operator_plane, registry_alive, run_of
from tests.sandbox.test_cli_keys import key
from tests.sandbox.test_cli_registry import has_joined

FIRST, SECOND = key("k-1", "ACTIVE"), key("k-2", "BACKUP")


def participant(*kids: str, certificates: dict[str, str] | None = None) -> dict[str, Any]:
    """What the registry shows of participant 7, who was changed three seconds ago."""
    named = [
        {"thumbprint": thumbprint, "pem": pem, "uses": ["serving", "calling"]}
        for thumbprint, pem in (certificates or {"ab" * 32: "the former"}).items()
    ]
    return {
        "id": "7",
        "client_id": "c-7",
        "keys": [{"kid": kid} for kid in kids],
        "tls_certificates": named,
        "updated_at": format_timestamp(NOW - timedelta(seconds=3)),
        "offboarded_at": None,
    }


@pytest.fixture
def asked() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
def answers() -> Answers:
    return {
        "PUT /participants/7/keys": (200, participant("k-2", "k-1")),
        "PATCH /participants/7": (200, participant("k-1")),
    }


@pytest.fixture
def registry(answers: Answers, asked: list[tuple[str, Any]]) -> Iterator[RegistryOps]:
    with operator_plane(answers, asked) as url, RegistryOps("registry", url, TOKEN) as ops:
        yield ops


def test_the_keys_that_count_at_the_node_are_put_there_the_active_one_first(
    registry: RegistryOps, asked: list[tuple[str, Any]]
) -> None:
    enrolment = Enrolment(registry, "BANK01", participant("k-0", "k-1"))
    keys = [key("k-0", "RETIRED"), key("k-1", "BACKUP"), key("k-2", "ACTIVE")]
    enrolment.take_keys(keys)
    form = {"public_key": "k-2\n", "kid": "k-2", "backup_public_key": "k-1\n", "backup_kid": "k-1"}
    assert asked == [("PUT /participants/7/keys", form)]
    enrolment.take_keys(keys)
    assert len(asked) == 1


def test_a_third_key_is_refused_with_the_command_that_makes_room(
    registry: RegistryOps, asked: list[tuple[str, Any]]
) -> None:
    enrolment = Enrolment(registry, "BANK01", participant("k-1", "k-2"))
    enrolment.check_room_for_key([FIRST, key("k-0", "RETIRED")])
    mend = "takes no third key of BANK01: k-1 and k-2 count already, first `ocen-sandbox keys retire k-2`"
    with pytest.raises(SandboxError, match=mend):
        enrolment.check_room_for_key([SECOND, FIRST])
    assert asked == []


def test_a_registry_that_says_no_is_quoted_with_the_command_that_brings_it_up_to_date(
    registry: RegistryOps, answers: Answers
) -> None:
    answers["PUT /participants/7/keys"] = (409, {"detail": "another participant's"})
    enrolment = Enrolment(registry, "BANK01", participant("k-1"))
    mend = "another participant's; it still has the former keys of BANK01: ocen-sandbox registry join BANK01"
    with pytest.raises(SandboxError, match=mend):
        enrolment.take_keys([FIRST, SECOND])
    assert enrolment.kids == ["k-1"]


def test_a_certificate_is_added_beside_those_that_there_are_and_taken_out_alone(
    registry: RegistryOps, asked: list[tuple[str, Any]], answers: Answers, pki_folder: Path
) -> None:
    new = (pki_folder / "LSP123" / "tls.pem").read_text()
    both = {"ab" * 32: "the former", thumbprint_of(new): new}
    answers["PATCH /participants/7"] = (200, participant("k-1", certificates=both))
    enrolment = Enrolment(registry, "BANK01", participant("k-1"))
    enrolment.add_certificates([new])
    enrolment.add_certificates([new])
    assert asked == [("PATCH /participants/7", {"tls_certificates": ["the former", new]})]
    enrolment.remove_certificate("CD:CD:CD:CD")
    enrolment.remove_certificate("AB:AB:AB:AB:AB")
    assert asked[1:] == [("PATCH /participants/7", {"tls_certificates": [new]})]


def test_a_fifth_certificate_and_the_end_of_the_only_one_are_refused(
    registry: RegistryOps, asked: list[tuple[str, Any]], pki_folder: Path
) -> None:
    new = (pki_folder / "LSP123" / "tls.pem").read_text()
    full = Enrolment(registry, "BANK01", participant(certificates={f"{n}" * 64: "another" for n in range(4)}))
    with pytest.raises(SandboxError, match=r"4 certificates of BANK01 .*certificates remove SHA256 --of BANK01"):
        full.check_room_for_certificates([new])
    last = Enrolment(registry, "BANK01", participant())
    last.check_room_for_certificates([new])
    last.check_not_last_certificate("cd" * 32)
    with pytest.raises(SandboxError, match="abababab is the only certificate of BANK01 in the registry: `ocen-sandbox"):
        last.check_not_last_certificate("abababab")
    assert asked == []


def test_the_only_certificate_for_a_use_stays(registry: RegistryOps, asked: list[tuple[str, Any]]) -> None:
    known = participant(certificates={"ab" * 32: "serves", "cd" * 32: "calls"})
    for certificate, use in zip(known["tls_certificates"], ("serving", "calling"), strict=True):
        certificate["uses"] = [use]
    with pytest.raises(SandboxError, match="cdcdcdcd is the only certificate for calling of BANK01 in the registry"):
        Enrolment(registry, "BANK01", known).check_not_last_certificate("cdcdcdcd")
    assert asked == []


@pytest.mark.parametrize(("seconds", "waited"), [(0, [7.0]), (-60, [10.0]), (7, []), (3600, [])])
def test_what_is_new_is_used_when_the_registry_has_had_it_for_as_long_as_nobody_asks_again(
    registry: RegistryOps, seconds: float, waited: list[float]
) -> None:
    slept: list[float] = []
    said: list[str] = []
    clock = FrozenClock(NOW + timedelta(seconds=seconds))
    Enrolment(registry, "BANK01", participant(), clock, slept.append).await_look_ups(said.append)
    assert slept == waited
    assert len(said) == len(waited)
    assert timedelta(seconds=10) == LOOK_UP


@pytest.mark.parametrize("change", [{"client_id": "c-8"}, {"offboarded_at": "2031-05-06T07:08:09.123Z"}, None])
def test_who_is_no_member_of_the_registry_that_runs_is_not_told_of(
    change: dict[str, str] | None, tmp_path: Path, pki_folder: Path
) -> None:
    folders = Folders(tmp_path / "data", pki_folder)
    known = (200, participant() | change) if change is not None else (404, {"detail": "unknown"})
    planes = {
        NodeName.REGISTRY: registry_alive(os.getpid()) | {"GET /participants/7": known},
        NodeName.LENDER: alive("LENDER01", os.getpid()),
        NodeName.LSP: alive("LSP123", os.getpid()),
    }
    has_joined(pki_folder / "LSP123")
    with (
        operator_plane(planes[NodeName.REGISTRY], []) as registry,
        operator_plane(planes[NodeName.LENDER], []) as lender,
        operator_plane(planes[NodeName.LSP], []) as lsp,
    ):
        urls = {NodeName.REGISTRY: registry, NodeName.LENDER: lender, NodeName.LSP: lsp}
        run_of(folders, urls, os.getpid())
        with enrolled(folders, "LSP123") as nobody:
            assert nobody is None
        planes[NodeName.REGISTRY]["GET /participants/7"] = (200, participant())
        with enrolled(folders, "LSP123") as enrolment:
            assert enrolment is not None
        (pki_folder / "LSP123" / MEMBERSHIP_FILE).unlink()
        with enrolled(folders, "LSP123") as nobody:
            assert nobody is None
