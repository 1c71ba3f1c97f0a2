"""`send` and `messages` with messages of OCEN 4.0."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.network import Membership
from shared.catalogue.table import example_of, find_message, get_message
from tests.sandbox.nodes import Pair
from tests.sandbox.test_cli_messages import history, received, refused, sent

CREATE = "v4/CreateLoanApplicationsRequest"
TRIGGER = "v4/TriggerLoanAcceptanceRequest"
PRODUCT = {"productId": "11", "productNetworkId": "12", "networkId": "12"}
SIGNATURE = "eyJhbGciOiJSUzI1NiJ9..c2lnbmF0dXJl"


@pytest.fixture
def members(network: Pair) -> Pair:
    """A network whose lender is participant 1 and whose LSP is participant 2; the LSP sends what it is told to."""
    for organisation_id, participant_id in (("LENDER01", "1"), ("LSP123", "2")):
        member = Membership(participant_id, "5", "c", "kid", "11", "12")
        (network.certs / organisation_id / "membership.json").write_text(json.dumps(member._asdict()))
    network.lsp["POST /messages"] = (202, {"id": "d-1", "request_id": "r-1"})
    return network


def posted(pair: Pair) -> dict[str, Any]:
    """What the LSP was last told to send."""
    wish: dict[str, Any] = next(body for call, body in reversed(pair.asked) if call == "POST /messages")
    return wish


def test_an_example_goes_to_the_lender_by_its_participant_id_in_the_network_of_both(members: Pair) -> None:
    assert members.run("send", TRIGGER, "--wait", "0")[0] == 0
    wish = posted(members)
    assert (wish["message"], wish["to"], wish["content"]["productData"]) == (TRIGGER, "1", PRODUCT)
    assert wish["content"]["loanApplicationId"] == "APPL-2031-000417"


def test_an_application_has_a_new_id_each_time_it_is_sent(members: Pair) -> None:
    found = set()
    for _ in range(2):
        members.run("send", CREATE, "--wait", "0")
        found.add(posted(members)["content"]["loanApplications"][0]["loanApplicationId"])
    assert len(found) == 2


@pytest.mark.parametrize(("named", "to"), [("7", "7"), ("LENDER01", "1")])
def test_a_receiver_is_named_by_its_participant_id_or_by_its_organisation(named: str, to: str, members: Pair) -> None:
    assert members.run("send", TRIGGER, "--to", named, "--wait", "0")[0] == 0
    assert posted(members)["to"] == to


def test_a_payload_of_ones_own_stays_as_it_is_but_for_the_network_of_the_example(members: Pair, tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    example = example_of(find_message(TRIGGER))
    file.write_text(json.dumps(example))
    members.run("send", TRIGGER, "--file", str(file), "--wait", "0")
    assert posted(members)["content"] == {**example, "productData": PRODUCT}
    own = {**example, "productData": {"productId": "99", "networkId": "98"}}
    file.write_text(json.dumps(own))
    members.run("send", TRIGGER, "--file", str(file), "--wait", "0")
    assert posted(members)["content"] == own


def test_a_receiver_that_never_joined_is_told_how_to_and_nothing_is_sent(members: Pair) -> None:
    status, _, err = members.run("send", TRIGGER, "--to", "BANK09")
    assert status == 2
    assert "BANK09 is no member of the network: ocen-sandbox registry join BANK09" in err
    assert not [call for call, _ in members.asked if call == "POST /messages"]


def test_a_pair_that_speaks_v3_alone_sends_nothing_of_v4(pair: Pair) -> None:
    status, _, err = pair.run("send", TRIGGER)
    assert status == 2
    assert "v4/TriggerLoanAcceptanceRequest is of OCEN 4.0, and the pair that runs speaks v3 alone" in err
    assert not [call for call, _ in pair.asked if call == "POST /messages"]


def test_the_gist_of_a_callback_is_told(members: Pair) -> None:
    answer = received("v4/CreateLoanApplicationsResponse")
    answer["decoded"]["payload"] = example_of(get_message("v4", "CreateLoanApplicationsResponse"))
    members.lsp["GET /messages/r-1"] = history(sent=[sent(message=CREATE)], received=[answer])
    status, out, _ = members.run("send", CREATE)
    assert status == 0
    assert "loanApplicationId APPL-2031-000417, loanApplicationStatus PROCESSING" in out
    assert "GSTN" not in out


def test_a_message_in_full_has_the_detached_signature_before_the_body_that_it_signs(members: Pair) -> None:
    entry, refusal = sent(message=TRIGGER), {**refused(), "signature": SIGNATURE}
    entry["attempts"][0]["sent"] |= {"envelope": '{"metadata":{}}', "signature": SIGNATURE}
    members.lsp["GET /messages/r-1"] = history(sent=[entry], refused=[refusal])
    members.lender["GET /messages/r-1"] = (404, {"detail": "unknown"})
    lines = members.run("messages", "r-1")[1].splitlines()
    places = [place for place, line in enumerate(lines) if line == f"  Signature: {SIGNATURE}"]
    assert [lines[place + 1] for place in places] == ['  {"metadata":{}}', '  {"payload":"[bold]evil[/bold]"}']
    assert lines.count("  Signature: ") == 0
