"""How an organisation becomes a member of the network, and how commands meet a sandbox with a registry."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from sandbox.errors import SandboxError
from sandbox.network import join, read_membership
from sandbox.pair import end_pair
from sandbox.pki.certificates import hosts_of
from sandbox.pki.folder import registry_leaf
from sandbox.registry_ops import RegistryOps
from sandbox.running import connected_registry, nodes_alive
from sandbox.settings import PAIR, Folders, NodeName
from shared.clock import SystemClock
from tests.sandbox.nodes import TOKEN, Answers, Pair, operator_plane, registry_alive, run_of
from tests.sandbox.pki_folder import NOW

SECRET, NEW_SECRET = "a secret of the first registry", "another secret"


@pytest.fixture
def answers() -> Answers:
    """A registry that has a product and a network, and no participants."""
    return {
        **registry_alive(os.getpid()),
        "GET /products": (200, {"items": [{"id": "11", "name": "Working capital"}]}),
        "GET /networks": (200, {"items": [{"id": "12", "name": "Sandbox network"}]}),
        "POST /participants": (201, registered(SECRET)),
        "POST /participants/7/approve": (200, {}),
        "POST /participants/7/secret": (200, registered(NEW_SECRET)),
        "PATCH /participants/7": (200, {}),
        "PUT /participants/7/keys": (200, {}),
        "PUT /networks/12/members/7": (200, {}),
    }


@pytest.fixture
def asked() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
def registry(answers: Answers, asked: list[tuple[str, Any]]) -> Iterator[RegistryOps]:
    with operator_plane(answers, asked) as url, RegistryOps("registry", url, TOKEN) as ops:
        yield ops


def participant(status: str = "APPROVED", client_id: str = "c-7", kids: tuple[str, ...] = ()) -> dict[str, Any]:
    organisation = {"id": "5", "name": "Sandbox LSP (LSP123)"}
    keys = [{"kid": kid} for kid in kids]
    return {
        "id": "7",
        "client_id": client_id,
        "role": "LOAN_AGENT",
        "status": status,
        "organisation": organisation,
        "keys": keys,
    }


def registered(secret: str) -> dict[str, Any]:
    return {"participant": participant("APPLIED"), "client_id": "c-7", "client_secret": secret}


def calls(asked: list[tuple[str, Any]]) -> list[str]:
    return [call for call, _ in asked if not call.startswith("GET")]


def test_a_new_member_is_registered_approved_and_admitted_and_its_secret_is_for_its_owner_alone(
    registry: RegistryOps, asked: list[tuple[str, Any]], pki_folder: Path
) -> None:
    home = pki_folder / "LSP123"
    member = join(registry, home / "identity.json")
    assert calls(asked) == ["POST /participants", "POST /participants/7/approve", "PUT /networks/12/members/7"]
    assert (member.participant_id, member.client_id, member.product_network_id) == ("7", "c-7", "12")
    assert read_membership(home) == member
    secret = home / "client-secret"
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == (SECRET, 0o600)


def test_who_is_a_member_keeps_its_ids_and_its_secret(
    registry: RegistryOps, answers: Answers, asked: list[tuple[str, Any]], pki_folder: Path
) -> None:
    identity = pki_folder / "LSP123" / "identity.json"
    first = join(registry, identity)
    answers["GET /participants"] = (200, {"items": [participant(kids=(first.kid,))]})
    asked.clear()
    assert join(registry, identity) == first
    assert calls(asked) == ["PATCH /participants/7", "PUT /networks/12/members/7"]
    assert (identity.parent / "client-secret").read_text() == SECRET


def test_a_member_with_new_keys_that_was_suspended_is_brought_up_to_date(
    registry: RegistryOps, answers: Answers, asked: list[tuple[str, Any]], pki_folder: Path
) -> None:
    identity = pki_folder / "LSP123" / "identity.json"
    former = join(registry, identity)._replace(kid="former")
    (identity.parent / "membership.json").write_text(json.dumps(former._asdict()))
    answers["GET /participants"] = (200, {"items": [participant("UNDER_REVIEW", kids=("former",))]})
    asked.clear()
    join(registry, identity)
    changes = ["PUT /participants/7/keys", "PATCH /participants/7", "POST /participants/7/approve"]
    assert calls(asked) == [*changes, "PUT /networks/12/members/7"]


def test_keys_that_have_changed_since_the_file_named_its_own_stay(
    registry: RegistryOps, answers: Answers, asked: list[tuple[str, Any]], pki_folder: Path
) -> None:
    identity = pki_folder / "LSP123" / "identity.json"
    first = join(registry, identity)
    answers["GET /participants"] = (200, {"items": [participant(kids=("made-later",))]})
    asked.clear()
    assert join(registry, identity) == first
    assert calls(asked) == ["PATCH /participants/7", "PUT /networks/12/members/7"]


@pytest.mark.parametrize("lost", ["client-secret", "membership.json"])
def test_a_lost_secret_and_one_of_another_registry_are_replaced(
    lost: str, registry: RegistryOps, answers: Answers, pki_folder: Path
) -> None:
    home = pki_folder / "LSP123"
    answers["GET /participants"] = (200, {"items": [participant()]})
    (home / "client-secret").write_text(SECRET)
    (home / "membership.json").write_text('{"client_id": "of another registry"}')
    (home / lost).unlink()
    join(registry, home / "identity.json")
    assert (home / "client-secret").read_text() == NEW_SECRET


def test_an_organisation_that_never_joined_is_told_how_to(pki_folder: Path) -> None:
    with pytest.raises(SandboxError, match="LSP123 is no member of the network: ocen-sandbox registry join LSP123"):
        read_membership(pki_folder / "LSP123")


def test_the_registrys_certificate_stays_as_long_as_it_serves_and_is_replaced_when_it_does_not(
    pki_folder: Path,
) -> None:
    certificate, key = registry_leaf(pki_folder, ["localhost"], NOW)
    before, private = certificate.read_bytes(), key.read_bytes()
    registry_leaf(pki_folder, ["localhost"], NOW)
    assert certificate.read_bytes() == before
    registry_leaf(pki_folder, ["localhost", "bank.example"], NOW)
    assert hosts_of(x509.load_pem_x509_certificate(certificate.read_bytes())) == ("localhost", "bank.example")
    assert key.read_bytes() == private


def test_status_counts_the_registry_and_no_command_takes_it_for_a_node(network: Pair) -> None:
    status, out, _ = network.run("status")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["registry", "lender", "LSP"]
    network.registry["GET /ready"] = (503, {"ready": False})
    assert network.run("status")[0] == 1
    network.lender["GET /messages"] = network.lsp["GET /messages"] = (200, {"items": []})
    assert network.run("messages")[0] == 0
    assert not [call for call, _ in network.told if "messages" in call]


def test_a_registry_that_has_died_is_named(network: Pair) -> None:
    del network.registry["GET /health"]
    status, _, err = network.run("messages")
    assert status == 2
    assert "the registry does not run: run `ocen-sandbox down`, then `ocen-sandbox up --version v4`" in err


def test_a_lender_that_was_not_started_is_named_with_the_way_to_start_it(pair: Pair) -> None:
    status, _, err = pair.run("messages", "--at", "lender02")
    assert status == 2
    assert "no lender LENDER02 runs: `ocen-sandbox down`, then `ocen-sandbox up --lenders 3`" in err


def test_a_pair_without_a_registry_says_how_to_start_one(pair: Pair, tmp_path: Path) -> None:
    with (
        pytest.raises(SandboxError, match=r"runs without a registry: .*`ocen-sandbox up --version v4`"),
        connected_registry(Folders(tmp_path / "data")),
    ):
        pass


def test_down_leaves_a_stranger_alone_that_answers_in_place_of_the_registry(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "data")
    with operator_plane(registry_alive(1), []) as url:
        run = run_of(folders, {NodeName.REGISTRY: url}, os.getpid())
        assert nodes_alive(folders, run) == {}
        ended = end_pair(folders, SystemClock())
    assert (ended.nodes, ended.left_alone) == ([], {NodeName.REGISTRY: os.getpid()})


def test_a_further_lender_is_named_by_its_organisation_in_sentences_and_as_options_do_in_tables() -> None:
    further = NodeName.LENDER02
    assert (further.label, further.kind, further.short) == ("lender LENDER02", "lender", "lender02")
    assert {(name.label, name.kind) for name in PAIR} == {("lender", "lender"), ("LSP", "LSP")}


def test_a_further_lender_that_runs_in_a_network_is_missed_with_the_command_of_a_network(network: Pair) -> None:
    err = network.run("messages", "--at", "lender03")[2]
    assert "no lender LENDER03 runs: `ocen-sandbox down`, then `ocen-sandbox up --version v4 --lenders 3`" in err
