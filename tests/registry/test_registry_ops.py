"""The operator plane of the registry: its door, its status, its documentation; and what both planes say in trouble."""

from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from shared.node.ops.guard import OPEN_PATHS
from tests.registry.world import ISSUER, KEYS_PATH, TOKEN_PATH, Client, World


def stranger(world: World) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=world.service.ops)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9443")


def closed_operations(world: World) -> list[tuple[str, str, dict[str, Any]]]:
    paths = world.service.ops.openapi()["paths"]
    return [
        (method, path, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path not in OPEN_PATHS
    ]


class BrokenEngine:
    """A database that has gone away."""

    def connect(self) -> None:
        raise OperationalError("SELECT 1", {}, Exception("disk I/O error"))


def break_down(_: object) -> None:
    raise OperationalError("BEGIN", {}, Exception("disk I/O error"))


async def test_everything_that_is_not_public_demands_the_token(world: World) -> None:
    operations = closed_operations(world)
    assert len(operations) == 29
    async with stranger(world) as client:
        for method, path, operation in operations:
            assert (await client.request(method, path)).status_code == 401
            assert operation["security"] == [{"operatorToken": []}]
        for path in OPEN_PATHS - {"/ready"}:
            assert (await client.get(path)).status_code == 200


async def test_a_foreign_host_header_is_refused(world: World) -> None:
    assert (await world.ops.get("/participants", headers={"host": "evil.example"})).status_code == 421


async def test_health_names_the_issuer(world: World) -> None:
    told = (await world.ops.get("/health")).json()
    assert set(told) == {"status", "issuer", "pid", "version"}
    assert (told["status"], told["issuer"]) == ("ok", ISSUER)


async def test_ready_means_that_it_listens_and_that_its_database_takes_a_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = await world.ops.get("/ready")
    obstacle = {"reason": "the protocol plane does not listen", "since": "2031-03-04T05:06:07.890000Z"}
    assert (idle.status_code, idle.json()) == (503, {"ready": False, **obstacle})
    monkeypatch.setattr(type(world.service.protocol_server), "is_listening", True)
    assert (await world.ops.get("/ready")).json() == {"ready": True}
    event.listen(world.engine, "begin", break_down)
    world.clock.advance(1)
    broken = await world.ops.get("/ready")
    assert broken.status_code == 503
    assert "disk I/O error" in broken.json()["reason"]
    assert broken.json()["since"] == "2031-03-04T05:06:08.890000Z"


async def test_a_database_that_is_gone_is_told_in_the_form_of_each_part(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lender: Client = await world.admit()
    bearer = await world.bearer(lender)
    caller = world.caller
    with monkeypatch.context() as trouble:
        trouble.setattr(world.service.components.database, "engine", BrokenEngine())
        token = await caller.post(TOKEN_PATH, data=lender.form)
        keys = await caller.get(KEYS_PATH)
        look_up = await caller.get("/service/products/1", headers=bearer)
        event = await caller.post("/ocen/v4/event", json={}, headers=bearer)
        assert (await world.ops.get("/participants")).status_code == 503
    answers = (token, keys, look_up, event)
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "2")] * 4
    assert token.json()["error"] == "temporarily_unavailable"
    assert event.json()["errorCode"] == "GEN5004"
    assert "disk" not in "".join(answer.text for answer in answers)


async def test_metrics_count_calls_by_operation_and_status(world: World) -> None:
    await world.caller.get("/service/products/1")
    await world.caller.get("/nowhere")
    text = (await world.ops.get("/metrics")).text
    assert 'ocen_registry_calls_total{operation="/service/products/{number}",status="401"} 1.0' in text
    assert 'ocen_registry_calls_total{operation="none",status="404"} 1.0' in text


async def test_the_documents_show_both_planes(world: World) -> None:
    async with stranger(world) as client:
        ours, protocol = await client.get("/openapi.json"), await client.get("/protocol/openapi.json")
    assert "/participants/{participant_id}/approve" in ours.json()["paths"]
    for path in ("/service/participant-roles/{number}", TOKEN_PATH, "/ocen/v4/event"):
        assert path in protocol.json()["paths"]
    for name in ("client_secret", "GRANT_LOAN_REQUEST_ACK", "loanMetaData", "interestRate"):
        assert name in protocol.text


async def test_the_protocol_plane_documents_no_422_because_it_sends_none(world: World) -> None:
    paths = world.service.api.openapi()["paths"]
    answers = [set(operation["responses"]) for methods in paths.values() for operation in methods.values()]
    assert answers
    assert all(statuses == {"200", "default"} for statuses in answers)


async def test_a_body_with_a_repeated_member_is_refused(world: World) -> None:
    before = world.contents()
    body = b'{"name":"one","name":"two"}'
    answer = await world.ops.post("/products", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "repeated" in answer.json()["detail"]
    assert world.contents() == before
