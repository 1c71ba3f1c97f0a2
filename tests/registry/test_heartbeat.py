"""The sink of the heartbeat: what participants report is checked, kept and shown to the operator."""

import json
from typing import Any

import pytest

from registry_app.store.reports import purge_reports
from registry_app.telemetry import RegistryTelemetry
from shared.catalogue.bodies.v4.heartbeat import EVENT_PATH, METRIC_PATH, HeartbeatEventRequest
from tests.equipment.asgi import JSON, http_scope
from tests.equipment.clock import NOW
from tests.registry.world import Client, World

MILLISECONDS = int(NOW.timestamp() * 1000)


def event(**changes: Any) -> dict[str, Any]:
    return {
        "event": {
            "timestamp": MILLISECONDS,
            "eventType": "GRANT_LOAN_REQUEST",
            "requestId": "event-1",
            "loanMetaData": {
                "loanApplicationId": "APPL-1",
                "loanId": None,
                "productData": {"productId": "3101", "productNetworkId": "3151"},
            },
            "recipients": [{"roleId": "2", "responseCode": 200, "responseMessage": "Success"}],
            **changes,
        }
    }


def metrics(**changes: Any) -> dict[str, Any]:
    return {
        "productData": {"productId": "3101", "productNetworkId": "3151"},
        "loanId": "LOAN-1",
        "loanApplicationId": "APPL-1",
        "metrics": [{"amount": 10000.5, "tenure": {"days": 90}, "interestRate": 14.25}],
    } | changes


async def post(world: World, client: Client, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, str) else json.dumps(body)
    sent = {**await world.bearer(client), "content-type": "application/json", **headers}
    answer = await world.caller.post(path, content=content.encode(), headers=sent)
    assert set(answer.json()) == {"message", "timestamp", "errorCode"}
    return answer.status_code, answer.json()


async def test_an_event_is_taken_and_shown_to_the_operator(world: World, lender: Client) -> None:
    status, told = await post(world, lender, EVENT_PATH, event())
    assert (status, told) == (200, {"message": "Success", "timestamp": MILLISECONDS, "errorCode": "0"})
    page = (await world.ops.get("/events")).json()
    assert page["next"] is None
    (item,) = page["items"]
    assert (item["participant_id"], item["received_at"]) == ("1", "2031-03-04T05:06:07.890Z")
    expected = event()
    expected["event"]["loanMetaData"]["loanId"] = ""
    assert item["body"] == expected


async def test_a_lender_reports_its_disbursements_and_nobody_else(world: World, lender: Client) -> None:
    agent = await world.admit("Sandbox LSP", "LOAN_AGENT")
    assert (await post(world, lender, METRIC_PATH, metrics()))[0] == 200
    before = world.contents()
    status, told = await post(world, agent, METRIC_PATH, metrics())
    assert (status, told["errorCode"]) == (403, "AUTH1004")
    assert world.contents() == before
    (item,) = (await world.ops.get("/disbursement-metrics")).json()["items"]
    assert item["body"] == metrics()
    assert (await world.ops.get("/events")).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "GEN5008"),
        ("[]", "GEN5008"),
        ('{"event":1,"event":2}', "GEN5008"),
        ({}, "GEN5001"),
        ({"event": 7}, "GEN5015"),
        (event(eventType="GRANT_A_WISH"), "GEN5002"),
        (event(timestamp="2031-03-04T05:06:07Z"), "GEN5015"),
        (event(timestamp=-1), "GEN5015"),
        (event(timestamp=1.5), "GEN5015"),
        (event(requestId=""), "GEN5015"),
        (event(loanMetaData={"loanApplicationId": "A"}), "GEN5001"),
        (event(recipients=[{"roleId": "2", "responseCode": "200", "responseMessage": ""}]), "GEN5015"),
        (event(recipients=None), "GEN5015"),
    ],
)
async def test_an_event_that_is_wrong_is_refused(world: World, body: Any, code: str) -> None:
    lender = await world.admit()
    before = world.contents()
    status, told = await post(world, lender, EVENT_PATH, body)
    assert (status, told["errorCode"], told["timestamp"]) == (400, code, MILLISECONDS)
    assert world.contents() == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (metrics(metrics=None), "GEN5015"),
        ({"loanId": "LOAN-1"}, "GEN5001"),
        (metrics(metrics=[{"amount": -1, "tenure": {}, "interestRate": 1}]), "GEN5015"),
        (metrics(metrics=[{"amount": 1, "tenure": {"days": "90"}, "interestRate": 1}]), "GEN5015"),
    ],
)
async def test_metrics_that_are_wrong_are_refused(world: World, body: Any, code: str) -> None:
    lender = await world.admit()
    assert (await post(world, lender, METRIC_PATH, body))[1]["errorCode"] == code
    assert (await world.ops.get("/disbursement-metrics")).json()["items"] == []


async def test_a_report_in_another_form_or_size_is_refused(world: World) -> None:
    lender = await world.admit()
    status, told = await post(world, lender, EVENT_PATH, event(), **{"content-type": "text/plain"})
    assert (status, told["errorCode"]) == (400, "GEN5013")
    status, told = await post(world, lender, EVENT_PATH, " " * 70_000)
    assert (status, told["errorCode"]) == (413, "GEN5014")
    answer = await world.caller.post(EVENT_PATH, json=event())
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "AUTH1005")
    assert answer.headers["www-authenticate"] == 'Bearer realm="dev"'
    assert (await world.caller.get(EVENT_PATH)).json()["errorCode"] == "GEN5003"


async def test_members_that_are_not_known_are_kept(world: World, lender: Client) -> None:
    assert (await post(world, lender, EVENT_PATH, event(colour="blue")))[0] == 200
    (item,) = (await world.ops.get("/events")).json()["items"]
    assert item["body"]["event"]["colour"] == "blue"


async def test_events_are_listed_newest_first_page_by_page_and_by_what_they_are(world: World, lender: Client) -> None:
    agent = await world.admit("Sandbox LSP", "LOAN_AGENT")
    for number in range(5):
        await post(world, (lender, agent)[number % 2], EVENT_PATH, event(requestId=f"event-{number}"))
    await post(world, agent, EVENT_PATH, event(eventType="GRANT_LOAN_REQUEST_ACK", requestId="ack"))

    async def ids(query: str) -> tuple[list[str], str | None]:
        page = (await world.ops.get(f"/events?{query}")).json()
        return [item["body"]["event"]["requestId"] for item in page["items"]], page["next"]

    first, after = await ids("limit=4")
    assert first == ["ack", "event-4", "event-3", "event-2"]
    assert await ids(f"limit=4&before={after}") == (["event-1", "event-0"], None)
    assert await ids(f"participant_id={agent.participant_id}") == (["ack", "event-3", "event-1"], None)
    assert await ids("event_type=GRANT_LOAN_REQUEST_ACK") == (["ack"], None)
    for wrong in ("limit=0", "event_type=NONE", "participant_id=x", "colour=blue"):
        assert (await world.ops.get(f"/events?{wrong}")).status_code == 422


async def test_only_the_latest_reports_are_kept(world: World, lender: Client) -> None:
    for number in range(4):
        await post(world, lender, EVENT_PATH, event(requestId=f"event-{number}"))
    assert await world.service.components.database.change(lambda connection: purge_reports(connection, kept=3)) == 1
    assert await world.service.components.database.change(lambda connection: purge_reports(connection, kept=3)) == 0
    items = (await world.ops.get("/events")).json()["items"]
    assert [item["body"]["event"]["requestId"] for item in items] == ["event-3", "event-2", "event-1"]


def test_a_node_writes_an_event_by_the_names_of_the_fields() -> None:
    read = HeartbeatEventRequest.model_validate(event())
    assert read.event.event_type == "GRANT_LOAN_REQUEST"
    written = HeartbeatEventRequest(event=read.event).model_dump(mode="json", by_alias=True)
    assert HeartbeatEventRequest.model_validate(written) == read


async def test_a_caller_that_hangs_up_amid_its_body_is_no_failure_of_ours(
    world: World, lender: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles, sent = list[str](), list[Any]()
    monkeypatch.setattr(RegistryTelemetry, "trouble", lambda _self, event, _error: troubles.append(event))
    headers = {**await world.bearer(lender), **JSON}
    scope = {**http_scope(EVENT_PATH, headers=headers), "extensions": {}}
    events = iter([{"type": "http.request", "body": b'{"event":', "more_body": True}, {"type": "http.disconnect"}])
    before = world.contents()

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message)

    await world.service.api(scope, receive, send)
    assert ([message.get("status") for message in sent], troubles) == ([400, None], [])
    assert world.contents() == before
