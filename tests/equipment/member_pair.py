"""A loan agent and a lender who speak v3 and v4 side by side, with a registry between them; everything in memory."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from shared.catalogue import table
from shared.catalogue.table import messages_received_by
from shared.node.mounts import Mounts
from shared.node.registry.member import Member
from shared.node.rules import Moment, Outgoing, Records, Reply
from shared.node.send.outbox import OutboxEntry
from shared.node.settings import RegistryMembership
from shared.protocol.detached import seal_detached
from shared.protocol.encoding import dump_json
from shared.protocol.messages import Exchange, Role
from shared.protocol.participants import Dialect
from shared.protocol.phases import VerifiedMessage
from shared.protocol.profiles import V3, V4, Originator
from shared.protocol.signing import SigningKey
from shared.transport.tls import thumbprint
from tests.equipment.asgi import JSON, Answer, call
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.messages import deciding
from tests.equipment.node import MemoryNode, memory_node
from tests.equipment.pair import Link
from tests.equipment.parties import LENDER_CERTIFICATE, LSP_CERTIFICATE, identity_of, lender, lender_key, lsp, lsp_key
from tests.equipment.scripted_registry import SECRET, URL, ScriptedRegistry, rs256
from tests.equipment.storage import sqlite_engine

AGENT = "3050"
BANK = "3051"
NETWORK = "71"


class Payload(BaseModel):
    """A body that has metadata, what is reported of a message, and whatever else."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    metadata: dict[str, Any]
    product_data: dict[str, Any] | None = None
    loan_applications: list[dict[str, Any]] | None = None


def _path(name: str) -> str:
    return f"{V4.mount}/loans/{name[0].lower()}{name[1:]}"


CREATE, CREATED = Exchange(
    "v4",
    "CreateLoanApplications",
    _path("CreateLoanApplications"),
    Role.LOAN_AGENT >> Role.LENDER,
    Payload,
    Payload,
    stage="a stage",
    event=("CREATE_LOAN_APPLICATION_REQUEST", "CREATE_LOAN_APPLICATIONS_RESPONSE"),
    wraps_response_ack=True,
).messages
(GRANT,) = Exchange(
    *("v4", "GrantLoanRequest", _path("GrantLoanRequest"), Role.LOAN_AGENT >> Role.LENDER, Payload),
    stage="a stage",
    event="GRANT_LOAN_REQUEST",
).messages
MESSAGES = (CREATE, CREATED, GRANT)

CONTENT = {
    "productData": {"productId": "31", "productNetworkId": NETWORK},
    "loanApplications": [{"loanApplicationId": "APPL-1"}, {"loanApplicationId": "APPL-2"}],
}


def _answered(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
    sender = message.sender.id
    content = {**CONTENT, "response": {"status": "SUCCESS"}}
    return Reply(outgoing=[Outgoing(sender, CREATED, message.request_id, content)])


RULES = {CREATE: _answered}


def body_of(request_id: str = "request-1", sender: str = AGENT, **metadata: Any) -> bytes:
    """A body as the loan agent sends it now."""
    given = {**CONTENT, "metadata": metadata}
    stamped = json.loads(V4.stamp(given, Originator(sender, f"90{sender[-1]}"), request_id, "trace-1", NOW))
    return dump_json({**stamped, "metadata": {**stamped["metadata"], **metadata}})


@dataclass
class MemberPair:
    """The two, the registry, and what a test does with them."""

    agent: MemoryNode
    bank: MemoryNode
    agent_plane: Mounts
    bank_plane: Mounts
    to_bank: Link
    to_agent: Link
    registry: ScriptedRegistry
    clock: FrozenClock

    async def send(self, content: Mapping[str, Any] = CONTENT, message: str = CREATE.full_name) -> OutboxEntry:
        """Let the loan agent send a message, and wait until both have nothing in hand."""
        entry = await self.agent.sender.send(message, BANK, content)
        await self.settle()
        return entry

    async def settle(self) -> None:
        """Wait until neither has a delivery in hand."""
        for node in (self.agent, self.bank, self.agent):
            await node.courier.settle()

    def headers(
        self,
        body: bytes,
        *,
        key: SigningKey | None = None,
        token: str | None = None,
        seal: Callable[[bytes, SigningKey, Dialect], dict[str, str]] = seal_detached,
    ) -> dict[str, str]:
        """The headers of a call of the loan agent with that body."""
        bearer = self.registry.token(AGENT) if token is None else token
        signed = seal(body, key or rs256("lsp"), Dialect.STRICT)
        return {**JSON, "authorization": f"Bearer {bearer}", **signed}

    async def post(
        self, body: bytes | None = None, *, path: str = CREATE.path, headers: Any = None, **request: Any
    ) -> Answer:
        """Send a body to the lender as the loan agent does, unless headers or something else is said."""
        body = body_of() if body is None else body
        return await call(self.bank_plane, path, body, headers=headers or self.headers(body), **request)


def catalogue(patch: pytest.MonkeyPatch) -> None:
    """Let the catalogue have the messages above instead of its own of the same names."""
    for message in MESSAGES:
        patch.setitem(table._BY_FULL_NAME, message.full_name, message)


@asynccontextmanager
async def member_pair(
    folder: Path,
    patch: pytest.MonkeyPatch,
    networks: tuple[str, ...] = (),
    dialects: Mapping[str, Dialect] = MappingProxyType({}),
    explains: bool = True,
) -> AsyncIterator[MemberPair]:
    """The two, on a SQLite file each; their v4 messages are those above."""
    catalogue(patch)
    clock = FrozenClock()
    registry = _registry(clock)
    to_bank = Link(f"{BANK}.example", LSP_CERTIFICATE, LENDER_CERTIFICATE)
    to_agent = Link(f"{AGENT}.example", LENDER_CERTIFICATE, LSP_CERTIFICATE)
    own, bank = identity_of(lsp(), lsp_key()), identity_of(lender(), lender_key())
    members = [
        Member(RegistryMembership(URL, AGENT, "client-1", SECRET, (), dialects), own, registry.transport, clock),
        Member(RegistryMembership(URL, BANK, "client-2", SECRET, networks, dialects), bank, registry.transport, clock),
    ]
    parts: dict[str, Any] = {"clock": clock, "explains": explains}
    with sqlite_engine(folder, "agent") as one, sqlite_engine(folder, "bank") as other:
        async with (
            memory_node(
                one, identity=own, counterparties=[lender()], transport=to_bank, member=members[0], **parts
            ) as agent_node,
            memory_node(
                other, identity=bank, counterparties=[lsp()], transport=to_agent, member=members[1], **parts
            ) as bank_node,
        ):
            planes = _planes(agent_node), _planes(bank_node)
            to_agent.callee, to_bank.callee = planes
            yield MemberPair(agent_node, bank_node, *planes, to_bank, to_agent, registry, clock)
    for member in members:
        await member.aclose()


def _registry(clock: FrozenClock) -> ScriptedRegistry:
    registry = ScriptedRegistry(clock)
    registry.clients["client-2"] = BANK
    parties = (
        (AGENT, "LOAN_AGENT", rs256("lsp"), LSP_CERTIFICATE),
        (BANK, "LENDER", rs256("LENDER01"), LENDER_CERTIFICATE),
    )
    for participant_id, role, key, certificate in parties:
        registry.enrol(
            participant_id,
            role,
            key,
            baseUrl=f"https://{participant_id}.example",
            tlsCertificates=[thumbprint(certificate)],
        )
    registry.networks[NETWORK] = {"ALL": [{"id": AGENT, "isApproved": True}, {"id": BANK, "isApproved": True}]}
    return registry


def _planes(node: MemoryNode) -> Mounts:
    role = node.identity.role
    taken = messages_received_by(role, "v3")
    v3 = node.mount(V3, taken, node.application(taken, dict.fromkeys(taken, deciding(Reply()))))
    ours = [message for message in MESSAGES if role in message.receivers]
    v4 = node.mount(V4, ours, node.application(ours, RULES))
    return Mounts({V3.mount: v3, V4.mount: v4}, V3.mount)
