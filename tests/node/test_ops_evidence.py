"""The operator plane's route of the evidence."""

import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from tests.node.journal_rows import add_received, add_refusal, add_sent
from tests.node.operated import OperatedStandIn, contents, operated_node, operator


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[OperatedStandIn]:
    async with operated_node(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node: OperatedStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with operator(node) as client:
        yield client


@pytest.mark.parametrize("request_id", ["request-1", "a/b/c", "evidence", "x/evidence/y", 'of "all" % kinds'])
async def test_the_evidence_of_a_request_is_a_zip_file(
    node: OperatedStandIn, client: httpx.AsyncClient, request_id: str
) -> None:
    with node.engine.begin() as connection:
        add_received(connection, 1, request_id=request_id)
    before = contents(node.engine)
    answer = await client.get(f"/messages/{httpx.URL(path=request_id).path}/evidence")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="evidence.zip"'
    with ZipFile(BytesIO(answer.content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["evidence_of"], manifest["journal_of"]) == (request_id, "LSP123")
    assert not manifest["holds"]  # its envelopes are empty
    assert contents(node.engine) == before


async def test_the_history_of_a_request_is_still_under_its_own_path(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    with node.engine.begin() as connection:
        add_sent(connection, 1, request_id="evidence")
    answer = await client.get("/messages/evidence")
    assert answer.json()["request_id"] == "evidence"


async def test_what_nobody_accepted_or_sent_has_no_evidence(node: OperatedStandIn, client: httpx.AsyncClient) -> None:
    with node.engine.begin() as connection:
        add_refusal(connection, 1, request_id="refused")
    for request_id in ("refused", "unknown"):
        answer = await client.get(f"/messages/{request_id}/evidence")
        assert answer.status_code == 404
        assert answer.json() == {
            "detail": f"Nothing was accepted or sent under requestId {request_id}; GET /messages lists all."
        }


async def test_a_message_that_waits_has_evidence_in_which_nothing_travelled(
    node: OperatedStandIn, client: httpx.AsyncClient
) -> None:
    with node.engine.begin() as connection:
        add_sent(connection, 1, state="WAITING", tries=0)
    answer = await client.get("/messages/request-1/evidence")
    with ZipFile(BytesIO(answer.content)) as archive:
        manifest, script = json.loads(archive.read("manifest.json")), archive.read("parts.txt").decode()
    assert manifest["holds"]
    assert [(part["verdict"], part["note"]) for part in manifest["parts"]] == [
        ("nothing to verify", "no try to deliver it is in the journal")
    ]
    assert script.startswith(
        "note 1-request: TriggerLoanAcceptanceRequest of LSP123: no try to deliver it is in the journal"
    )
