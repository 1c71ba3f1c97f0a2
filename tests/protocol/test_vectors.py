"""The frozen vectors, judged by our own code and by a second library."""

import json
from datetime import datetime
from typing import Any

import httpx
import pytest
from joserfc.errors import BadSignatureError

from sandbox.offline import verify
from shared.catalogue.table import get_message
from shared.node.send.client import judge_answer
from shared.protocol.checks import REQUEST_CHECKS
from shared.protocol.encoding import base64url_decode, parse_timestamp
from shared.protocol.participants import Participant
from shared.protocol.phases import Peer
from shared.protocol.profiles import V3
from shared.protocol.signing import VerificationKey, load_public_key
from shared.protocol.verification import Outcome, Verification
from tests.protocol.second_library import verified_payload
from tests.protocol.vectors import body_of, cases, participants, vector

MESSAGE = get_message("v3", "TriggerLoanAcceptanceRequest")


@pytest.fixture(scope="module")
def holders() -> dict[str, Participant]:
    return participants()


@pytest.fixture(scope="module")
def signed_at() -> datetime:
    return parse_timestamp(vector("v3_participants")["at"])


def named(name: str) -> pytest.MarkDecorator:
    found = cases(name)
    return pytest.mark.parametrize("case", found, ids=[case["name"] for case in found])


def judge(case: dict[str, Any], holders: dict[str, Participant], at: datetime) -> Verification:
    return verify(body_of(case), V3, holders.get, message_type=MESSAGE, at=at).verification


def key_of(body: bytes, holders: dict[str, Participant]) -> VerificationKey:
    outer = json.loads(body)
    kid = json.loads(base64url_decode(outer.get("header") or outer["protected"]))["kid"]
    key = holders[kid].by_kid.get(kid)
    assert key is not None
    return key.verifier


@named("v3_valid")
def test_a_valid_envelope_verifies(case: dict[str, Any], holders: dict[str, Participant], signed_at: datetime) -> None:
    verification = judge(case, holders, signed_at)

    assert verification.passed
    assert base64url_decode(json.loads(case["body"])["payload"]) == case["payload"].encode()


@named("v3_valid")
def test_the_second_library_agrees_on_a_valid_envelope(case: dict[str, Any], holders: dict[str, Participant]) -> None:
    body = body_of(case)
    assert verified_payload(json.loads(body), key_of(body, holders).to_pem(), "RS512") == case["payload"].encode()


def test_half_of_the_payloads_would_not_survive_being_written_anew() -> None:
    payloads = [case["payload"] for case in cases("v3_valid")]
    survivors = [text for text in payloads if all(written == text for written in _written_anew(text))]
    assert len(survivors) <= len(payloads) / 2


def test_an_envelope_verifies_under_no_other_key(holders: dict[str, Participant]) -> None:
    envelope = json.loads(cases("v3_valid")[0]["body"])
    signing_input = f"{envelope['header']}.{envelope['payload']}".encode()
    signature = base64url_decode(envelope["signature"])
    keys = {kid: holder.by_kid.get(kid) for kid, holder in holders.items()}

    assert [kid for kid, key in keys.items() if key and key.verifier.verify(signing_input, signature)] == ["lsp-2031-a"]


@named("v3_invalid")
def test_an_invalid_envelope_is_refused_by_its_check(
    case: dict[str, Any], holders: dict[str, Participant], signed_at: datetime
) -> None:
    verification = judge(case, holders, signed_at)

    assert verification.failure is not None
    assert verification.failure.check.name == case["caught_by"]
    assert verification.problem is not None
    assert verification.problem.code == case["problem"]


def test_every_check_that_bytes_alone_can_fail_has_an_invalid_envelope(
    holders: dict[str, Participant], signed_at: datetime
) -> None:
    judged = judge(cases("v3_valid")[0], holders, signed_at).steps
    judgeable = {step.check.name for step in judged if step.outcome is Outcome.PASSED}

    assert {case["caught_by"] for case in cases("v3_invalid")} == judgeable
    assert judgeable < {check.name for check in REQUEST_CHECKS}


@named("v3_ack")
def test_a_signed_ack_verifies(case: dict[str, Any], holders: dict[str, Participant]) -> None:
    lender = holders["lender-2031"]
    peer = Peer(min(lender.certificates), "10.9.2.1")

    response = httpx.Response(200, content=body_of(case))
    judged = judge_answer(response, peer, lender, vector("v3_ack")["traceId"], V3)

    assert judged.identified is not None
    assert judged.verification.passed
    assert judged.opened.payload == case["payload"].encode()
    assert judged.identified.ack["error"] == ("AUTH1002" if case["name"] == "refused" else "0")


@named("v3_ack")
def test_the_second_library_agrees_on_a_signed_ack(case: dict[str, Any], holders: dict[str, Participant]) -> None:
    body = body_of(case)
    assert verified_payload(json.loads(body), key_of(body, holders).to_pem(), "RS512") == case["payload"].encode()


def test_the_example_of_rfc_7515_a2_verifies() -> None:
    example = vector("rfc7515_a2_rs256")
    key = load_public_key(json.dumps(example["jwk"]), example["algorithm"])
    signing_input = f"{example['header']}.{example['payload']}".encode()
    signature = base64url_decode(example["signature"])

    assert key.verify(signing_input, signature)
    assert not key.verify(signing_input + b"A", signature)
    assert not load_public_key(json.dumps(example["jwk"]), "RS512").verify(signing_input, signature)


def test_the_second_library_agrees_on_the_example_of_rfc_7515_a2() -> None:
    example = vector("rfc7515_a2_rs256")
    key = load_public_key(json.dumps(example["jwk"]), "RS256")
    payload = verified_payload(example, key.to_pem(), "RS256")

    assert payload == b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'


@pytest.mark.parametrize("name", ["signature_bit_flipped", "payload_changed", "header_member_added"])
def test_the_second_library_agrees_that_a_changed_part_breaks_the_signature(
    name: str, holders: dict[str, Participant]
) -> None:
    body = body_of(next(case for case in cases("v3_invalid") if case["name"] == name))
    with pytest.raises(BadSignatureError):
        verified_payload(json.loads(body), key_of(body, holders).to_pem(), "RS512")


def test_no_vector_holds_a_private_key() -> None:
    keys = [key["jwk"] for entry in vector("v3_participants")["participants"] for key in entry["keys"]]
    keys += [vector("rfc7515_a2_rs256")["jwk"], vector("v3_published_sample")["jwk"]]

    assert all(set(key) <= {"kty", "kid", "n", "e"} for key in keys)


def _written_anew(text: str) -> list[str]:
    document = json.loads(text)
    return [json.dumps(document, separators=(",", ":"), ensure_ascii=ascii_only) for ascii_only in (True, False)]
