"""`ocen-sandbox registry`: what each command asks of the registry, and what it tells."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from sandbox.forms import form_text
from sandbox.network import Membership
from sandbox.pki.organisation import own_form
from tests.sandbox.nodes import Pair
from tests.sandbox.pki_folder import NOW


def participant(status: str = "APPROVED", offboarded_at: str | None = None) -> dict[str, Any]:
    organisation = {"id": "5", "name": "Bank (BANK01)", "spoc_email": "a@bank.example", "spoc_phone": "+91 22 1"}
    certificate = {"thumbprint": "ab" * 32, "subject": "CN=BANK01", "expires_at": "2033-01-02T03:04:05.000Z"}
    certificate |= {"uses": ["serving", "calling"]}
    return {
        "id": "7",
        "client_id": "c-7",
        "role": "LENDER",
        "status": status,
        "status_because": "late payments" if status == "UNDER_REVIEW" else "",
        "base_url": "https://bank.example",
        "organisation": organisation,
        "keys": [{"kid": "kid-7", "thumbprint": "t-7", "pem": "-----BEGIN PUBLIC KEY-----"}],
        "tls_certificates": [certificate],
        "approved_by": "sandbox",
        "approved_at": "2031-01-02T03:04:05.000Z",
        "created_at": "2031-01-02T03:04:05.000Z",
        "offboarded_at": offboarded_at,
    }


GIVEN = {"participant": participant("APPLIED"), "client_id": "c-7", "client_secret": "the new secret"}


@pytest.fixture
def registry(network: Pair) -> Pair:
    """A network whose registry knows participant 7, and whose sandbox network has the id 12."""
    network.registry |= {
        "GET /participants": (200, {"items": [participant()]}),
        "GET /participants/7": (200, participant()),
        "GET /products": (200, {"items": [{"id": "11", "name": "Working capital"}]}),
        "GET /networks": (200, {"items": [{"id": "12", "name": "Sandbox network", "members": ["7"]}]}),
        "PUT /networks/12/members/7": (200, {}),
        "POST /participants": (201, GIVEN),
        "POST /participants/7/secret": (200, GIVEN),
        "POST /participants/7/approve": (200, participant()),
        "POST /participants/7/suspend": (200, participant("UNDER_REVIEW")),
        "POST /participants/7/reject": (200, participant("REJECTED")),
        "POST /participants/7/offboard": (200, participant(offboarded_at="2031-02-03T04:05:06.000Z")),
    }
    return network


def has_joined(home: Path, participant_id: str = "7") -> None:
    member = Membership(participant_id, "5", "c-7", "kid-7", "11", "12")
    (home / "membership.json").write_text(json.dumps(member._asdict()))
    (home / "client-secret").write_text("the former secret")


def changes(pair: Pair) -> list[tuple[str, Any]]:
    return [(call, body) for call, body in pair.told if not call.startswith("GET")]


def test_participants_are_listed_with_their_standing_and_their_networks(registry: Pair) -> None:
    status, out, _ = registry.run("registry", "list")
    assert status == 0
    row = ["7", "APPROVED", "LENDER", "https://bank.example", "12", "Bank", "(BANK01)"]
    assert out.splitlines()[1].split() == row
    registry.run("registry", "list", "--offboarded")
    assert registry.told[-2][0] == "GET /participants?offboarded=true"


@pytest.mark.parametrize("named", ["7", "LSP123"])
def test_a_participant_is_shown_by_its_id_and_by_the_organisation_that_has_joined(named: str, registry: Pair) -> None:
    has_joined(registry.certs / "LSP123")
    status, out, _ = registry.run("registry", "show", named)
    assert status == 0
    assert "Bank (BANK01), participant 7, is APPROVED" in out
    for word in ("kid-7", "sha256 abab", "2031-01-02 03:04:05 UTC by sandbox", "c-7"):
        assert word in out
    assert "PUBLIC KEY" not in out


def test_who_was_never_registered_is_told_so(registry: Pair) -> None:
    registry.registry["GET /participants/8"] = (404, {"detail": "unknown"})
    assert (
        "nobody was ever registered as 8: see `ocen-sandbox registry list`" in registry.run("registry", "show", "8")[2]
    )
    said = registry.run("registry", "show", "LSP123")[2]
    assert "LSP123 is no member of the network: ocen-sandbox registry join LSP123" in said


def test_an_organisation_that_was_registered_by_a_form_is_found_by_its_name(registry: Pair) -> None:
    assert "Bank (BANK01), participant 7, is APPROVED" in registry.run("registry", "show", "BANK01")[1]
    twice = {"items": [participant(), {**participant(), "id": "9", "role": "LOAN_AGENT"}]}
    registry.registry["GET /participants"] = (200, twice)
    status, out, err = registry.run("registry", "show", "BANK01")
    assert (status, out) == (2, "")
    assert "BANK01 is the participants 7 and 9: give the id of the one that you mean" in err
    said = registry.run("registry", "show", "BANK09")[2]
    assert "registry join BANK09, or give a participant id of `ocen-sandbox registry list`" in said


def test_an_organisation_joins_and_is_told_what_its_node_needs(registry: Pair) -> None:
    registry.registry["GET /participants"] = (200, {"items": []})
    form = own_form(registry.certs / "LSP123" / "identity.json")
    registry.lsp["GET /identity/form"] = (200, form.model_dump())
    status, out, _ = registry.run("registry", "join", "LSP123")
    assert status == 0
    assert "LSP123 is participant 7 of the network." in out
    secret = registry.certs / "LSP123" / "client-secret"
    for word in ("OCEN_REGISTRY_URL", "https://registry.example", "OCEN_PARTICIPANT_ID", "c-7", str(secret)):
        assert word in out
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("the new secret", 0o600)
    assert "the new secret" not in out
    assert out.endswith("Its node learns of it when it starts: ocen-sandbox down, then ocen-sandbox up --version v4\n")


def test_a_member_that_joins_again_keeps_its_id_and_its_node_need_not_start_anew(registry: Pair) -> None:
    has_joined(registry.certs / "LSP123")
    form = own_form(registry.certs / "LSP123" / "identity.json")
    registry.lsp["GET /identity/form"] = (200, form.model_dump())
    known = {**participant(), "role": "LOAN_AGENT"}
    known["organisation"] = {**known["organisation"], "name": f"{form.name} (LSP123)"}
    registry.registry["GET /participants"] = (200, {"items": [known]})
    registry.registry["PUT /participants/7/keys"] = registry.registry["PATCH /participants/7"] = (200, known)
    status, out, _ = registry.run("registry", "join", "LSP123")
    assert (status, "LSP123 is participant 7 of the network." in out) == (0, True)
    assert "when it starts" not in out


def test_an_organisation_without_keys_cannot_join(registry: Pair) -> None:
    status, _, err = registry.run("registry", "join", "BANK09")
    assert status == 2
    assert f"BANK09 has no keys here: `ocen-sandbox pki issue BANK09 --role LSP --certs-dir {registry.certs}`" in err
    assert "or --role LENDER" in err
    assert changes(registry) == []


def test_a_form_is_registered_for_approval_and_its_secret_is_shown_once(
    registry: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.cli.inputs.SystemClock.now", lambda _: NOW)
    form = own_form(registry.certs / "LSP123" / "identity.json")
    (tmp_path / "form.yaml").write_text(form_text(form))
    status, out, _ = registry.run("registry", "register", "--file", str(tmp_path / "form.yaml"))
    assert status == 0
    for word in ("LSP123 is registered, and has to be approved", "the new secret", "registry approve 7"):
        assert word in out
    ((call, body),) = changes(registry)
    assert call == "POST /participants"
    assert (body["name"], body["role"]) == ("Sandbox LSP (LSP123)", "LOAN_AGENT")
    assert (body["kid"], body["tls_certificates"]) == (form.kid, [form.tls_certificate])


def test_a_form_with_errors_is_not_registered(registry: Pair, tmp_path: Path) -> None:
    (tmp_path / "form.yaml").write_text("organisation_id: BANK01\n")
    status, _, err = registry.run("registry", "register", "--file", str(tmp_path / "form.yaml"))
    assert status == 2
    assert "the form cannot be taken, and nothing is stored" in err
    assert changes(registry) == []


def test_approving_admits_to_the_network(registry: Pair) -> None:
    status, out, _ = registry.run("registry", "approve", "7")
    assert (status, out) == (0, "Bank (BANK01), participant 7, is APPROVED\nIt is in product network 12.\n")
    approval = {"approved_by": "sandbox", "reason": ""}
    assert changes(registry) == [("POST /participants/7/approve", approval), ("PUT /networks/12/members/7", None)]


@pytest.mark.parametrize(
    ("step", "said"),
    [("suspend", "is UNDER_REVIEW, late payments"), ("reject", "is REJECTED"), ("offboard", "is OFFBOARDED")],
)
def test_a_step_is_taken_for_a_reason(step: str, said: str, registry: Pair) -> None:
    for without in ((), ("--reason", " ")):
        mend = f'ocen-sandbox: no reason: ocen-sandbox registry {step} 7 --reason "late payments"\n'
        assert registry.run("registry", step, "7", *without) == (2, "", mend)
    assert changes(registry) == []
    status, out, _ = registry.run("registry", step, "7", "--reason", "late payments")
    assert status == 0
    assert said in out
    assert changes(registry) == [(f"POST /participants/7/{step}", {"reason": "late payments"})]


def test_a_step_that_cannot_be_taken_is_told_in_the_registrys_words(registry: Pair) -> None:
    registry.registry["POST /participants/7/reject"] = (409, {"detail": "participant 7 is APPROVED: suspend it first"})
    status, _, err = registry.run("registry", "reject", "7", "--reason", "x")
    assert (status, err) == (2, "ocen-sandbox: the registry says: participant 7 is APPROVED: suspend it first\n")


def test_a_new_secret_of_a_member_goes_into_its_folder_and_is_not_printed(registry: Pair) -> None:
    home = registry.certs / "LSP123"
    has_joined(home)
    status, out, _ = registry.run("registry", "secret", "LSP123")
    assert status == 0
    assert (home / "client-secret").read_text() == "the new secret"
    assert "the new secret" not in out.replace("The new secret", "")
    assert "Its node reads it when it starts" in out


def test_a_new_secret_of_somebody_elsewhere_is_printed_once(registry: Pair) -> None:
    status, out, _ = registry.run("registry", "secret", "7")
    assert status == 0
    assert "client secret   the new secret\nThe secret is shown this once." in out
    assert not list(registry.certs.glob("*/client-secret"))


def test_the_auth_service_changes_its_key(registry: Pair) -> None:
    registry.registry["POST /signing-keys/rotate"] = (201, {"kid": "kid-of-tokens"})
    assert registry.run("registry", "rotate-key")[1].endswith("kid-of-tokens\n")


def test_events_are_listed_newest_last_under_the_names_of_members(registry: Pair) -> None:
    has_joined(registry.certs / "LSP123")

    def event(kind: str, at: str) -> dict[str, Any]:
        to = [{"roleId": "8", "responseCode": 200, "responseMessage": "Success"}]
        told = {"eventType": kind, "recipients": to, "loanMetaData": {"loanApplicationId": "APPL-1"}}
        return {"participant_id": "7", "received_at": at, "body": {"event": told}}

    later = event("LATER", "2031-05-06T07:08:10.000Z")
    registry.registry["GET /events"] = (200, {"items": [later, event("EARLIER", "2031-05-06T07:08:09.000Z")]})
    assert [line.split() for line in registry.run("registry", "events")[1].splitlines()] == [
        ["07:08:09.000", "LSP123", "EARLIER", "with", "8", "200", "APPL-1"],
        ["07:08:10.000", "LSP123", "LATER", "with", "8", "200", "APPL-1"],
    ]
    registry.registry["GET /events"] = (200, {"items": []})
    assert "No events yet" in registry.run("registry", "events")[1]


def test_at_80_columns_an_event_is_whole_and_the_application_id_makes_room(
    registry: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    kind = "CREATE_LOAN_APPLICATIONS_RESPONSE_ACK"
    to = [{"roleId": "8", "responseCode": 200, "responseMessage": "Success"}]
    told = {"eventType": kind, "recipients": to, "loanMetaData": {"loanApplicationId": "APPL-0123456789AB"}}
    event = {"participant_id": "7", "received_at": "2031-05-06T07:08:10.000Z", "body": {"event": told}}
    registry.registry["GET /events"] = (200, {"items": [event]})
    (line,) = registry.run("registry", "events")[1].splitlines()
    assert line == f"07:08:10.000  7  {kind}  with 8 200  APPL-012345…"
    assert len(line) == 80


def test_at_80_columns_a_base_url_is_in_one_piece(registry: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    url = "https://sandbox-of-a-bank-with-a-long-name.example.org:18444/credit"
    registry.registry["GET /participants"] = (200, {"items": [{**participant(), "base_url": url}]})
    assert url in registry.run("registry", "list")[1]


def test_peers_and_their_dialects_are_told_and_settled(registry: Pair) -> None:
    known = {"participant_id": "7", "dialect": "strict", "name": "Bank", "base_url": "https://bank.example"}
    unknown = {"participant_id": "77", "dialect": "authstarter", "name": "", "base_url": ""}
    registry.lender["GET /peers"] = (200, {"items": []})
    registry.lsp["GET /peers"] = (200, {"items": [known, unknown]})
    out = registry.run("registry", "peers")[1]
    assert out.splitlines() == [
        "The lender knows nobody yet",
        "The LSP knows",
        "  7  strict  Bank https://bank.example",
        "  77  authstarter  set at this node, not looked up",
    ]
    registry.lsp["PUT /peers/7"] = (200, known)
    status, out, _ = registry.run("registry", "dialect", "7", "authstarter", "--at", "lsp")
    assert (status, out) == (0, "For the LSP, participant 7 is dealt with as authstarter from now on.\n")
    assert registry.asked[-1] == ("PUT /peers/7", {"dialect": "authstarter"})


def test_a_peer_is_set_to_strict_where_rfc_of_former_releases_is_asked_for(
    registry: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    registry.lsp["PUT /peers/7"] = (200, {})
    out = registry.run("registry", "dialect", "7", "rfc", "--at", "lsp")[1]
    assert out == "For the LSP, participant 7 is dealt with as strict from now on.\n"
    assert registry.asked[-1] == ("PUT /peers/7", {"dialect": "strict"})
    assert "the dialect rfc is no more" in caplog.text


def test_a_dialect_for_nobody_is_refused_in_the_nodes_words(registry: Pair) -> None:
    registry.lsp["PUT /peers/77"] = (404, {"detail": "The registry serves no participant 77; give one."})
    status, out, err = registry.run("registry", "dialect", "77", "authstarter", "--at", "lsp")
    assert (status, out) == (2, "")
    assert "the LSP says: The registry serves no participant 77" in err


def test_a_dialect_is_taken_back_wherever_it_was_settled(registry: Pair) -> None:
    status, _, err = registry.run("registry", "dialect", "77", "default")
    assert status == 2
    assert "nothing was settled about participant 77: see `ocen-sandbox registry peers`" in err
    registry.lsp["DELETE /peers/77"] = (200, {"participant_id": "77", "dialect": "strict"})
    status, out, _ = registry.run("registry", "dialect", "77", "default")
    assert (status, out) == (0, "For the LSP, participant 77 is dealt with by default again, as strict.\n")
    assert registry.asked[-1] == ("DELETE /peers/77", None)


@pytest.mark.parametrize("command", [["list"], ["peers"], ["dialect", "7", "strict"], ["show", "BANK01"]])
def test_without_a_registry_every_command_says_how_to_start_one(command: list[str], pair: Pair) -> None:
    status, out, err = pair.run("registry", *command)
    assert (status, out) == (2, "")
    assert "runs without a registry: `ocen-sandbox down`, then `ocen-sandbox up --version v4`" in err
    assert not [call for call, _ in pair.asked if not call.startswith("GET")]
