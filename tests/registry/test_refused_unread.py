"""What the registry refuses without reading a body: connections and bodies beyond their limits."""

from typing import Any

import httpx
import pytest

from shared.catalogue.bodies.v4.heartbeat import EVENT_PATH
from shared.transport.certificate_connections import OVER_LIMIT_EXTENSION
from tests.registry.world import TOKEN_PATH, Client, World

SENTENCE = "More connections show this certificate than are served at a time."


@pytest.mark.parametrize(
    ("path", "member"),
    [(TOKEN_PATH, "error_description"), (EVENT_PATH, "message"), ("/service/participant-roles/1", "detail")],
)
async def test_it_is_unavailable_in_the_form_of_the_path_and_nothing_changes(
    world: World, lender: Client, path: str, member: str
) -> None:
    before = world.contents()

    async def over_limit(scope: Any, receive: Any, send: Any) -> None:
        await world.service.api({**scope, "extensions": {OVER_LIMIT_EXTENSION: True}}, receive, send)

    transport = httpx.ASGITransport(app=over_limit)
    async with httpx.AsyncClient(transport=transport, base_url="https://localhost:8443") as caller:
        answer = await caller.post(path, data=lender.form)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()[member]) == (503, "5", SENTENCE)
    assert world.contents() == before


async def test_a_body_that_is_declared_too_large_is_refused_before_its_first_byte(world: World) -> None:
    before, sent = world.contents(), []
    headers = [(b"host", b"localhost"), (b"content-length", b"65537"), (b"expect", b"100-continue")]
    headers.append((b"content-type", b"application/x-www-form-urlencoded"))
    scope = {"type": "http", "method": "POST", "path": TOKEN_PATH, "query_string": b"", "headers": headers}

    async def receive() -> Any:
        raise AssertionError("the caller was asked for the body")

    async def send(message: Any) -> None:
        sent.append(message)

    await world.service.api(scope, receive, send)
    assert (sent[0]["status"], (b"connection", b"close") in sent[0]["headers"]) == (413, True)
    assert world.contents() == before
