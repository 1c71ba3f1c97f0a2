"""`keys` and `certificates` of a node that is a member of the registry: what is told to whom, and in which order."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.pki.organisation import own_form
from sandbox.settings import Folders, NodeName
from tests.sandbox.nodes import Pair, operator_plane, run_of
from tests.sandbox.pki_folder import contents
from tests.sandbox.test_cli_keys import key, own
from tests.sandbox.test_cli_participants import DETAILS, KNOWN
from tests.sandbox.test_cli_registry import has_joined

ONE, TWO = key("lsp-1", "ACTIVE"), key("lsp-2", "BACKUP")
USES = ["serving", "calling"]
FORMER = {"thumbprint": "ab" * 32, "pem": "the former certificate", "uses": USES}
OTHER = {"thumbprint": "cd" * 32, "pem": "another certificate", "uses": USES}


def participant(*kids: str) -> tuple[int, dict[str, Any]]:
    """What the registry shows of the LSP, who was changed long ago."""
    named = {"keys": [{"kid": kid} for kid in kids], "tls_certificates": [FORMER, OTHER]}
    when = {"updated_at": "2020-01-01T00:00:00.000Z", "offboarded_at": None}
    return 200, {"id": "7", "client_id": "c-7", **named, **when}


class MakesKeys(dict[str, Any]):
    """Answers of an LSP that has a second key when it has made one."""

    def get(self, call: str, default: Any = None) -> Any:
        if call == "POST /identity/keys":
            self["GET /participants/LSP123"] = own("LSP123", ONE, TWO)
        return super().get(call, default)


@pytest.fixture
def member(tmp_path: Path, pki_folder: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Pair]:
    """The LSP is a member; `asked` is what registry, lender and LSP were asked, in its order."""
    folders = Folders(tmp_path / "data", pki_folder)
    pair = Pair(folders, capfd)
    pair.lsp = MakesKeys(pair.lsp)
    has_joined(pki_folder / "LSP123")
    pair.registry |= {
        "GET /participants/7": participant("lsp-1", "lsp-2"),
        "PUT /participants/7/keys": participant(),
        "PATCH /participants/7": participant("lsp-1", "lsp-2"),
    }
    known = {**KNOWN, "organisation_id": "LSP123", "keys": [ONE, TWO]}
    pair.lender |= {
        "GET /participants": (200, {"items": [known]}),
        "GET /participants/LENDER01": own("LENDER01"),
        "POST /participants/LSP123/certificates": (201, DETAILS),
    }
    pair.lsp |= {
        "GET /participants": (200, {"items": []}),
        "GET /participants/LSP123": own("LSP123", ONE, TWO),
        "PUT /participants/LSP123/keys/lsp-1": own("LSP123", TWO, key("lsp-1", "RETIRED")),
        "PUT /participants/LSP123/keys/lsp-2": own("LSP123", key("lsp-2", "ACTIVE"), key("lsp-1", "BACKUP")),
        "POST /identity/keys": (201, {"kid": "lsp-2"}),
        "POST /identity/certificate": (200, {"certificate": "ab"}),
    }
    with (
        operator_plane(pair.registry, pair.asked) as registry,
        operator_plane(pair.lender, pair.asked) as lender,
        operator_plane(pair.lsp, pair.asked) as lsp,
    ):
        urls = {NodeName.REGISTRY: registry, NodeName.LENDER: lender, NodeName.LSP: lsp}
        run_of(folders, urls, os.getpid())
        yield pair


def changes(pair: Pair) -> list[str]:
    """What was changed, in order."""
    return [call for call, _ in pair.asked if not call.startswith("GET")]


def told(pair: Pair, call: str) -> list[Any]:
    """What was told with a call, each time."""
    return [body for asked, body in pair.asked if asked == call]


def test_a_key_that_a_member_makes_is_registered_at_once(member: Pair) -> None:
    member.lsp["GET /participants/LSP123"] = own("LSP123", ONE)
    member.registry["GET /participants/7"] = participant("lsp-1")
    status, out, _ = member.run("keys", "add", "--at", "lsp")
    assert status == 0
    assert changes(member) == ["POST /identity/keys", "PUT /participants/7/keys"]
    form = {"public_key": "lsp-1\n", "kid": "lsp-1", "backup_public_key": "lsp-2\n", "backup_kid": "lsp-2"}
    assert told(member, "PUT /participants/7/keys") == [form]
    assert "The registry has it" in out
    assert "ocen-sandbox keys switch lsp-2" in out


def test_a_member_signs_with_a_key_only_when_the_registry_has_it(member: Pair) -> None:
    member.registry["GET /participants/7"] = participant("lsp-1")
    assert member.run("keys", "switch", "lsp-2")[0] == 0
    first, second = "PUT /participants/7/keys", "PUT /participants/LSP123/keys/lsp-2"
    assert changes(member) == [first, second, first]
    assert [body["kid"] for body in told(member, first)] == ["lsp-1", "lsp-2"]


def test_a_key_that_is_registered_long_since_is_switched_to_and_named_first(member: Pair) -> None:
    assert member.run("keys", "switch", "lsp-2")[0] == 0
    assert changes(member) == ["PUT /participants/LSP123/keys/lsp-2", "PUT /participants/7/keys"]
    assert told(member, "PUT /participants/7/keys")[0]["kid"] == "lsp-2"


@pytest.mark.parametrize("command", [["retire", "lsp-1"], ["block", "lsp-1", "--reason", "laptop stolen"]])
def test_a_key_that_ends_is_taken_out_when_the_node_signs_with_it_no_more(member: Pair, command: list[str]) -> None:
    status, out, _ = member.run("keys", *command)
    assert status == 0
    assert changes(member) == ["PUT /participants/LSP123/keys/lsp-1", "PUT /participants/7/keys"]
    assert told(member, "PUT /participants/7/keys") == [{"public_key": "lsp-2\n", "kid": "lsp-2"}]
    assert "The registry has taken it out" in out


def test_a_members_new_certificate_is_registered_before_it_is_shown(member: Pair, pki_folder: Path) -> None:
    assert member.run("certificates", "renew", "--at", "lsp", "--prepare")[0] == 0
    assert changes(member) == ["POST /participants/LSP123/certificates", "PATCH /participants/7"]
    waiting = (pki_folder / "LSP123" / "tls.next.pem").read_text()
    assert told(member, "PATCH /participants/7") == [{"tls_certificates": [FORMER["pem"], OTHER["pem"], waiting]}]
    assert member.run("certificates", "renew", "--at", "lsp")[0] == 0
    assert changes(member)[-1] == "POST /identity/certificate"
    assert (pki_folder / "LSP123" / "tls.pem").read_text() == waiting


def test_a_certificate_of_a_member_that_is_removed_leaves_the_registry_too(member: Pair) -> None:
    removal = f"/participants/LSP123/certificates/{'ab' * 32}"
    member.lender[f"DELETE {removal}"] = (200, DETAILS)
    assert member.run("certificates", "remove", "ab" * 32, "--of", "LSP123")[0] == 0
    assert [call.partition("?")[0] for call in changes(member)] == [f"DELETE {removal}", "PATCH /participants/7"]
    assert told(member, "PATCH /participants/7") == [{"tls_certificates": [OTHER["pem"]]}]


def test_a_certificate_that_is_added_for_a_member_is_registered_unless_one_node_is_meant(
    member: Pair, pki_folder: Path
) -> None:
    pem = pki_folder / "LENDER01" / "tls.pem"
    wish = ("certificates", "add", "--of", "LSP123", "--file", str(pem))
    assert member.run(*wish, "--at", "lender")[0] == 0
    assert changes(member) == ["POST /participants/LSP123/certificates"]
    assert member.run(*wish)[0] == 0
    assert changes(member)[1:] == ["POST /participants/LSP123/certificates", "PATCH /participants/7"]
    assert told(member, "PATCH /participants/7")[0]["tls_certificates"][-1] == pem.read_text()


COMMANDS = [
    ["keys", "add", "--at", "lsp"],
    ["keys", "switch", "lsp-2"],
    ["keys", "retire", "lsp-1"],
    ["keys", "block", "lsp-1", "--reason", "stolen"],
    ["certificates", "renew", "--at", "lsp"],
    ["certificates", "remove", "ab" * 32, "--of", "LSP123"],
]


@pytest.mark.parametrize("command", COMMANDS)
def test_while_the_registry_does_not_answer_nothing_is_changed(
    member: Pair, command: list[str], pki_folder: Path
) -> None:
    del member.registry["GET /health"]
    before = contents(pki_folder)
    status, out, err = member.run(*command)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "the registry does not run: run `ocen-sandbox down`, then `ocen-sandbox up --version v4`" in err
    assert changes(member) == []
    assert contents(pki_folder) == before


@pytest.mark.parametrize("command", COMMANDS[1:5])
def test_a_node_that_is_no_member_changes_its_keys_and_certificate_as_in_v3(
    member: Pair, command: list[str], pki_folder: Path
) -> None:
    (pki_folder / "LSP123" / "membership.json").unlink()
    assert member.run(*command)[0] == 0
    assert not [call for call in changes(member) if "/participants/7" in call]


def test_a_third_key_of_a_member_is_refused_before_it_is_made(member: Pair) -> None:
    status, out, err = member.run("keys", "add", "--at", "lsp")
    assert (status, out) == (2, "")
    assert "no third key of LSP123: lsp-1 and lsp-2 count already, first `ocen-sandbox keys retire lsp-2`" in err
    assert changes(member) == []


def test_who_joins_again_is_registered_with_the_keys_of_now(member: Pair, pki_folder: Path) -> None:
    form = own_form(pki_folder / "LSP123" / "identity.json").model_copy(
        update={"public_key": "a new key", "kid": "lsp-3", "backup_public_key": "", "backup_kid": ""}
    )
    member.lsp["GET /identity/form"] = (200, form.model_dump())
    known = participant("lsp-1", "lsp-2")[1] | {"role": "LOAN_AGENT", "status": "APPROVED"}
    known["organisation"] = {"id": "5", "name": "Sandbox LSP (LSP123)"}
    member.registry |= {
        "GET /participants": (200, {"items": [known]}),
        "GET /products": (200, {"items": [{"id": "11", "name": "Working capital"}]}),
        "GET /networks": (200, {"items": [{"id": "12", "name": "Sandbox network"}]}),
        "PUT /networks/12/members/7": (200, {}),
    }
    (pki_folder / "LSP123" / "client-secret").write_text("the secret")
    assert member.run("registry", "join", "LSP123")[0] == 0
    (keys,) = told(member, "PUT /participants/7/keys")
    assert (keys["public_key"], keys["kid"]) == ("a new key", "lsp-3")
