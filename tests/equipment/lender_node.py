"""The lender as a server would run it, without the server; what it has to send waits in the outbox, in sight."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lender_app.app
from shared.ip_addresses import Network
from shared.node.node import Application
from shared.node.receive.middleware import SignedExchange
from shared.protocol.encoding import dump_json
from shared.protocol.envelope import seal
from shared.protocol.participants import EnvelopeMember
from shared.protocol.signing import SigningKey
from shared.protocol.tampering import OutgoingMessage, TlsIdentity
from shared.storage.database import PATIENCE
from tests.equipment.asgi import Answer, call
from tests.equipment.clock import FrozenClock
from tests.equipment.counterparty import ScriptedTransport, acking
from tests.equipment.messages import TRIGGER
from tests.equipment.node import MemoryNode, memory_node
from tests.equipment.parties import (
    LENDER_CERTIFICATE,
    LISTED_ADDRESS,
    LSP_CERTIFICATE,
    UNLISTED_ADDRESS,
    identity_of,
    lender,
    lender_key,
    lsp,
    lsp_key,
    payload_of,
)
from tests.equipment.storage import sqlite_engine


def lender_application(folder: Path) -> Application:
    """The lender's rules, with a secret in that folder."""
    settings = lender_app.app.LenderSettings.model_construct(otp_secret_file=folder / "otp-secret")
    return lender_app.app.application(settings)


def signed(
    document: Any = None, member: EnvelopeMember = EnvelopeMember.HEADER, key: SigningKey | None = None
) -> bytes:
    """An envelope by the LSP, round a message that the lender accepts unless another is given."""
    payload = dump_json(payload_of(TRIGGER.name) if document is None else document)
    return seal(payload, key or lsp_key(), member).to_bytes()


@dataclass
class LenderNode:
    """A lender to whom messages can be sent."""

    node: MemoryNode
    plane: SignedExchange
    clock: FrozenClock

    async def post(
        self,
        document: Any = None,
        *,
        path: str = TRIGGER.path,
        key: SigningKey | None = None,
        member: EnvelopeMember = EnvelopeMember.HEADER,
        **request: Any,
    ) -> Answer:
        """Send a payload, rightly signed by the LSP unless something else is said."""
        return await self.send(signed(document, member, key), path=path, **request)

    async def deliver(self, message: OutgoingMessage) -> Answer:
        """Send what a row of the tampering table says, as it says."""
        return await self.send(
            message.body,
            path=message.path,
            method=message.method,
            headers=message.headers,
            certificate=LSP_CERTIFICATE if message.identity is TlsIdentity.OWN else LENDER_CERTIFICATE,
            address=LISTED_ADDRESS if message.from_listed_address else UNLISTED_ADDRESS,
        )

    async def send(self, body: bytes, *, path: str = TRIGGER.path, **request: Any) -> Answer:
        """Send these bytes."""
        return await call(self.plane, path, body, **request)


@asynccontextmanager
async def lender_node(
    folder: Path,
    *,
    explains: bool = True,
    app: Any = None,
    patience: float = PATIENCE,
    proxies: Sequence[Network] = (),
) -> AsyncIterator[LenderNode]:
    """A lender who knows the LSP; `app` takes the place of its application."""
    clock = FrozenClock()
    with sqlite_engine(folder, "lender") as engine:
        async with memory_node(
            engine,
            identity=identity_of(lender(), lender_key()),
            counterparties=[lsp(), lender()],
            clock=clock,
            transport=ScriptedTransport(acking(key=lsp_key())),
            explains=explains,
            proxies=proxies,
            room=0,
            patience=patience,
            rules=(composed := lender_application(folder)).rules,
        ) as node:
            yield LenderNode(node, node.protocol_plane(composed, app), clock)
