"""A server of OCEN 4.0 of Python's own library and openssl: a lender that calls back, and an LSP that is called."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.preparation import free_base_port
from shared.protocol.problems import SUCCESS, Problem
from shared.protocol.tampering import OutgoingMessage
from tests.equipment.deadline import DEADLINE
from tests.live.forger import Answer, CallForger, caller
from tests.live.network import CREATE, TRIGGER, TRIGGERED, Network
from tests.live.pair import ACME, LENDER, LSP, SECOND_BANK
from tests.live.v4_letters import call, key_of, token_of, written
from tests.live.waiting import eventually

MISSING = [tool for tool in ("sh", "openssl", "curl") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

EXAMPLES = Path(__file__).parents[2] / "examples"
LISTENER = EXAMPLES / "stdlib-listener" / "v4_listener.py"
REQUESTER = EXAMPLES / "curl-openssl" / "v4-trigger-loan-acceptance.sh"
BANK = SECOND_BANK.organisation_id


def arguments(network: Network, organisation_id: str) -> tuple[Path | str, ...]:
    return network.certs / organisation_id, network.certs / "ca.pem", network.registry.public_url


@contextmanager
def listening(network: Network, organisation_id: str, output: Path) -> Iterator[str]:
    """Run the listener of a member at a free port; the base URL that the registry has for it."""
    base_url = f"https://localhost:{free_base_port()}"
    network.registry.admin.amend(network.admit(organisation_id).participant_id, base_url=base_url)
    command = [sys.executable, LISTENER, *arguments(network, organisation_id)]
    with output.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        eventually(lambda: "listening" in output.read_text())
        yield base_url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the lender's listener prints."""
    return tmp_path_factory.mktemp("listener") / "heard.txt"


@pytest.fixture(scope="module")
def bank(network: Network, heard: Path) -> Iterator[str]:
    """The base URL of a lender that listens."""
    with listening(network, BANK, heard) as base_url:
        yield base_url


def ask(network: Network, base_url: str, message: OutgoingMessage, shown: str = LSP) -> Answer:
    """Send to the lender over a connection that shows a member's certificate."""
    home = network.certs / shown
    tls = caller(network.certs / "ca.pem", home / "tls.pem", home / "tls.key")
    with CallForger(base_url, tls, key_of(network, BANK).public().to_pem()) as forger:
        return forger.send(message)


def test_a_lender_acks_our_message_and_calls_us_back(network: Network, bank: str, heard: Path) -> None:
    lender = network.members[BANK].participant_id
    request_id = network.lsp.ops.send(TRIGGER, lender, network.content(TRIGGER))["request_id"]

    eventually(lambda: network.lsp.delivered(request_id, TRIGGER))
    received = eventually(lambda: network.lsp.received(request_id, TRIGGERED))
    assert received["peer"] == lender
    eventually(lambda: "callback: HTTP 200, error 0" in heard.read_text())


def test_an_lsp_is_called_back_and_acks(network: Network, tmp_path: Path) -> None:
    output = tmp_path / "heard.txt"
    with listening(network, ACME.organisation_id, output):
        command = [REQUESTER, *arguments(network, ACME.organisation_id), network.members[LENDER].participant_id]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE)
        request_id = done.stdout.split("accepted: requestId ")[1].strip()
        eventually(lambda: network.lender.delivered(request_id, TRIGGERED))
    assert "triggerLoanAcceptanceResponse: accepted" in output.read_text()
    assert request_id in output.read_text()


def test_any_message_is_acked_that_its_sender_has_signed(network: Network, bank: str) -> None:
    message = call(written(network, LSP, CREATE), key_of(network, LSP), token_of(network, LSP), CREATE)
    assert ask(network, bank, message).error == SUCCESS


@pytest.mark.parametrize("wrong", ["signature", "body", "token", "certificate", "originator", "no message"])
def test_a_message_that_is_not_the_senders_is_refused_and_not_answered(
    network: Network, bank: str, heard: Path, wrong: str
) -> None:
    network.admit(ACME.organisation_id)
    before = heard.read_text().count("callback:")
    document, token = written(network, LSP), token_of(network, ACME.organisation_id if wrong == "token" else LSP)
    if wrong == "originator":
        document["metadata"] |= {"originatorParticipantId": "999", "participantId": "999"}
    if wrong == "no message":
        del document["metadata"]["requestId"]
    message = call(document, key_of(network, BANK if wrong == "signature" else LSP), token)
    if wrong == "body":
        message = replace(message, body=message.body + b" ")
    answer = ask(network, bank, message, ACME.organisation_id if wrong == "certificate" else LSP)

    refusals = {"certificate": Problem.SENDER, "originator": Problem.SENDER, "no message": Problem.MALFORMED}
    assert answer.error == refusals.get(wrong, Problem.SIGNATURE).code
    assert answer.ack["traceId"] == document["metadata"]["traceId"]
    assert heard.read_text().count("callback:") == before


def test_without_a_token_of_the_auth_service_nothing_is_believed(network: Network, bank: str) -> None:
    document, key = written(network, LSP), key_of(network, LSP)
    head, claims, _ = token_of(network, LSP).split(".")
    for token in ("none", f"{head}.{claims}.AAAA"):
        assert ask(network, bank, call(document, key, token)).error == Problem.TOKEN.code


def test_a_listener_that_cannot_start_says_so_in_one_line(network: Network, bank: str, tmp_path: Path) -> None:
    second = subprocess.run(
        [sys.executable, LISTENER, *arguments(network, BANK)],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    home = Path(shutil.copytree(network.certs / BANK, tmp_path / "keys"))
    (home / "client-secret").unlink()
    unfinished = subprocess.run(
        [sys.executable, LISTENER, home, *arguments(network, BANK)[1:]],
        check=False, capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    assert (second.returncode, unfinished.returncode) == (2, 2)
    assert (second.stderr.count("\n"), unfinished.stderr.count("\n")) == (1, 1)
    assert "Address already in use" in second.stderr
    assert f"not there: {home}/client-secret" in unfinished.stderr
