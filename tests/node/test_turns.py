"""Of the large messages that come with one certificate, one at a time is read and answered; nobody else waits."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.node.receive.middleware import LARGE_BODY_BYTES
from tests.equipment.asgi import JSON, http_scope
from tests.equipment.lender_node import LenderNode, lender_node, signed
from tests.equipment.messages import TRIGGER
from tests.equipment.parties import LENDER_CERTIFICATE, LSP_CERTIFICATE

LARGE = {**JSON, "content-length": str(LARGE_BODY_BYTES + 1)}
SMALL = {**JSON, "content-length": str(LARGE_BODY_BYTES)}
WITH_LEADING_ZEROS = {**JSON, "content-length": f"{LARGE_BODY_BYTES + 1:030}"}
OF_UNKNOWN_LENGTH = {**JSON, "transfer-encoding": "chunked"}


class Request:
    """One request to the lender: whether its body has been asked for, and what was answered."""

    def __init__(self, lender: LenderNode, headers: Mapping[str, str], certificate: bytes = LSP_CERTIFICATE) -> None:
        self.is_read = asyncio.Event()
        self.status = 0
        self._body: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        scope = http_scope(TRIGGER.path, headers=headers, certificate=certificate)
        self.task = asyncio.ensure_future(lender.plane(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        self.is_read.set()
        return await self._body

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)

    async def arrives(self, body: bytes) -> int:
        """Let the body arrive, and return the status of the answer."""
        self._body.set_result({"type": "http.request", "body": body, "more_body": False})
        await self.task
        return self.status

    async def breaks_off(self) -> None:
        """Let the peer go away."""
        self._body.set_result({"type": "http.disconnect"})
        await self.task


@asynccontextmanager
async def reading(lender: LenderNode, headers: Mapping[str, str] = LARGE) -> AsyncIterator[Request]:
    """A request whose body is being read."""
    request = Request(lender, headers)
    await request.is_read.wait()
    yield request
    if not request.task.done():
        await request.breaks_off()


async def a_while() -> None:
    """Let whatever can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def lender(tmp_path: Path) -> AsyncIterator[LenderNode]:
    async with lender_node(tmp_path) as lender:
        yield lender


@pytest.mark.parametrize("headers", [LARGE, WITH_LEADING_ZEROS, OF_UNKNOWN_LENGTH])
async def test_a_large_message_is_not_read_before_the_one_before_it_is_answered(
    lender: LenderNode, headers: Mapping[str, str]
) -> None:
    async with reading(lender) as first:
        second = Request(lender, headers)
        await a_while()
        assert not second.is_read.is_set()
        assert await first.arrives(signed()) == 200
        await second.is_read.wait()
        assert await second.arrives(b"{}") == 400


async def test_the_turn_ends_when_the_peer_goes_away(lender: LenderNode) -> None:
    async with reading(lender) as first:
        second = Request(lender, LARGE)
        await first.breaks_off()
        await second.is_read.wait()
        await second.breaks_off()


async def test_a_small_message_and_one_of_another_certificate_do_not_wait(lender: LenderNode) -> None:
    async with reading(lender):
        for other in (Request(lender, SMALL), Request(lender, JSON), Request(lender, LARGE, LENDER_CERTIFICATE)):
            await other.is_read.wait()
            assert await other.arrives(b"{}") == 400


async def test_nothing_is_kept_of_a_certificate_whose_messages_are_answered(lender: LenderNode) -> None:
    async with reading(lender) as first:
        assert len(lender.plane._turns._locks) == 1
        await first.breaks_off()
    del first
    gc.collect()
    assert len(lender.plane._turns._locks) == 0
