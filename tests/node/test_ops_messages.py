"""The operator plane's routes about messages: sending, driving again, looking."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from shared.catalogue.table import example_of, find_message
from shared.node.tables import OUTBOX
from shared.protocol.phases import MAX_BODY_BYTES
from tests.node.journal_rows import add_notice, add_received, add_refusal, add_sent, row_id
from tests.node.operated import OperatedStandIn, contents, operated_node, operator

TRIGGER = "TriggerLoanAcceptanceRequest"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[OperatedStandIn]:
    async with operated_node(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node: OperatedStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with operator(node) as client:
        yield client


def order(**changes: Any) -> dict[str, Any]:
    return {"message": TRIGGER, "to": "LENDER01", "content": example_of(find_message(TRIGGER))} | changes


def content(**changes: Any) -> dict[str, Any]:
    return example_of(find_message(TRIGGER)) | changes


def outbox(node: OperatedStandIn) -> list[Any]:
    with node.engine.begin() as connection:
        return list(connection.execute(select(OUTBOX).order_by(OUTBOX.c.id)))


async def refuses(node: OperatedStandIn, answer: httpx.Response, status: int, part: str) -> None:
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}
    assert part in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]
    assert contents(node.engine)["outbox"] == 0


async def test_a_message_that_is_sent_is_in_the_outbox_when_it_is_answered(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/messages", json=order())
    (row,) = outbox(node)
    assert (answer.status_code, answer.json()) == (202, {"id": row.id, "request_id": row.request_id})
    assert (row.receiver, row.message, row.state) == ("LENDER01", TRIGGER, "WAITING")
    assert json.loads(row.content) == {"requestId": row.request_id, **content()}


async def test_a_request_id_of_the_caller_is_kept(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    answer = await client.post("/messages", json=order(content=content(requestId="mine")))
    assert answer.json()["request_id"] == "mine"
    assert outbox(node)[0].request_id == "mine"


async def test_a_decimal_number_is_stored_as_it_was_written(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    body = json.dumps(order(content=content(amount=0))).replace('"amount": 0', '"amount": 123456789012.35')
    answer = await client.post("/messages", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 202
    assert '"amount":123456789012.35' in outbox(node)[0].content


@pytest.mark.parametrize(
    ("changes", "status", "part"),
    [
        ({"message": "NoSuchMessage"}, 422, "NoSuchMessage is not a message that a LOAN_AGENT sends"),
        ({"message": "VerifyLoanAcceptanceResponse"}, 422, "choose from CreateLoanApplicationsRequest"),
        ({"to": "NOBODY"}, 404, "NOBODY is not in the directory; choose from LENDER01, or onboard it"),
        ({"content": {}}, 422, "content.loanApplicationIds: Field required"),
        ({"content": content(requestId=7)}, 422, "content.requestId: Input should be a valid string"),
        ({"content": content(requestId="x" * 65)}, 422, "content.requestId: String should have at most 64"),
        ({"content": content(credBlock={"type": "PIN", "data": {}})}, 422, "content.credBlock.type: Input should be"),
        ({"content": []}, 422, "content: Input should be a valid dictionary"),
        ({"message": None}, 422, "message: Input should be a valid string"),
        ({"too": "LENDER01"}, 422, "too: Extra inputs are not permitted"),
    ],
)
async def test_a_message_that_does_not_fit_is_refused_and_nothing_is_sent(
    node: OperatedStandIn, client: httpx.AsyncClient, changes: dict[str, Any], status: int, part: str
) -> None:
    await refuses(node, await client.post("/messages", json=order(**changes)), status, part)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "body: Field required"),
        (b"{", "body: not JSON"),
        (b"[]", "body: JSON, but not an object"),
        (b'{"to":"LENDER01","to":"LENDER02"}', "body: the member 'to' is repeated"),
        (b'{"to":NaN}', "body: NaN is not JSON"),
        (b"\xff", "body: not UTF-8"),
        (b'{"to":' + b"[" * 10_000, "body: not JSON within the limits of depth"),
        (b'{"to":' + b"[" * 100_000, "body: more than 40000 commas, braces and brackets"),
        (
            json.dumps(order(content=content(amount=0)))
            .replace('"amount": 0', '"amount": 0.12345678901234567890')
            .encode(),
            "content: 0.12345678901234567890 has more digits",
        ),
    ],
    ids=["nothing", "half", "array", "repeated", "nan", "binary", "deep", "crowded", "digits"],
)
async def test_a_body_that_is_not_strict_json_is_refused(
    node: OperatedStandIn, client: httpx.AsyncClient, body: bytes, part: str
) -> None:
    answer = await client.post("/messages", content=body, headers={"content-type": "application/json"})
    await refuses(node, answer, 422, part)


async def test_a_body_that_does_not_say_that_it_is_json_is_refused(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/messages", content=json.dumps(order()), headers={"content-type": "text/plain"})
    await refuses(node, answer, 415, "Content-Type: application/json")


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


async def test_a_body_that_is_too_large_is_refused_before_it_has_been_read_to_its_end(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    read: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            read.append(65_536)
            yield b" " * 65_536

    answer = await client.post("/messages", content=endless(), headers={"content-type": "application/json"})
    await refuses(node, answer, 413, "The body is larger than 1048576 bytes; send no more than that.")
    assert sum(read) <= MAX_BODY_BYTES + 65_536


async def test_a_body_of_exactly_the_limit_is_taken(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    body = in_pieces(json.dumps(order()).encode().ljust(MAX_BODY_BYTES))
    answer = await client.post("/messages", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 202


@pytest.mark.parametrize("name", [TRIGGER, "VerifyLoanAcceptanceRequest"])
async def test_a_request_id_that_was_used_is_refused(
    node: OperatedStandIn, client: httpx.AsyncClient, name: str
) -> None:
    first = await client.post("/messages", json=order(content=content(requestId="once")))
    other = order(message=name, content=example_of(find_message(name)) | {"requestId": "once"})
    again = await client.post("/messages", json=other)
    assert (first.status_code, again.status_code) == (202, 409)
    assert "requestId once has been used" in again.json()["detail"]
    assert len(outbox(node)) == 1


async def test_nothing_is_promised_while_nothing_can_be_stored(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    await node.writer.stop()
    await refuses(node, await client.post("/messages", json=order()), 503, "the writer is not running")


@pytest.mark.parametrize("state", ["DEAD", "REFUSED"])
async def test_a_delivery_that_was_given_up_is_driven_again(
    node: OperatedStandIn, client: httpx.AsyncClient, state: str
) -> None:
    with node.engine.begin() as connection:
        add_sent(connection, 1, state=state, tries=8)
    answer = await client.post(f"/messages/{row_id(1)}/redrive")
    assert (answer.status_code, answer.json()) == (202, {"id": row_id(1), "request_id": "request-1"})
    assert (outbox(node)[0].state, outbox(node)[0].tries) == ("WAITING", 0)


@pytest.mark.parametrize("state", ["DELIVERED", "WAITING", "SENDING"])
async def test_a_delivery_that_was_not_given_up_is_not_driven_again(
    node: OperatedStandIn, client: httpx.AsyncClient, state: str
) -> None:
    with node.engine.begin() as connection:
        add_sent(connection, 1, state=state)
    before = outbox(node)
    answer = await client.post(f"/messages/{row_id(1)}/redrive")
    assert answer.status_code == 409
    assert state in answer.json()["detail"]
    assert outbox(node) == before


async def test_an_unknown_delivery_is_not_driven_again(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    await refuses(node, await client.post(f"/messages/{row_id(1)}/redrive"), 404, row_id(1))


async def test_messages_are_listed_in_pages_newest_first(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    with node.engine.begin() as connection:
        add_sent(connection, 1)
        add_received(connection, 2)
        add_sent(connection, 3, state="WAITING", tries=0, result="")
    first = (await client.get("/messages", params={"limit": 2})).json()
    assert first["items"] == [
        {
            "id": row_id(3),
            "direction": "sent",
            "message": TRIGGER,
            "request_id": "request-3",
            "peer": "LENDER01",
            "at": "2031-05-14T09:30:15.253Z",
            "state": "WAITING",
            "tries": 0,
            "result": "",
        },
        {
            "id": row_id(2),
            "direction": "received",
            "message": "TriggerLoanAcceptanceResponse",
            "request_id": "request-2",
            "peer": "LENDER01",
            "at": "2031-05-14T09:30:15.252Z",
            "state": "ACCEPTED",
            "tries": None,
            "result": None,
        },
    ]
    second = (await client.get("/messages", params={"limit": 2, "before": first["next"]})).json()
    assert [item["id"] for item in second["items"]] == [row_id(1)]
    assert second["next"] is None


async def test_a_filter_that_is_left_blank_does_not_matter(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    with node.engine.begin() as connection:
        add_sent(connection, 1)
    answer = await client.get("/messages?direction=&message=&peer=&request_id=&state=&before=")
    assert len(answer.json()["items"]) == 1


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=ten", "direction=up", "state=LOST", "peer=%00", "request_id=" + "x" * 65, "page=2"],
)
async def test_a_filter_that_cannot_be_is_refused_by_its_name(client: httpx.AsyncClient, query: str) -> None:
    for path in ("/messages", "/refusals") if query.startswith(("limit", "page")) else ("/messages",):
        answer = await client.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(query.partition("=")[0])


async def test_everything_under_a_request_id_is_shown(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    with node.engine.begin() as connection:
        add_sent(connection, 1, request_id="a/b c")
        add_received(connection, 2, request_id="a/b c")
        add_refusal(connection, 3, request_id="a/b c")
    shown = (await client.get("/messages/a%2Fb%20c")).json()
    assert shown["request_id"] == "a/b c"
    assert [len(shown[part]) for part in ("sent", "received", "refused")] == [1, 1, 1]


async def test_a_request_id_that_nothing_is_known_of_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get("/messages/unheard-of")
    assert answer.status_code == 404
    assert "requestId unheard-of" in answer.json()["detail"]


async def test_refusals_are_listed(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    with node.engine.begin() as connection:
        add_refusal(connection, 1)
        add_refusal(connection, 2, peer="")
    listed = (await client.get("/refusals", params={"limit": 1})).json()
    assert (listed["items"][0]["id"], listed["next"]) == (row_id(2), row_id(2))
    assert [item["id"] for item in (await client.get("/refusals?peer=LENDER01")).json()["items"]] == [row_id(1)]


async def test_notices_are_listed_by_the_request_that_they_belong_to(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    with node.engine.begin() as connection:
        add_notice(connection, 1)
        add_notice(connection, 2)
    listed = (await client.get("/notices", params={"reference": "request-1"})).json()
    assert listed == {
        "items": [
            {
                "id": row_id(1),
                "at": "2031-05-14T09:30:15.250Z",
                "recipient": "XXXXXXX317",
                "reference": "request-1",
                "text": "048213 is your OTP",
                "expires_at": "2031-05-14T09:35:15.250Z",
            }
        ]
    }
