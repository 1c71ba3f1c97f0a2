"""OCEN 4.0 between real processes: create, trigger, OTP, verify; what each step leaves, and openssl as a witness."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import RowMapping, Table

from shared.node.ids import new_id
from shared.node.send.outbox import verdict_text
from shared.node.tables import ATTEMPTS, INBOX, OUTBOX
from shared.protocol.problems import SUCCESS
from tests.equipment.evidence import unpack
from tests.live.network import CREATE, CREATED, TRIGGER, TRIGGERED, VERIFIED, VERIFY, Network
from tests.live.pair import LENDER, LSP, Side
from tests.live.waiting import eventually
from tests.protocol.second_library import verify_detached


def exchange(network: Network, message: str, callback: str, **members: Any) -> tuple[str, dict[str, Any]]:
    """Have the LSP send a message; its requestId, and the callback that it accepted, once both have their acks."""
    request_id = network.send(message, **members)
    eventually(lambda: network.lsp.received(request_id, callback))
    eventually(lambda: network.lender.delivered(request_id, callback))
    eventually(lambda: network.lsp.delivered(request_id, message))
    return request_id, json.loads(row_of(network.lsp, INBOX, request_id)["raw"])


def row_of(side: Side, table: Table, request_id: str) -> RowMapping:
    (row,) = [row for row in side.books.rows(table) if row["request_id"] == request_id]
    return row


def create(network: Network, loan_application_id: str) -> tuple[str, dict[str, Any]]:
    example = network.content(CREATE)["loanApplications"][0]
    return exchange(network, CREATE, CREATED, loanApplications=[{**example, "loanApplicationId": loan_application_id}])


def otp_of(network: Network, request_id: str) -> str:
    (notice,) = network.lender.ops.notices(request_id)
    return str(notice["text"][:6])


@pytest.mark.check("OCEN-ASY-01", "OCEN-ASY-03", "OCEN-ASY-04")
def test_a_loan_is_applied_for_and_accepted_by_otp_and_every_signature_of_it_is_kept(network: Network) -> None:
    loan = f"APPL-{new_id()}"
    created, answer = create(network, loan)
    assert answer["loanApplications"][0]["loanApplicationStatus"] == "PROCESSING"

    triggered, answer = exchange(network, TRIGGER, TRIGGERED, loanApplicationId=loan)
    session = answer["credBlock"]["data"]["otpSessionKey"]
    block = {"data": {"otpSessionKey": session, "otp": otp_of(network, triggered)}}
    verified, answer = exchange(network, VERIFY, VERIFIED, loanApplicationId=loan, credBlock=block)

    assert answer["credBlock"]["data"]["status"] == "SUCCESS"
    assert answer["response"]["status"] == "SUCCESS"
    for request_id, message, callback in (
        (created, CREATE, CREATED),
        (triggered, TRIGGER, TRIGGERED),
        (verified, VERIFY, VERIFIED),
    ):
        verify_passage(network, request_id, message, network.lsp, network.lender)
        verify_passage(network, request_id, callback, network.lender, network.lsp)


def verify_passage(network: Network, request_id: str, message: str, sender: Side, receiver: Side) -> None:
    """Find the same bytes and signatures in both databases, and let another library verify them."""
    sent, received = row_of(sender, OUTBOX, request_id), row_of(receiver, INBOX, request_id)
    (attempt,) = [row for row in sender.books.rows(ATTEMPTS) if row["outbox_id"] == sent["id"]]
    known = network.members[sender.identity.organisation_id]
    assert (received["message"], received["sender"]) == (sent["message"], known.participant_id)
    assert (sent["message"], sent["state"], attempt["status"]) == (message, "DELIVERED", 200)
    assert (received["raw"], received["signature"]) == (attempt["sent"], attempt["signature"])
    assert (received["ack"], received["ack_signature"]) == (attempt["answer"], attempt["answer_signature"])
    assert received["kid"] == attempt["kid"] == sender.identity.signing_key.kid
    assert attempt["certificate"] == receiver.ops.identity()["certificate"]
    assert received["certificate"] == sender.ops.identity()["certificate"]
    assert received["steps"] == attempt["steps"] == verdict_text(None)

    verify_detached(received["signature"], received["raw"], sender.public_key, "RS256")
    verify_detached(received["ack_signature"], received["ack"], receiver.public_key, "RS256")

    metadata, ack = json.loads(received["raw"])["metadata"], json.loads(received["ack"])
    ack = ack.get("ack", ack)
    assert (metadata["requestId"], metadata["originatorParticipantId"]) == (request_id, known.participant_id)
    assert metadata["originatorOrgId"] == known.organisation_id
    assert (ack["error"], ack["traceId"]) == (SUCCESS, metadata["traceId"])


def test_a_wrong_otp_is_told_and_accepts_nothing(network: Network) -> None:
    loan = f"APPL-{new_id()}"
    create(network, loan)
    triggered, answer = exchange(network, TRIGGER, TRIGGERED, loanApplicationId=loan)
    session, otp = answer["credBlock"]["data"]["otpSessionKey"], otp_of(network, triggered)
    wrong = f"{(int(otp) + 1) % 1_000_000:06d}"

    for given, verdict, status in (
        (wrong, "INCORRECT_OTP", "LOAN_AGREEMENT_INITIATED"),
        (otp, "SUCCESS", "LOAN_AGREEMENT_COMPLETED"),
    ):
        block = {"data": {"otpSessionKey": session, "otp": given}}
        _, answer = exchange(network, VERIFY, VERIFIED, loanApplicationId=loan, credBlock=block)
        assert (answer["credBlock"]["data"]["status"], answer["loanApplicationStatus"]) == (verdict, status)


def test_each_message_is_told_to_the_heartbeat_by_sender_and_receiver(network: Network) -> None:
    loan = f"APPL-{new_id()}"
    create(network, loan)

    def reporters() -> set[str]:
        events = network.registry.admin.events(200)
        return {event["participant_id"] for event in events if loan in json.dumps(event)}

    both = {network.members[organisation_id].participant_id for organisation_id in (LENDER, LSP)}
    eventually(lambda: reporters() == both)


def test_a_message_that_the_lender_refuses_is_not_sent_again(network: Network) -> None:
    before = network.lender.books.entries()

    request_id = network.send(TRIGGER, loanApplicationId="NOTACCEPTED-1")

    eventually(network.lsp.has_nothing_to_send)
    sent = network.lsp.sent(request_id, TRIGGER)
    assert sent is not None
    assert (sent["state"], sent["tries"]) == ("REFUSED", 1)
    assert sent["result"].startswith("refused with GEN5010")
    assert network.lender.books.entries() <= before


def test_the_evidence_of_an_exchange_is_verified_by_openssl_alone_on_either_side(
    network: Network, tmp_path: Path
) -> None:
    request_id, _ = exchange(network, TRIGGER, TRIGGERED)
    for side in (network.lsp, network.lender):
        made = unpack(side.ops.evidence(request_id), tmp_path / side.identity.organisation_id)
        parts = ["1-request", "1-request-ack", "2-callback", "2-callback-ack"]
        assert [(name, part["verdict"], part["flaws"]) for name, part in made.parts.items()] == [
            (name, "holds", []) for name in parts
        ]
        done = made.verify()
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split(":")[0] for line in done.stdout.splitlines()[1:]] == [f"OK    {name}" for name in parts]

    body = made.folder / "2-callback.json"
    body.write_bytes(body.read_bytes().replace(b"SUCCESS", b"FAILURE"))
    (made.folder / "SHA256SUMS").write_text("")
    done = made.verify()
    assert done.returncode == 1
    assert "FAIL  2-callback" in done.stdout
    assert "the signature is not that of keys/" in done.stdout
