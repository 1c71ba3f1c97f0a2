"""The LSP and the lender, wired to each other in memory: all is real but sockets, TLS and the time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

import lsp_app.app
from shared.node.receive.middleware import SignedExchange
from shared.node.send.outbox import DeliveryAttempt, OutboxEntry
from shared.node.settings import NodeSettings
from shared.node.tables import INBOX, NOTICES
from shared.protocol.participants import Participant
from shared.protocol.profiles import V3
from tests.equipment.asgi import call
from tests.equipment.clock import FrozenClock
from tests.equipment.envelopes import payload_inside
from tests.equipment.lender_node import lender_application
from tests.equipment.node import MemoryNode, memory_node
from tests.equipment.parties import (
    LENDER,
    LENDER_CERTIFICATE,
    LISTED_ADDRESS,
    LSP_CERTIFICATE,
    identity_of,
    lender,
    lender_key,
    lsp,
    lsp_key,
)
from tests.equipment.storage import Rows, rows, sqlite_engine

Way = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Link(httpx.AsyncBaseTransport):
    """Carries what one participant sends to the other's middleware, with the certificates of both.

    `weather` may be set to what happens on the way: it is given the request and the rest of the way.
    """

    def __init__(self, host: str, certificate: bytes, peer_certificate: bytes) -> None:
        self.callee: ASGIApp | None = None
        self.weather: Callable[[httpx.Request, Way], Awaitable[httpx.Response]] | None = None
        self._host = host
        self._certificate = certificate
        self._peer_certificate = peer_certificate

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.weather is not None:
            return await self.weather(request, self._carry)
        return await self._carry(request)

    async def _carry(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != self._host or self.callee is None:
            raise httpx.ConnectError(f"nobody listens at {request.url.host}")
        answer = await call(
            self.callee,
            request.url.path,
            request.content,
            method=request.method,
            headers=dict(request.headers),
            certificate=self._certificate,
            address=LISTED_ADDRESS,
        )
        extensions = {"tls_peer_certificate": self._peer_certificate}
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body, extensions=extensions)


@dataclass
class Pair:
    """The two, and what a test does with them."""

    lsp: MemoryNode
    lender: MemoryNode
    lsp_plane: SignedExchange
    lender_plane: SignedExchange
    to_lender: Link
    to_lsp: Link
    clock: FrozenClock
    lender_as_known: Participant

    async def send(self, message: str, content: Any) -> OutboxEntry:
        """Let the LSP send a message to the lender, and wait until both have nothing in hand."""
        entry = await self.lsp.sender.send(message, LENDER, content)
        await self.settle()
        return entry

    async def settle(self) -> None:
        """Wait until neither has a delivery in hand."""
        for node in (self.lsp, self.lender, self.lsp):
            await node.courier.settle()

    async def sweep(self, seconds: float = 0) -> None:
        """Let some time pass and let both deliver what has come due."""
        self.clock.advance(seconds)
        for node in (self.lsp, self.lender):
            await node.courier.fire()
            await node.courier.sweep()
            await self.settle()

    async def deliver_again(self, entry: OutboxEntry) -> DeliveryAttempt:
        """Deliver a message of the LSP once more, as after an ack that was lost."""
        message_type = entry.outgoing.message
        return await self.lsp.client.deliver(entry, message_type, self.lender_as_known, V3)

    async def trigger(self, *loan_application_ids: str) -> dict[str, Any]:
        """Have a session opened, and return the block of the lender's callback."""
        content = {
            "loanApplicationIds": list(loan_application_ids or ["APPL-1"]),
            "credBlock": {"type": "OTP", "data": {"appToken": "token"}},
        }
        entry = await self.send("TriggerLoanAcceptanceRequest", content)
        return self.answer_to(entry.outgoing.request_id)

    async def verify(self, session_key: str, otp: str) -> str:
        """Hand in an OTP, and return the verdict."""
        data = {"otpSessionKey": session_key, "otp": otp}
        entry = await self.send("VerifyLoanAcceptanceRequest", {"credBlock": {"type": "OTP", "data": data}})
        status: str = self.answer_to(entry.outgoing.request_id)["status"]
        return status

    def answer_to(self, request_id: str) -> dict[str, Any]:
        """The block of the one callback that the LSP has accepted under this requestId."""
        (row,) = [row for row in rows(self.lsp.engine, INBOX) if row["request_id"] == request_id]
        block: dict[str, Any] = payload_inside(row["raw"])["credBlock"]["data"]
        return block

    def otp(self) -> str:
        """The OTP in the latest SMS."""
        return str(self.notices()[-1]["text"])[:6]

    def notices(self) -> Rows:
        """The SMS that the lender has sent."""
        return rows(self.lender.engine, NOTICES)


@asynccontextmanager
async def memory_pair(folder: Path) -> AsyncIterator[Pair]:
    """The two, on a SQLite file each."""
    clock = FrozenClock()
    to_lender = Link("lender.example", LSP_CERTIFICATE, LENDER_CERTIFICATE)
    to_lsp = Link("lsp.example", LENDER_CERTIFICATE, LSP_CERTIFICATE)
    lender_as_known = lender(base_url="https://lender.example")
    lsp_application = lsp_app.app.application(NodeSettings.model_construct())
    bank_application = lender_application(folder)
    with sqlite_engine(folder, "lsp") as lsp_engine, sqlite_engine(folder, "lender") as lender_engine:
        async with (
            memory_node(
                lsp_engine,
                identity=identity_of(lsp(), lsp_key()),
                counterparties=[lender_as_known],
                clock=clock,
                transport=to_lender,
                rules=lsp_application.rules,
            ) as lsp_node,
            memory_node(
                lender_engine,
                identity=identity_of(lender(), lender_key()),
                counterparties=[lsp()],
                clock=clock,
                transport=to_lsp,
                rules=bank_application.rules,
            ) as lender_node,
        ):
            lsp_plane = lsp_node.protocol_plane(lsp_application)
            lender_plane = lender_node.protocol_plane(bank_application)
            to_lender.callee, to_lsp.callee = lender_plane, lsp_plane
            yield Pair(lsp_node, lender_node, lsp_plane, lender_plane, to_lender, to_lsp, clock, lender_as_known)
