"""Both sides report a request and its callback: four kinds of events, one for each loan application."""

import json
from collections import Counter
from typing import Any

from shared.node.registry.heartbeat import HeartbeatReporter
from tests.equipment.member_pair import AGENT, BANK, CONTENT, GRANT, MemberPair
from tests.equipment.scripted_registry import EVENTS


def reporting(pair: MemberPair) -> list[HeartbeatReporter]:
    reporters = []
    for node in (pair.agent, pair.bank):
        member = node.member
        assert member is not None
        reporter = HeartbeatReporter(member.service, member.access, node.telemetry)
        node.courier.listeners.append(reporter.sent)
        node.reception.listeners.append(reporter.received)
        reporter.start()
        reporters.append(reporter)
    return reporters


def told(pair: MemberPair) -> list[dict[str, Any]]:
    return [json.loads(request.content)["event"] for request in pair.registry.requests if request.url.path == EVENTS]


async def test_a_request_and_its_callback_are_four_events_for_each_loan_application(pair: MemberPair) -> None:
    reporters = reporting(pair)
    entry = await pair.send()
    for reporter in reporters:
        await reporter.stop()
    events = told(pair)
    assert Counter((event["eventType"], event["recipients"][0]["roleId"]) for event in events) == {
        ("CREATE_LOAN_APPLICATION_REQUEST", BANK): 2,
        ("CREATE_LOAN_APPLICATION_REQUEST_ACK", AGENT): 2,
        ("CREATE_LOAN_APPLICATIONS_RESPONSE", AGENT): 2,
        ("CREATE_LOAN_APPLICATIONS_RESPONSE_ACK", BANK): 2,
    }
    assert {event["recipients"][0]["responseCode"] for event in events} == {200}
    assert {event["loanMetaData"]["loanApplicationId"] for event in events} == {"APPL-1", "APPL-2"}
    assert {json.dumps(sent["loanMetaData"]["productData"]) for sent in events} == {json.dumps(CONTENT["productData"])}
    request_ids = {event["requestId"] for event in events}
    assert len(request_ids) == 8
    assert entry.outgoing.request_id not in request_ids


async def test_a_message_that_is_refused_is_told_with_its_status_by_the_sender_alone(pair: MemberPair) -> None:
    reporters = reporting(pair)
    await pair.agent.directories["v4"].receiver(BANK)  # the sender has been approved for a while
    pair.registry.roles[AGENT]["isApproved"] = False
    await pair.send(message=GRANT.full_name)
    for reporter in reporters:
        await reporter.stop()
    events = told(pair)
    assert [event["eventType"] for event in events] == ["GRANT_LOAN_REQUEST"] * 2
    assert events[0]["recipients"] == [{"roleId": BANK, "responseCode": 403, "responseMessage": "Failure"}]
