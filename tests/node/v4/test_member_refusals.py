"""What a member refuses: signed, with its code, status and challenge; nothing has changed but the list of refusals."""

import json
from typing import Any

import pytest

from shared.node.tables import INBOX, REFUSALS
from shared.protocol.encoding import dump_json
from shared.protocol.phases import MAX_BODY_BYTES
from shared.protocol.problems import Problem
from shared.transport.tls import thumbprint
from tests.equipment.appendix_f import seal_in_base64
from tests.equipment.asgi import JSON, Answer, call
from tests.equipment.lender_node import signed
from tests.equipment.member_pair import AGENT, BANK, CREATE, GRANT, MemberPair, body_of, member_pair
from tests.equipment.parties import LENDER_CERTIFICATE, STRANGER_CERTIFICATE, UNLISTED_ADDRESS
from tests.equipment.scripted_registry import rs256
from tests.equipment.storage import contents, rows
from tests.node.v4.test_member_exchange import ack_of

INVALID = 'Bearer error="invalid_token"'
INSUFFICIENT = 'Bearer error="insufficient_scope"'


async def refused(pair: MemberPair, problem: Problem, challenge: str | None, check: str, **request: Any) -> Answer:
    """Send something, and see that it is refused as it has to be; then that the good one is accepted."""
    before = contents(pair.bank.engine, [REFUSALS])
    answer = await pair.post(**request)
    ack = ack_of(answer)
    assert (answer.status, ack["error"], ack["detail"]["check"]) == (problem.status, problem.code, check)
    assert answer.headers.get("www-authenticate") == challenge
    assert contents(pair.bank.engine, [REFUSALS]) == before
    assert len(rows(pair.bank.engine, REFUSALS)) == 1
    assert (await pair.post(body_of("request-good", traceId="trace-good"))).status == 200
    return answer


@pytest.mark.check("OCEN-TOK-01")
@pytest.mark.parametrize("given", [None, "Basic dXNlcjpwYXNz", "Bearer", "Bearer a, Bearer b"])
async def test_without_one_bearer_token_nothing_is_read_and_a_bare_challenge_tells_what_is_wanted(
    pair: MemberPair, given: str | None
) -> None:
    headers = {name: value for name, value in pair.headers(body_of()).items() if name != "authorization"}
    if given is not None:
        headers["authorization"] = given
    answer = await refused(pair, Problem.TOKEN, "Bearer", "bearer_token_is_given", headers=headers, pieces=[])
    assert answer.headers["connection"] == "close"


@pytest.mark.check("OCEN-TOK-01")
async def test_the_scheme_of_a_token_may_be_in_lower_case(pair: MemberPair) -> None:
    headers = pair.headers(body_of())
    headers["authorization"] = headers["authorization"].replace("Bearer", "bearer")
    assert (await pair.post(headers=headers)).status == 200


@pytest.mark.check("OCEN-DET-01")
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"signature": ""},
        {"signature": "one, two"},
        {"signature": "sig1=:AAAA:"},
        {"signature": "e30.e30.AA"},
        {"signature": "e30..AA", "x-jws-signature": "e30..AB"},
        {"signature": "e30..AA"},
    ],
)
async def test_a_head_that_cannot_be_right_is_refused_without_a_look_at_the_body(
    pair: MemberPair, change: dict[str, str]
) -> None:
    headers = {name: value for name, value in pair.headers(body_of()).items() if name != "signature"} | change
    answer = await pair.post(headers=headers, pieces=[])
    assert (answer.status, ack_of(answer)["error"]) == (401, "AUTH1001")
    assert (answer.headers["connection"], answer.headers["www-authenticate"]) == ("close", "Bearer")
    assert rows(pair.bank.engine, INBOX) == []
    assert pair.registry.requests == []


async def test_an_unknown_path_and_another_method_are_refused_without_a_look_at_the_body(pair: MemberPair) -> None:
    for request, status in (({"path": f"{CREATE.path}/x"}, 404), ({"method": "GET"}, 405)):
        answer = await pair.post(pieces=[], **request)
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert ack_of(answer)["traceId"] == ""


@pytest.mark.check("OCEN-DET-03")
@pytest.mark.parametrize("change", [b" ", None])
async def test_a_body_other_than_the_signed_one_is_refused(pair: MemberPair, change: bytes | None) -> None:
    headers = pair.headers(body_of())
    body = b"" if change is None else body_of() + change
    await refused(pair, Problem.SIGNATURE, "Bearer", "signature_verifies", body=body, headers=headers)


@pytest.mark.check("OCEN-DET-05")
async def test_the_algorithm_of_v3_is_none_of_v4(pair: MemberPair) -> None:
    key = rs256("lsp").bound_to("RS512")
    headers = pair.headers(body_of(), key=key)
    await refused(pair, Problem.SIGNATURE, "Bearer", "algorithm_is_the_agreed_one", headers=headers)


async def test_a_body_that_is_too_large_is_refused(pair: MemberPair) -> None:
    body = body_of(filler="x" * MAX_BODY_BYTES)
    await refused(pair, Problem.TOO_LARGE, None, "body_is_within_size", body=body)


@pytest.mark.check("OCEN-TOK-02", "OCEN-TOK-03")
@pytest.mark.parametrize(
    ("claims", "check"),
    [
        ({"exp": 1, "iat": 0}, "token_is_in_force"),
        ({"sub": None}, "token_has_its_claims"),
        ({"participantId": None}, "token_has_its_claims"),
        ({"iss": "https://registry.example/realms/dev/"}, "token_is_of_our_auth_service"),
        ({"key": rs256("lsp"), "kid": "auth service-kid"}, "token_signature_verifies"),
        ({"key": rs256("lsp")}, "token_key_is_the_auth_services"),
    ],
)
async def test_a_token_that_is_none_is_refused_as_invalid(pair: MemberPair, claims: dict[str, Any], check: str) -> None:
    headers = pair.headers(body_of(), token=pair.registry.token(AGENT, **claims))
    await refused(pair, Problem.TOKEN, INVALID, check, headers=headers)


@pytest.mark.check("OCEN-TOK-05")
async def test_a_token_of_somebody_else_with_signature_metadata_and_certificate_of_the_sender_is_refused(
    pair: MemberPair,
) -> None:
    pair.registry.enrol("3060", "LOAN_AGENT", rs256("leaf"), baseUrl="https://3060.example")
    headers = pair.headers(body_of(), token=pair.registry.token("3060"))
    await refused(pair, Problem.SIGNATURE, "Bearer", "kid_selects_a_registered_key", headers=headers)


@pytest.mark.check("OCEN-TOK-05")
async def test_a_party_other_than_the_registered_client_is_refused(pair: MemberPair) -> None:
    pair.registry.roles[AGENT]["kcClientId"] = f"client-{AGENT}"
    headers = pair.headers(body_of(), token=pair.registry.token(AGENT, azp="client-3060"))
    await refused(pair, Problem.SENDER, INSUFFICIENT, "token_party_is_its_holder", headers=headers)


@pytest.mark.check("OCEN-TOK-05")
@pytest.mark.parametrize("metadata", [{"originatorParticipantId": BANK}, {"participantId": BANK}, {"orgId": "999"}])
async def test_metadata_of_somebody_else_is_refused(pair: MemberPair, metadata: dict[str, str]) -> None:
    await refused(pair, Problem.SENDER, INSUFFICIENT, "originator_is_the_token_holder", body=body_of(**metadata))


@pytest.mark.check("OCEN-TLS-05")
@pytest.mark.parametrize("certificate", [LENDER_CERTIFICATE, STRANGER_CERTIFICATE])
async def test_a_certificate_that_the_registry_does_not_name_for_the_sender_is_refused(
    pair: MemberPair, certificate: bytes
) -> None:
    await refused(pair, Problem.SENDER, INSUFFICIENT, "certificate_is_the_token_holders", certificate=certificate)


@pytest.mark.check("OCEN-TLS-05")
async def test_who_has_no_certificate_in_the_registry_may_show_any_but_one_that_is_known_as_somebody_elses(
    pair: MemberPair,
) -> None:
    pair.registry.roles[AGENT]["tlsCertificates"] = []
    assert (await pair.post(certificate=STRANGER_CERTIFICATE)).status == 200
    other = thumbprint(b"the certificate of 3060")
    pair.registry.enrol("3060", "LOAN_AGENT", rs256("leaf"), baseUrl="https://3060.example", tlsCertificates=[other])
    assert await pair.bank.directories["v4"].receiver("3060") is not None
    body = body_of("request-2", traceId="trace-2")
    answer = await pair.post(body, certificate=b"the certificate of 3060")
    assert (answer.status, ack_of(answer)["detail"]["check"]) == (403, "certificate_is_the_token_holders")
    assert len(rows(pair.bank.engine, INBOX)) == 1


@pytest.mark.check("OCEN-TLS-07")
async def test_an_address_that_the_registry_does_not_list_is_refused(pair: MemberPair) -> None:
    pair.registry.addresses[AGENT] = [{"ipAddress": "192.0.2.7"}]
    await refused(pair, Problem.SENDER, INSUFFICIENT, "source_address_is_listed", address=UNLISTED_ADDRESS)


async def test_a_role_that_does_not_send_a_message_is_refused(pair: MemberPair) -> None:
    pair.registry.enrol("3060", "LENDER", rs256("leaf"), baseUrl="https://3060.example")
    body = body_of(sender="3060")
    headers = pair.headers(body, key=rs256("leaf"), token=pair.registry.token("3060"))
    await refused(pair, Problem.SENDER, INSUFFICIENT, "sender_has_the_role", body=body, headers=headers)


async def test_who_is_not_approved_is_refused(pair: MemberPair) -> None:
    headers = pair.headers(body_of(), token=pair.registry.token("3060"))
    await refused(pair, Problem.SENDER, INSUFFICIENT, "token_holder_takes_part", headers=headers)


@pytest.mark.parametrize("network", ["72", None, 71])
async def test_a_product_network_that_is_not_ours_is_refused(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, network: Any
) -> None:
    async with member_pair(tmp_path, monkeypatch, networks=("71",)) as pair:
        document = {**json.loads(body_of()), "productData": {"productNetworkId": network}}
        answer = await pair.post(dump_json(document))
        assert answer.status == (200 if network == 71 else 403)
        assert (await pair.post(body_of("request-2", traceId="trace-2"))).status == 200


async def test_a_sender_who_has_left_the_product_network_is_refused_once_that_is_known(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with member_pair(tmp_path, monkeypatch, networks=("71",)) as pair:
        assert (await pair.post()).status == 200
        pair.registry.networks["71"] = {"LENDER": [{"id": BANK, "isApproved": True}]}
        pair.clock.advance(299)
        assert (await pair.post(body_of("request-2", traceId="trace-2"))).status == 200
        pair.clock.advance(2)
        now = pair.clock.now().isoformat()
        answer = await pair.post(body_of("request-3", traceId="trace-3", timestamp=now))
        assert (answer.status, ack_of(answer)["detail"]["check"]) == (403, "both_are_in_the_product_network")


@pytest.mark.check("OCEN-DET-01")
async def test_a_signature_under_the_starters_name_alone_counts_and_is_kept(pair: MemberPair) -> None:
    headers = pair.headers(body_of())
    headers["x-jws-signature"] = headers.pop("signature")
    assert (await pair.post(headers=headers)).status == 200
    (row,) = rows(pair.bank.engine, INBOX)
    assert row["signature"] == headers["x-jws-signature"]


async def test_v3_and_v4_live_side_by_side_with_one_inbox_and_each_its_signatures(pair: MemberPair) -> None:
    assert (await pair.post()).status == 200
    v3 = await call(pair.bank_plane, "/v3/loan/triggerLoanAcceptanceRequest", signed())
    assert (v3.status, "signature" in v3.headers) == (200, False)
    assert {row["message"] for row in rows(pair.bank.engine, INBOX)} == {
        CREATE.full_name,
        "TriggerLoanAcceptanceRequest",
    }
    crossed = await pair.post(signed(), headers=JSON)
    assert (crossed.status, ack_of(crossed)["error"]) == (401, "AUTH1005")
    body = body_of("request-2", traceId="trace-2")
    other = await call(pair.bank_plane, "/v3/loan/triggerLoanAcceptanceRequest", body, headers=pair.headers(body))
    assert (other.status, "signature" in other.headers) == (400, False)
    assert (await call(pair.bank_plane, "/elsewhere", b"{}")).status == 404


async def test_a_signature_over_the_body_in_base64url_counts_too(pair: MemberPair) -> None:
    assert (await pair.post(headers=pair.headers(body_of(), seal=seal_in_base64))).status == 200


async def test_in_strict_mode_a_refusal_says_nothing_but_its_code(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with member_pair(tmp_path, monkeypatch, explains=False) as pair:
        answer = await pair.post(path=GRANT.path, headers={**JSON, "authorization": "Bearer x"}, pieces=[])
        assert set(ack_of(answer)) == {"error", "traceId", "timestamp"}


async def test_a_refusal_names_whose_certificate_was_shown_as_far_as_that_is_known(pair: MemberPair) -> None:
    await pair.post()
    await pair.post()
    (refusal,) = rows(pair.bank.engine, REFUSALS)
    assert (refusal["peer"], refusal["error"]) == (AGENT, "AUTH1002")
    directory = pair.bank.directories["v4"]
    assert directory.owner(thumbprint(STRANGER_CERTIFICATE)) is None
    await pair.settle()  # the callback has looked up whom it goes to, and in whose name
    assert [participant.id for participant in directory.participants()] == [AGENT, BANK]
