"""The demo of OCEN 4.0 tells the truth: every lender gets its own message, and what does not hold is named."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli.diagram import leaves
from sandbox.content import example_for, new_application_id
from sandbox.demo import SCRIPTS, Demo, DemoFailedError, Scene, Sms, heartbeat_of
from sandbox.errors import SandboxError
from sandbox.following import Passage
from sandbox.member_lookup import check_members, look_up
from sandbox.network import Membership
from sandbox.running import Run, RunningNode
from sandbox.settings import NodeName, OcenVersion
from shared.catalogue.table import CATALOGUE, example_of, get_message
from shared.clock import SystemClock
from shared.protocol.messages import MessageType
from tests.sandbox.nodes import Pair
from tests.sandbox.pki_folder import NOW

APPLICATION = "APPL-1"
SCRIPT = SCRIPTS[OcenVersion.V4]
CREATE = "v4/CreateLoanApplicationsRequest"
STEP = {"check": "signature_verifies", "outcome": "passed"}


def membership(participant_id: str) -> Membership:
    return Membership(participant_id, "90", "client", "kid", "11", "12")


MEMBERS = {NodeName.LENDER: membership("1"), NodeName.LSP: membership("2"), NodeName.LENDER02: membership("3")}


class Journal:
    """A node's operator plane, on which everything goes well; the lender says `status` to an application."""

    def __init__(self, organisation_id: str, status: str = "PROCESSING") -> None:
        self.organisation_id, self.status = organisation_id, status
        self.sent: list[tuple[str, str, dict[str, Any]]] = []

    def identity(self) -> dict[str, Any]:
        return {"organisation_id": self.organisation_id}

    def send(self, message: str, to: str, content: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((message, to, content))
        return {"id": "d", "request_id": f"r-{len(self.sent)}"}

    def notices(self, reference: str) -> list[dict[str, Any]]:
        return [{"recipient": "XXXXXXX417", "text": "048213 is your OTP to accept the loan."}]

    def wait_for(self, look: Callable[["Journal"], Any], seconds: float) -> Any:
        return look(self)

    def message(self, request_id: str) -> dict[str, Any]:
        return {"sent": list(self._records()), "received": list(self._records())}

    def _records(self) -> Iterable[dict[str, Any]]:
        for message in CATALOGUE:
            content = example_of(message)
            if message.full_name == "v4/CreateLoanApplicationsResponse":
                content["loanApplications"][0]["loanApplicationStatus"] = self.status
            attempt = {
                "started_at": "2031-05-06T07:08:09.123Z",
                "milliseconds": 5.0,
                "status": 200,
                "sent": {"decoded": {"payload": content}, "signature": "e30..c2ln"},
                "answer": {"decoded": {"payload": {"ack": {"error": "0"}}}},
                "verification": [STEP],
            }
            state = {"state": "DELIVERED", "result": "acknowledged", "attempts": [attempt]}
            yield {"message": message.full_name, "peer": "2", "verification": [STEP], **state}


def demo(scenes: list[Scene], **status: str) -> tuple[Demo, Journal]:
    lsp = Journal("LSP123")
    pair = {NodeName.LSP: lsp, NodeName.LENDER: Journal("LENDER01", **status), NodeName.LENDER02: Journal("LENDER02")}
    return Demo(pair, SCRIPT, scenes.append, MEMBERS, APPLICATION), lsp  # type: ignore[arg-type]


def test_every_lender_gets_the_same_application_in_a_message_of_its_own() -> None:
    played, lsp = demo([])
    assert played.apply() == {NodeName.LENDER: "r-1", NodeName.LENDER02: "r-2"}
    (first, second) = lsp.sent
    assert [first[:2], second[:2]] == [(CREATE, "1"), (CREATE, "3")]
    assert first[2] == second[2]
    assert first[2]["loanApplications"][0]["loanApplicationId"] == APPLICATION


STANDING = {"status": "APPROVED", "offboarded_at": None, "client_id": "client"}


class Standing:
    """A registry's operator plane on which one participant stands otherwise than the others."""

    def __init__(self, members: Sequence[str] = ("1", "2", "3"), **changes: str | None) -> None:
        self.members, self.third = members, {**STANDING, **changes}

    def networks(self) -> list[dict[str, Any]]:
        return [{"id": "12", "members": list(self.members)}]

    def participant(self, participant_id: str) -> dict[str, Any]:
        return self.third if participant_id == "3" else STANDING


def network_run(tmp_path: Path) -> Run:
    names = {NodeName.REGISTRY: "", NodeName.LENDER: "LENDER01", NodeName.LSP: "LSP123", NodeName.LENDER02: "LENDER02"}
    nodes = {
        name: RunningNode(organisation_id=one, pid=1, url="https://a", ops_url="http://a", log=tmp_path)
        for name, one in names.items()
    }
    return Run(started_at=NOW, supervisor=None, certs=tmp_path, nodes=nodes)


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        (
            Standing(offboarded_at="2031-05-06T07:08:09.123Z"),
            "LENDER02 was offboarded: `ocen-sandbox down`, then `ocen-sandbox up --version v4 --lenders 2`",
        ),
        (Standing(client_id="another"), "LENDER02 was offboarded: `ocen-sandbox down`"),
        (
            Standing(status="UNDER_REVIEW"),
            "LENDER02 is UNDER_REVIEW, not APPROVED: ocen-sandbox registry approve LENDER02",
        ),
        (Standing(("1", "2")), "LENDER02 is not in product network 12: ocen-sandbox registry join LENDER02"),
    ],
)
def test_the_demo_does_not_begin_where_a_node_takes_no_part_and_says_what_mends_it(
    registry: Standing, said: str, tmp_path: Path
) -> None:
    check_members(Standing(), network_run(tmp_path), MEMBERS)  # type: ignore[arg-type]
    with pytest.raises(SandboxError) as refusal:
        check_members(registry, network_run(tmp_path), MEMBERS)  # type: ignore[arg-type]
    assert str(refusal.value).startswith(said)


def test_an_application_and_its_acceptance_are_told_in_scenes() -> None:
    scenes: list[Scene] = []
    played, lsp = demo(scenes)
    played.created(NodeName.LENDER02, "r-2")
    (asked, answered) = scenes
    assert isinstance(asked, Passage)
    assert (asked.sender, asked.receiver, asked.signature, asked.ack) == (
        "LSP123",
        "LENDER02",
        "e30..c2ln",
        {"error": "0"},
    )
    assert isinstance(answered, Passage)
    assert (answered.sender, answered.receiver, answered.request_id) == ("LENDER02", "LSP123", "r-2")
    played.accepted()
    assert [scene.otp for scene in scenes if isinstance(scene, Sms)] == ["048213"]
    message, to, content = lsp.sent[-1]
    assert (message, to, content["loanApplicationId"]) == ("v4/VerifyLoanAcceptanceRequest", "1", APPLICATION)
    assert content["credBlock"]["data"]["otp"] == "048213"


def test_an_application_that_is_not_taken_is_named() -> None:
    played, _ = demo([], status="REJECTED")
    with pytest.raises(DemoFailedError, match="the lender says REJECTED to the application, not PROCESSING"):
        played.created(NodeName.LENDER, "r-1")


def event(application: str, at: int) -> dict[str, Any]:
    meta = {"loanApplicationId": application}
    return {"participant_id": "1", "body": {"event": {"timestamp": at, "loanMetaData": meta}}}


class Heartbeat:
    """A registry's operator plane with these events."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.listed = events

    def events(self, limit: int) -> list[dict[str, Any]]:
        return list(self.listed)

    def wait_for(self, look: Callable[["Heartbeat"], Any], seconds: float) -> Any:
        return look(self)


def test_the_heartbeat_counts_when_both_sides_of_every_message_have_reported_it() -> None:
    passages, other = [object()], event("APPL-2", 0)
    first, second = event(APPLICATION, 1), event(APPLICATION, 2)
    told = heartbeat_of(Heartbeat(second, other, first), passages, APPLICATION)  # type: ignore[arg-type]
    assert told == [first, second]
    with pytest.raises(DemoFailedError, match="the heartbeat has not got 2 events in 15 s"):
        heartbeat_of(Heartbeat(first, other), passages, APPLICATION)  # type: ignore[arg-type]


@pytest.mark.parametrize("message", [message for message in CATALOGUE if message.version == "v4"])
def test_an_example_is_filled_with_the_network_of_the_member_and_stays_a_message(message: MessageType) -> None:
    content = example_for(message, MEMBERS[NodeName.LSP], APPLICATION)
    assert content["productData"] == {"productId": "11", "productNetworkId": "12", "networkId": "12"}
    assert APPLICATION in str(content)
    assert content.keys() == example_of(message).keys()


def test_two_application_ids_differ() -> None:
    assert new_application_id() != new_application_id()


def test_what_is_told_of_a_long_body_is_its_gist() -> None:
    content = example_of(get_message("v4", "CreateLoanApplicationsRequest"))
    told = leaves(content, SCRIPT.gist).plain
    assert "requestedAmount 250000, currency INR" in told
    assert "loanApplicationId APPL-2031-000417" in told
    assert "{" not in leaves(content).plain.replace('{"invoiceNumber"', "")
    assert "invoiceNumber" not in told


def test_the_demo_of_v4_does_not_begin_on_a_pair_that_speaks_v3_alone(pair: Pair) -> None:
    status, out, err = pair.run("demo", "--version", "v4")
    assert (status, out) == (2, "")
    assert "the pair that runs speaks v3 alone: `ocen-sandbox down`, then this command again" in err


def test_a_visit_of_somebody_who_never_joined_fails_on_the_missing_secret(pki_folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="client-secret"):
        look_up(pki_folder / "LSP123", "https://localhost:1", frozenset(), SystemClock())
