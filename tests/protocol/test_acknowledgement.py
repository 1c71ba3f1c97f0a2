"""Writing acks, and judging those that answer our own messages."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import httpx
import pytest

from shared.node.send.client import judge_answer
from shared.protocol.checks import ACK_CHECKS
from shared.protocol.encoding import dump_json
from shared.protocol.envelope import seal
from shared.protocol.participants import EnvelopeMember, KeyStatus, Participant
from shared.protocol.phases import Peer
from shared.protocol.problems import Problem
from shared.protocol.profiles import V3, Judged
from shared.protocol.tampering import TAMPERINGS, GoodMessage
from shared.protocol.verification import Acknowledgement, Outcome, explain
from tests.protocol.conftest import Keys
from tests.protocol.receiver import LENDER_CERTIFICATE, LSP_CERTIFICATE, NOW, Receiver

PEER = Peer(LENDER_CERTIFICATE, "10.9.2.1")
ACK = Acknowledgement("trace-1", NOW)


def judge(body: bytes, callee: Participant, peer: Peer = PEER, trace_id: str = "trace-1") -> Judged:
    return judge_answer(httpx.Response(200, content=body), peer, callee, trace_id, V3)


def ack_of(judged: Judged) -> Mapping[str, Any]:
    assert judged.verification.passed
    assert judged.identified is not None
    return judged.identified.ack


def failed_check(judged: Judged) -> str:
    (failed,) = [step.check.name for step in judged.verification.steps if step.outcome is Outcome.FAILED]
    return failed


def test_an_ack_that_accepts_says_zero_and_echoes_the_trace_id() -> None:
    assert json.loads(ACK.payload()) == {"error": "0", "traceId": "trace-1", "timestamp": "2031-03-04T05:06:07.890Z"}
    assert ACK.status == 200


def test_an_ack_that_refuses_has_the_code_and_status_of_its_problem() -> None:
    ack = replace(ACK, problem=Problem.REPLAYED)
    assert json.loads(ack.payload())["error"] == "AUTH1002"
    assert ack.status == 409


def test_the_timestamp_of_an_ack_is_written_in_utc() -> None:
    indian = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert replace(ACK, timestamp=indian).payload() == ACK.payload()


def test_without_a_detail_an_ack_has_no_such_member() -> None:
    assert b"detail" not in replace(ACK, problem=Problem.SIGNATURE).payload()
    assert json.loads(replace(ACK, detail={"check": "x"}).payload())["detail"] == {"check": "x"}


def test_an_explanation_names_check_clause_expected_and_found(good: GoodMessage, receiver: Receiver) -> None:
    verification = receiver.take(good.send_document(good.with_metadata(orgId="LSP-999")))
    assert verification.problem is not None

    assert explain(verification.problem, verification.failure) == {
        "meaning": Problem.SENDER.meaning,
        "check": "sender_is_the_key_holder",
        "clause": "OCEN v3 metadata; RFC 8725 s3.8",
        "expected": "Lsp-417",
        "found": "LSP-999",
    }


def test_a_problem_that_no_check_found_is_explained_by_its_meaning() -> None:
    assert explain(Problem.INTERNAL) == {"meaning": Problem.INTERNAL.meaning}


@pytest.mark.parametrize("member", list(EnvelopeMember))
@pytest.mark.parametrize("wrapped", [False, True], ids=["flat", "wrapped"])
def test_a_signed_ack_is_accepted(member: EnvelopeMember, wrapped: bool, keys: Keys, lender: Participant) -> None:
    payload = b'{"ack":' + ACK.payload() + b"}" if wrapped else ACK.payload()

    judged = judge(seal(payload, keys.lender, member).to_bytes(), lender)

    assert [step.check for step in judged.verification.steps] == list(ACK_CHECKS)
    assert {step.outcome for step in judged.verification.steps} == {Outcome.PASSED}
    assert ack_of(judged)["error"] == "0"


def test_a_signed_refusal_is_a_good_ack_whose_code_can_be_read(keys: Keys, lender: Participant) -> None:
    ack = replace(ACK, problem=Problem.CONFLICT, detail=explain(Problem.CONFLICT))
    judged = judge(seal(ack.payload(), keys.lender).to_bytes(), lender)

    assert ack_of(judged)["error"] == "GEN5009"
    assert ack_of(judged)["detail"] == {"meaning": Problem.CONFLICT.meaning}


def test_an_unsigned_ack_is_none(lender: Participant) -> None:
    assert failed_check(judge(ACK.payload(), lender)) == "one_signed_header"
    assert failed_check(judge(b"", lender)) == "body_is_a_json_object"


def test_an_ack_under_the_right_kid_by_another_key_is_none(keys: Keys, lender: Participant) -> None:
    impostor = replace(keys.stranger, kid=keys.lender.kid, header=keys.lender.header)
    assert failed_check(judge(seal(ACK.payload(), impostor).to_bytes(), lender)) == "signature_verifies"


def test_an_ack_by_another_participant_is_none(keys: Keys, lender: Participant) -> None:
    body = seal(ACK.payload(), keys.lsp).to_bytes()
    assert failed_check(judge(body, lender)) == "kid_selects_a_key_that_counts"


def test_an_ack_by_a_blocked_key_is_none(keys: Keys, lender: Participant) -> None:
    blocked = replace(lender, keys=tuple(replace(key, status=KeyStatus.BLOCKED) for key in lender.keys))
    body = seal(ACK.payload(), keys.lender).to_bytes()
    assert failed_check(judge(body, blocked)) == "kid_selects_a_key_that_counts"


def test_an_ack_over_the_connection_of_another_participant_is_none(keys: Keys, lender: Participant) -> None:
    body = seal(ACK.payload(), keys.lender).to_bytes()
    judged = judge(body, lender, Peer(LSP_CERTIFICATE, PEER.address))
    assert failed_check(judged) == "certificate_is_registered"


def test_an_ack_for_another_message_is_none(keys: Keys, lender: Participant) -> None:
    body = seal(ACK.payload(), keys.lender).to_bytes()
    assert failed_check(judge(body, lender, trace_id="trace-2")) == "ack_names_our_trace_id"
    assert failed_check(judge(body, lender, trace_id="TRACE-1")) == "ack_names_our_trace_id"


@pytest.mark.parametrize("member", ["error", "traceId", "timestamp"])
@pytest.mark.parametrize("value", [None, 0, ["0"]])
def test_an_ack_without_one_of_its_members_is_none(member: str, value: object, keys: Keys, lender: Participant) -> None:
    document = {**json.loads(ACK.payload()), member: value}
    for written in (document, {"ack": document}):
        body = seal(dump_json(written), keys.lender).to_bytes()
        assert failed_check(judge(body, lender)) == "ack_has_its_members"


@pytest.mark.parametrize("ack", ["0", None, [ACK.payload().decode()]])
def test_an_ack_member_that_is_no_object_is_none(ack: object, keys: Keys, lender: Participant) -> None:
    body = seal(dump_json({"ack": ack}), keys.lender).to_bytes()
    assert failed_check(judge(body, lender)) == "ack_has_its_members"


def test_what_spoils_the_envelope_of_a_message_spoils_that_of_an_ack(good: GoodMessage, lsp: Participant) -> None:
    spoiled = [row for row in TAMPERINGS if row.caught_by in ACK_CHECKS and "certificate" not in row.caught_by.name]
    peer = Peer(LSP_CERTIFICATE, "10.4.17.8")
    for row in spoiled:
        assert failed_check(judge(row.tamper(good).body, lsp, peer)) == row.caught_by.name
