"""The operator plane's door, its status routes, its mistakes and its documentation."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from shared.catalogue.table import messages_received_by
from shared.node.ops.app import ops_app
from shared.node.ops.documentation import package_version
from shared.node.ops.guard import OPEN_PATHS, PAGE_FILES
from shared.node.receive.document import protocol_document
from shared.protocol.messages import Role
from shared.protocol.profiles import Originator
from shared.transport.tls import thumbprint
from tests.node.journal_rows import add_sent
from tests.node.operated import TOKEN, OperatedStandIn, caller, operated_node, operator


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[OperatedStandIn]:
    async with operated_node(tmp_path) as node:
        yield node


def closed_operations(node: OperatedStandIn) -> list[tuple[str, str, dict[str, Any]]]:
    paths = ops_app(node).openapi()["paths"]
    return [
        (method, path, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path not in OPEN_PATHS
    ]


async def document_of(node: OperatedStandIn, path: str) -> Any:
    async with caller(node) as client:
        return (await client.get(path)).json()


class BrokenEngine:
    """A database that has gone away."""

    def connect(self) -> None:
        raise OperationalError("SELECT 1", {}, Exception("disk I/O error"))


def break_down(_: object) -> None:
    raise OperationalError("BEGIN", {}, Exception("disk I/O error"))


async def test_everything_that_is_not_public_demands_the_token(node: OperatedStandIn) -> None:
    operations = closed_operations(node)
    assert len(operations) >= 9
    async with caller(node) as stranger:
        for method, path, _ in operations:
            answer = await stranger.request(method, path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert "Authorization: Bearer TOKEN" in answer.json()["detail"]


async def test_a_path_that_does_not_exist_demands_the_token_too(node: OperatedStandIn) -> None:
    async with caller(node) as stranger:
        assert (await stranger.get("/secrets")).status_code == 401


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xe9\xff"],
)
async def test_a_wrong_token_is_refused(node: OperatedStandIn, authorization: str) -> None:
    async with caller(node) as stranger:
        answer = await stranger.get("/participants", headers={"authorization": authorization.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert TOKEN not in answer.text


async def test_the_scheme_of_the_token_may_be_written_in_any_case(node: OperatedStandIn) -> None:
    async with caller(node, authorization=f"bearer {TOKEN}") as client:
        assert (await client.get("/participants")).status_code == 200


async def test_the_public_paths_need_no_token(node: OperatedStandIn) -> None:
    async with caller(node) as stranger:
        for path in OPEN_PATHS:
            assert (await stranger.get(path)).status_code == 200


async def test_the_documentation_says_which_operations_need_the_token(node: OperatedStandIn) -> None:
    assert all(operation["security"] == [{"operatorToken": []}] for _, _, operation in closed_operations(node))
    paths = ops_app(node).openapi()["paths"]
    assert not any("security" in paths[path]["get"] for path in OPEN_PATHS & set(paths))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9444", "127.0.0.1.evil.example", "", "[::1", "10.0.0.5"]
)
async def test_a_host_header_that_names_another_host_is_refused(node: OperatedStandIn, host: str) -> None:
    async with operator(node) as client:
        for path in ("/health", "/docs", "/messages"):
            assert (await client.get(path, headers={"host": host})).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:9444", "localhost", "LOCALHOST:1", "[::1]:9444"])
async def test_the_names_of_this_machine_are_taken_as_host(node: OperatedStandIn, host: str) -> None:
    async with caller(node) as client:
        assert (await client.get("/health", headers={"host": host})).status_code == 200


async def test_a_plane_that_listens_beyond_loopback_takes_any_host(tmp_path: Path) -> None:
    async with operated_node(tmp_path, ops_host="0.0.0.0") as node, caller(node) as client:
        assert (await client.get("/health", headers={"host": "lsp:9445"})).status_code == 200
        assert (await client.get("/messages", headers={"host": "lsp:9445"})).status_code == 401


async def test_health_tells_whose_process_it_is(node: OperatedStandIn) -> None:
    async with caller(node) as client:
        told = (await client.get("/health")).json()
    assert set(told) == {"status", "organisation_id", "role", "pid", "version"}
    assert (told["status"], told["organisation_id"], told["role"]) == ("ok", "LSP123", "LOAN_AGENT")


async def test_a_node_that_listens_and_whose_database_takes_a_change_is_ready(node: OperatedStandIn) -> None:
    async with caller(node) as client:
        answer = await client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


async def test_a_node_that_does_not_listen_is_not_ready(node: OperatedStandIn) -> None:
    node.protocol_server.is_listening = False
    async with caller(node) as client:
        answer = await client.get("/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "protocol plane" in answer.json()["reason"]


async def test_a_node_whose_database_is_gone_is_not_ready(
    node: OperatedStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    event.listen(node.engine, "begin", break_down)
    monkeypatch.setattr(node, "engine", BrokenEngine())
    async with operator(node) as client:
        answer = await client.get("/ready")
        asked = await client.get("/messages")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "disk I/O error" in answer.json()["reason"]
    assert answer.json()["since"] == "2031-05-14T09:30:15.250000Z"
    assert (asked.status_code, "disk I/O error" in asked.json()["detail"]) == (503, True)


async def test_identity_is_what_counterparties_have_on_file(node: OperatedStandIn) -> None:
    async with operator(node) as client:
        told = (await client.get("/identity")).json()
    assert told == {
        "organisation_id": "LSP123",
        "role": "LOAN_AGENT",
        "kid": "lsp-kid",
        "backup_kids": ["lsp-backup"],
        "certificate": thumbprint(node.tls_certificate.der),
        "client_certificate": thumbprint(node.tls_certificate.der),
    }


async def test_metrics_count_deliveries_that_are_not_finished(node: OperatedStandIn) -> None:
    with node.engine.begin() as connection:
        for number, state in enumerate(("WAITING", "WAITING", "DELIVERED", "DEAD")):
            add_sent(connection, number, state=state)
    async with operator(node) as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'ocen_outbox_unfinished{state="WAITING"} 2.0' in answer.text
    assert 'ocen_outbox_unfinished{state="SENDING"} 0.0' in answer.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/messages", 405)])
async def test_what_is_not_served_is_answered_with_a_sentence(
    node: OperatedStandIn, method: str, path: str, status: int
) -> None:
    async with operator(node) as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.json() == {"detail": f"{method} {path} is not served here; GET /docs shows what is."}


async def test_a_fault_of_ours_is_answered_without_its_cause(
    node: OperatedStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.directory, "participants", lambda: 1 / 0)
    async with operator(node) as client:
        answer = await client.get("/participants")
    assert (answer.status_code, answer.json()) == (
        500,
        {"detail": "Something failed here; the node's log has the cause."},
    )


@pytest.mark.parametrize("path", ["/docs", "/protocol/docs"])
async def test_a_page_of_documentation_needs_nothing_from_elsewhere(node: OperatedStandIn, path: str) -> None:
    async with caller(node) as client:
        page = await client.get(path)
        loaded = re.findall(r'(?:src|href|data-document)="([^"]*)"', page.text)
        answers = [await client.get(file) for file in loaded if file != "data:,"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert "http" not in page.headers["content-security-policy"] + page.text
    assert all(script == "" for script in re.findall(r"<script[^>]*>(.*?)</script>", page.text))
    assert {*PAGE_FILES, path.replace("docs", "openapi.json")} == set(loaded) - {"data:,"}
    assert [answer.status_code for answer in answers] == [200] * len(answers)


async def test_only_the_page_of_the_operator_plane_sends_requests(node: OperatedStandIn) -> None:
    async with caller(node) as client:
        pages = [(await client.get(path)).text for path in ("/docs", "/protocol/docs")]
    assert [re.findall(r'data-tries="(\w+)"', page) for page in pages] == [["true"], ["false"]]


async def test_the_page_of_the_operator_plane_leads_to_that_of_the_protocol_plane(node: OperatedStandIn) -> None:
    assert "[/protocol/docs](/protocol/docs)" in (await document_of(node, "/openapi.json"))["info"]["description"]


async def test_a_node_serves_the_document_of_its_role_and_of_the_versions_that_it_speaks(node: OperatedStandIn) -> None:
    own = await document_of(node, "/protocol/openapi.json")
    assert own == protocol_document(messages_received_by(Role.LOAN_AGENT, "v3"), package_version())
    node.identity = replace(node.identity, originators={"v3": Originator("LSP123"), "v4": Originator("7034", "7033")})
    both = await document_of(node, "/protocol/openapi.json")
    assert both == protocol_document(messages_received_by(Role.LOAN_AGENT), package_version())


async def test_no_document_is_made_while_a_node_runs(node: OperatedStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for module in ("fastapi.applications", "shared.node.receive.document"):
        monkeypatch.setattr(f"{module}.get_openapi", lambda **options: made.append(options["title"]))
    for path in ("/openapi.json", "/protocol/openapi.json"):
        assert (await document_of(node, path))["paths"]
    assert made == []


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/swagger-ui-bundle.js"])
async def test_what_a_browser_has_already_is_not_sent_again(node: OperatedStandIn, path: str) -> None:
    async with caller(node) as client:
        first = await client.get(path)
        again = await client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"


async def test_only_what_is_read_may_be_found_unfit(node: OperatedStandIn) -> None:
    for method, path, operation in closed_operations(node):
        takes_body = "requestBody" in operation
        assert ("422" in operation["responses"]) is (takes_body or "parameters" in operation), (method, path)
        assert {"413", "415"} & set(operation["responses"]) == ({"413", "415"} if takes_body else set())


async def test_every_mistake_is_documented_with_the_shape_that_it_has(node: OperatedStandIn) -> None:
    for _, _, operation in closed_operations(node):
        for status, answer in operation["responses"].items():
            if status >= "4":
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Mistake"}
