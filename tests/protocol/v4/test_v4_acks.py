"""How the answer to a call is judged: signed by the party that was called, and in no other way but one."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from sandbox.offline import HttpParts, verify
from shared.node.send.client import judge_answer
from shared.protocol.checks import V4_ACK_CHECKS
from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER, seal_detached
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.participants import Dialect, Participant
from shared.protocol.phases import Peer
from shared.protocol.profiles import V4, Judged
from shared.protocol.signing import SigningKey
from shared.protocol.tampering import GoodCall
from shared.protocol.verification import Outcome
from tests.equipment.appendix_f import seal_in_base64
from tests.protocol.receiver import LENDER_CERTIFICATE, LSP_CERTIFICATE

ACK = dump_json({"error": "0", "traceId": "trace-1", "timestamp": "2031-03-04T05:06:08.000Z"})
REFUSAL = ACK.replace(b'"0"', b'"AUTH1001"')
STARTER_ACK = dump_json({"error": None, "traceId": "trace-1", "timestamp": "2031-03-04T05:06:08"})


@pytest.fixture
def key(good_call: GoodCall) -> SigningKey:
    """The lender's key: it is the one who is called here."""
    return good_call.other.key


def judge(body: bytes, callee: Participant, headers: dict[str, str], certificate: str = LENDER_CERTIFICATE) -> Judged:
    response = httpx.Response(200, headers=headers, content=body)
    return judge_answer(response, Peer(certificate, "https://lender.example"), callee, "trace-1", V4)


def error_of(judged: Judged) -> str:
    assert judged.verification.passed
    assert judged.identified is not None
    return str(judged.identified.ack["error"])


def failed_check(judged: Judged) -> str:
    assert judged.verification.failure is not None
    return judged.verification.failure.check.name


@pytest.mark.check("OCEN-ASY-01")
@pytest.mark.parametrize(
    ("seal", "dialect"),
    [(seal_detached, Dialect.STRICT), (seal_detached, Dialect.AUTHSTARTER), (seal_in_base64, Dialect.STRICT)],
    ids=["strict", "authstarter", "appendix f"],
)
@pytest.mark.parametrize("body", [ACK, REFUSAL, b'{"ack":' + ACK + b"}"])
def test_a_signed_ack_holds_flat_or_wrapped(
    body: bytes, seal: Callable[..., dict[str, str]], dialect: Dialect, lender_role: Participant, key: SigningKey
) -> None:
    judged = judge(body, lender_role, seal(body, key, dialect))
    assert [step.check for step in judged.verification.steps] == list(V4_ACK_CHECKS)
    assert {step.outcome for step in judged.verification.steps} == {Outcome.PASSED}
    assert error_of(judged) in ("0", "AUTH1001")


SPOILED: dict[str, tuple[Callable[[str], dict[str, str]], str]] = {
    "no signature": (lambda good: {}, "signature_header_is_given_once"),
    "an empty signature": (lambda good: {SIGNATURE_HEADER: ""}, "signature_header_is_given_once"),
    "two that differ": (lambda good: {SIGNATURE_HEADER: good, STARTER_HEADER: "x"}, "signature_header_is_given_once"),
    "two lines": (lambda good: {SIGNATURE_HEADER: f"{good}, {good}"}, "signature_header_is_given_once"),
    "its payload in it": (lambda good: {SIGNATURE_HEADER: good.replace("..", ".e30.")}, "signature_is_detached"),
    "alg none": (
        lambda good: {SIGNATURE_HEADER: base64url_encode(b'{"alg":"none"}') + ".." + good.split("..")[1]},
        "algorithm_is_the_agreed_one",
    ),
}


@pytest.mark.parametrize(("spoil", "caught_by"), SPOILED.values(), ids=SPOILED)
def test_an_ack_with_another_signature_header_does_not_hold(
    spoil: Callable[[str], dict[str, str]], caught_by: str, lender_role: Participant, key: SigningKey
) -> None:
    good = seal_detached(ACK, key, Dialect.STRICT)[SIGNATURE_HEADER]
    assert failed_check(judge(ACK, lender_role, spoil(good))) == caught_by


def test_an_ack_signed_by_another_or_over_other_bytes_or_from_elsewhere_does_not_hold(
    lender_role: Participant, key: SigningKey, good_call: GoodCall
) -> None:
    signed = seal_detached(ACK, key, Dialect.STRICT)
    assert failed_check(judge(ACK + b" ", lender_role, signed)) == "signature_verifies"
    assert failed_check(judge(REFUSAL, lender_role, signed)) == "signature_verifies"
    assert failed_check(judge(ACK, lender_role, signed, LSP_CERTIFICATE)) == "certificate_is_the_token_holders"
    by_the_lsp = seal_detached(ACK, good_call.key, Dialect.STRICT)
    assert failed_check(judge(ACK, lender_role, by_the_lsp)) == "kid_selects_a_registered_key"
    in_its_name = seal_detached(ACK, replace(good_call.key, kid=key.kid), Dialect.STRICT)
    assert failed_check(judge(ACK, lender_role, in_its_name)) == "signature_verifies"


def test_an_ack_to_another_message_or_without_its_members_does_not_hold(
    lender_role: Participant, key: SigningKey
) -> None:
    other = ACK.replace(b"trace-1", b"trace-2")
    assert (
        failed_check(judge(other, lender_role, seal_detached(other, key, Dialect.STRICT))) == "ack_names_our_trace_id"
    )
    for body in (b'{"error":"0"}', STARTER_ACK, b'{"ack":"0"}'):
        judged = judge(body, lender_role, seal_detached(body, key, Dialect.STRICT))
        assert failed_check(judged) == "ack_has_its_members"


def test_an_official_starter_need_not_sign_its_acks_and_that_shows(lender_role: Participant) -> None:
    starter = replace(lender_role, dialect=Dialect.AUTHSTARTER)
    judged = judge(STARTER_ACK, starter, {})

    assert judged.verification.passed
    assert error_of(judged) == "0"
    unjudged = {step.check.name for step in judged.verification.steps if step.outcome is Outcome.NOT_JUDGED}
    assert "signature_verifies" in unjudged
    assert failed_check(judge(STARTER_ACK, lender_role, {})) == "signature_header_is_given_once"


@pytest.mark.parametrize("name", [SIGNATURE_HEADER, STARTER_HEADER])
def test_a_signature_that_an_official_starter_does_send_has_to_hold(
    name: str, lender_role: Participant, key: SigningKey
) -> None:
    starter = replace(lender_role, dialect=Dialect.AUTHSTARTER)
    for value in ("", "x", *seal_detached(ACK + b" ", key, Dialect.AUTHSTARTER).values()):
        assert not judge(ACK, starter, {name: value}).verification.passed


def test_an_unsigned_ack_from_a_starter_still_has_to_come_over_its_connection_and_answer_us(
    lender_role: Participant,
) -> None:
    starter = replace(lender_role, dialect=Dialect.AUTHSTARTER)
    assert failed_check(judge(ACK, starter, {}, LSP_CERTIFICATE)) == "certificate_is_the_token_holders"
    assert failed_check(judge(ACK.replace(b"trace-1", b"t"), starter, {})) == "ack_names_our_trace_id"
    assert failed_check(judge(b"[]", starter, {})) == "payload_is_a_json_object"


def test_a_signed_call_is_no_ack_and_an_ack_is_no_call(
    good_call: GoodCall, lsp_role: Participant, lender_role: Participant, key: SigningKey
) -> None:
    call = good_call.send()
    assert failed_check(judge(call.body, lsp_role, dict(call.headers), LSP_CERTIFICATE)) == "ack_has_its_members"
    http = HttpParts(seal_detached(ACK, key, Dialect.STRICT)[SIGNATURE_HEADER])
    verification = verify(ACK, V4, lambda kid: lender_role, message_type=None, at=None, http=http).verification
    assert verification.failure is not None
    assert verification.failure.check.name == "originator_metadata_is_complete"
