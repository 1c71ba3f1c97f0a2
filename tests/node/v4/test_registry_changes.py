"""What changes in the registry counts in time: keys, approvals, participants who leave, and a registry that is down."""

import json

import pytest
from httpx import Request, Response

from shared.node.send.outbox import OutboxState
from shared.node.send.sender import SendError
from shared.node.tables import ATTEMPTS, INBOX, OUTBOX, REGISTRY_KEYS
from shared.protocol.participants import Participant
from shared.storage.writer import StorageUnavailable
from shared.transport.tls import thumbprint
from shared.transport.transport import UnregisteredCertificateError
from tests.equipment.member_pair import AGENT, BANK, MemberPair, body_of
from tests.equipment.pair import Way
from tests.equipment.parties import LENDER_CERTIFICATE
from tests.equipment.scripted_registry import jwk_of, rs256
from tests.equipment.storage import contents, rows
from tests.node.v4.test_member_exchange import ack_of

NEW_CERTIFICATE = b"a certificate that the registry names from now on"


@pytest.mark.check("OCEN-ROT-06")
async def test_a_key_that_the_registry_has_exchanged_counts_at_once_and_the_former_no_longer(pair: MemberPair) -> None:
    assert (await pair.post()).status == 200
    pair.registry.keys[AGENT] = [jwk_of(rs256("lsp backup"))]
    pair.clock.advance(11)
    body = body_of("request-2", traceId="trace-2")
    assert (await pair.post(body, headers=pair.headers(body, key=rs256("lsp backup")))).status == 200
    body = body_of("request-3", traceId="trace-3")
    assert (await pair.post(body, headers=pair.headers(body))).status == 401


@pytest.mark.check("OCEN-ROT-06")
async def test_a_key_that_was_exchanged_under_the_same_kid_counts_at_once(pair: MemberPair) -> None:
    assert (await pair.post()).status == 200
    new = rs256("leaf", "lsp-kid")
    pair.registry.keys[AGENT] = [jwk_of(new)]
    pair.clock.advance(11)
    body = body_of("request-2", traceId="trace-2")
    answer = await pair.post(body, headers=pair.headers(body, key=new))
    assert (answer.status, ack_of(answer)["error"]) == (200, "0")
    assert len(rows(pair.bank.engine, INBOX)) == 2


async def test_wrong_signatures_lead_to_one_look_up_in_ten_seconds(pair: MemberPair) -> None:
    await pair.post()
    asked = pair.registry.asked(f"/service/participant-roles/{AGENT}")
    pair.clock.advance(11)
    for number in range(50):
        key = rs256("leaf", "lsp-kid" if number % 2 else f"kid-{number}")
        assert (await pair.post(headers=pair.headers(body_of(), key=key))).status == 401
    assert pair.registry.asked(f"/service/participant-roles/{AGENT}") == asked + 1


@pytest.mark.check("OCEN-ROT-06")
async def test_a_certificate_that_the_registry_has_added_counts_at_once(pair: MemberPair) -> None:
    assert (await pair.post()).status == 200
    pair.registry.roles[AGENT]["tlsCertificates"].append(thumbprint(NEW_CERTIFICATE))
    pair.clock.advance(11)
    body = body_of("request-2", traceId="trace-2")
    assert (await pair.post(body, certificate=NEW_CERTIFICATE)).status == 200


async def test_a_flood_over_certificates_that_are_not_registered_leads_to_one_look_up_in_ten_seconds(
    pair: MemberPair,
) -> None:
    await pair.post()
    asked = pair.registry.asked(f"/service/participant-roles/{AGENT}")
    before = contents(pair.bank.engine)
    pair.clock.advance(11)
    for number in range(50):
        answer = await pair.post(certificate=b"certificate %d of somebody else" % number)
        assert (answer.status, ack_of(answer)["detail"]["check"]) == (403, "certificate_is_the_token_holders")
    assert pair.registry.asked(f"/service/participant-roles/{AGENT}") == asked + 1
    assert contents(pair.bank.engine)[INBOX.name] == before[INBOX.name]


async def test_nobody_is_looked_up_for_a_certificate_that_no_token_goes_with(pair: MemberPair) -> None:
    await pair.post()
    asked = pair.registry.asked(f"/service/participant-roles/{AGENT}")
    pair.clock.advance(11)
    body = body_of()
    forged = pair.registry.token(AGENT, key=rs256("leaf", "auth service"))
    answer = await pair.post(body, headers=pair.headers(body, token=forged), certificate=NEW_CERTIFICATE)
    assert answer.status == 401
    assert pair.registry.asked(f"/service/participant-roles/{AGENT}") == asked


async def shows_its_own(request: Request, carry: Way) -> Response:
    """What the transport does: nothing goes out to a server whose certificate may not be shown."""
    if thumbprint(LENDER_CERTIFICATE) not in request.extensions["peer_certificates"]:
        raise UnregisteredCertificateError("a certificate that its participant has not registered")
    return await carry(request)


@pytest.mark.check("OCEN-ROT-06")
async def test_a_message_goes_out_at_once_to_a_server_that_has_renewed_its_certificate(pair: MemberPair) -> None:
    pair.registry.roles[BANK]["tlsCertificates"] = [thumbprint(NEW_CERTIFICATE)]
    assert await pair.agent.directories["v4"].receiver(BANK) is not None
    pair.to_bank.weather = shows_its_own
    await pair.send()
    (attempt,) = rows(pair.agent.engine, ATTEMPTS)
    assert (attempt["outcome"], attempt["answer"]) == ("FAILED", b"")
    assert rows(pair.bank.engine, INBOX) == []

    pair.registry.roles[BANK]["tlsCertificates"].append(thumbprint(LENDER_CERTIFICATE))
    pair.clock.advance(11)
    await pair.agent.courier.sweep()
    await pair.settle()
    assert [row["outcome"] for row in rows(pair.agent.engine, ATTEMPTS)] == ["FAILED", "ACCEPTED"]
    assert len(rows(pair.bank.engine, INBOX)) == 1


@pytest.mark.check("OCEN-ROT-06")
async def test_an_ack_by_a_key_that_the_registry_has_added_counts_without_another_try(pair: MemberPair) -> None:
    own = pair.registry.keys[BANK]
    pair.registry.keys[BANK] = [jwk_of(rs256("leaf"))]
    assert await pair.agent.directories["v4"].receiver(BANK) is not None
    pair.registry.keys[BANK] += own
    pair.clock.advance(11)
    await pair.send()
    assert [row["outcome"] for row in rows(pair.agent.engine, ATTEMPTS)] == ["ACCEPTED"]
    assert len(rows(pair.bank.engine, INBOX)) == 1


async def test_acks_by_a_key_that_is_not_registered_lead_to_one_look_up_in_ten_seconds(pair: MemberPair) -> None:
    await pair.send()
    pair.registry.keys[BANK] = [jwk_of(rs256("leaf"))]
    pair.clock.advance(301)
    await pair.agent.directories["v4"].receiver(BANK)
    pair.clock.advance(11)
    asked = pair.registry.asked(f"/service/participant-roles/{BANK}")
    for _ in range(10):
        await pair.send()
    assert [row["outcome"] for row in rows(pair.agent.engine, ATTEMPTS)] == ["ACCEPTED", *["FAILED"] * 10]
    assert pair.registry.asked(f"/service/participant-roles/{BANK}") == asked + 1


async def test_while_the_registry_is_down_an_ack_by_a_key_that_is_not_known_counts_for_none(pair: MemberPair) -> None:
    await pair.send()
    pair.registry.keys[BANK] = [jwk_of(rs256("leaf"))]
    pair.clock.advance(301)
    await pair.agent.directories["v4"].receiver(BANK)
    pair.registry.is_down = True
    await pair.send()
    attempt = rows(pair.agent.engine, ATTEMPTS)[-1]
    assert (attempt["outcome"], attempt["answer"] is not None) == ("FAILED", True)


@pytest.mark.check("OCEN-ROT-06")
async def test_while_the_registry_is_down_the_known_go_on_for_their_time_then_nobody_until_it_is_back(
    pair: MemberPair,
) -> None:
    assert (await pair.post()).status == 200
    pair.registry.is_down = True
    for seconds, status in ((300, 200), (599, 200), (10, 503)):
        pair.clock.advance(seconds)
        now = pair.clock.now().isoformat()
        body = body_of(f"request-{seconds}", traceId=f"trace-{seconds}", timestamp=now)
        answer = await pair.post(body)
        assert answer.status == status
    assert ack_of(answer)["error"] == "GEN5004"
    assert answer.headers["retry-after"] == "5"
    pair.registry.is_down = False
    pair.clock.advance(5)
    assert (await pair.post(body, headers=pair.headers(body))).status == 200


async def test_who_was_offboarded_is_refused_when_his_time_is_over(pair: MemberPair) -> None:
    assert (await pair.post()).status == 200
    del pair.registry.roles[AGENT]
    pair.clock.advance(301)
    body = body_of("request-2", traceId="trace-2", timestamp=pair.clock.now().isoformat())
    answer = await pair.post(body)
    assert (answer.status, ack_of(answer)["detail"]["check"]) == (403, "token_holder_takes_part")


async def test_who_is_approved_meanwhile_is_accepted_half_a_minute_later(pair: MemberPair) -> None:
    pair.registry.roles[AGENT]["isApproved"] = False
    assert (await pair.post()).status == 403
    pair.registry.roles[AGENT]["isApproved"] = True
    pair.clock.advance(31)
    assert (await pair.post()).status == 200


async def test_nothing_is_sent_in_the_name_of_no_organisation(pair: MemberPair) -> None:
    pair.registry.roles[AGENT]["isApproved"] = False
    with pytest.raises(SendError, match=f"which organisation we, {AGENT}, belong to; ask its operator"):
        await pair.send()
    assert rows(pair.agent.engine, OUTBOX) == []
    pair.registry.roles[AGENT]["isApproved"] = True
    pair.clock.advance(31)
    await pair.send()
    assert [row["state"] for row in rows(pair.agent.engine, OUTBOX)] == [OutboxState.DELIVERED]


async def test_a_callback_waits_while_the_registry_does_not_know_us(pair: MemberPair) -> None:
    entry = pair.registry.roles.pop(BANK)
    assert (await pair.post()).status == 200
    await pair.settle()
    (waiting,), (attempt,) = rows(pair.bank.engine, OUTBOX), rows(pair.bank.engine, ATTEMPTS)
    assert (waiting["state"], attempt["outcome"], attempt["sent"]) == (OutboxState.WAITING, "FAILED", b"")
    pair.registry.roles[BANK] = entry
    pair.clock.advance(31)
    await pair.bank.courier.sweep()
    await pair.settle()
    sent = rows(pair.bank.engine, ATTEMPTS)[-1]["sent"]
    assert json.loads(sent)["metadata"]["originatorOrgId"] == "901"


async def test_the_key_of_a_sender_is_written_down_before_its_message_is_accepted(pair: MemberPair) -> None:
    await pair.post()
    (row,) = rows(pair.bank.engine, REGISTRY_KEYS)
    key = rs256("lsp").public()
    assert (row["participant_id"], row["kid"], row["pem"]) == (AGENT, "lsp-kid", key.to_pem())
    assert (row["thumbprint"], row["first_seen"]) == (key.thumbprint(), pair.clock.now())


async def test_what_could_not_be_proved_later_is_not_accepted(pair: MemberPair) -> None:
    async def fails(_: Participant) -> None:
        raise StorageUnavailable("the disk is full")

    assert pair.bank.member is not None
    pair.bank.member.directory.note = fails
    before = contents(pair.bank.engine)
    answer = await pair.post()
    assert (answer.status, ack_of(answer)["error"]) == (503, "GEN5004")
    assert contents(pair.bank.engine) == before
