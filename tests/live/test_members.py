"""Two real nodes and a registry, with TLS between all three: OCEN 4.0 from token to callback and heartbeat."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import Receive, Scope, Send

from shared.catalogue.table import messages_received_by
from shared.clock import SystemClock
from shared.node.identity import Identity, load_identity
from shared.node.node import Application, Node
from shared.node.onboarding.changes import with_certificate
from shared.node.receive.middleware import read_body
from shared.node.rules import BoundRules, Reply
from shared.node.send.sender import SendError
from shared.node.settings import NodeSettings
from shared.node.tables import INBOX, REFUSALS
from shared.protocol.messages import Role
from shared.transport.server import make_server
from shared.transport.tls import TlsTrust, thumbprint
from tests.equipment.deadline import DEADLINE
from tests.equipment.environments import environments_in
from tests.equipment.member_pair import AGENT, BANK, CONTENT, CREATE, CREATED, MESSAGES, RULES, catalogue
from tests.equipment.messages import deciding
from tests.equipment.scripted_registry import EVENTS, SECRET, ScriptedRegistry
from tests.equipment.storage import rows
from tests.node.certificates import Identity as Leaf
from tests.node.certificates import self_signed


@dataclass
class Network:
    """The three, running."""

    agent: Node
    bank: Node
    registry: ScriptedRegistry


def served(registry: ScriptedRegistry) -> Any:
    """The scripted registry as an ASGI application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        url = f"https://localhost{scope['path']}"
        body = await read_body(receive)
        answer = await registry.answer(httpx.Request(scope["method"], url, headers=scope["headers"], content=body))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.headers.raw})
        await send({"type": "http.response.body", "body": answer.content})

    return app


def node_of(environment: dict[str, str], role: Role, **membership: Any) -> Node:
    settings = {name.removeprefix("OCEN_").lower(): value for name, value in environment.items()}
    rules = {message: RULES.get(message, deciding(Reply())) for message in (*messages_received_by(role), *MESSAGES)}
    return Node(NodeSettings(**{**settings, **membership}), Application(role, BoundRules(rules)))


def certificate_of(identity: Identity) -> str:
    leaf = x509.load_pem_x509_certificate(identity.tls_certificate.read_bytes())
    return thumbprint(leaf.public_bytes(Encoding.DER))


@asynccontextmanager
async def network(
    folder: Path, certs: Path, patch: pytest.MonkeyPatch, rogue: Leaf | None = None
) -> AsyncIterator[Network]:
    """Start the three; the registry shows a certificate of the sandbox's issuer, or another one."""

    def received_by(role: Role, version: str | None = None) -> Any:
        ours = tuple(message for message in MESSAGES if role in message.receivers and version == "v4")
        return messages_received_by(role, version) + ours

    patch.setattr("shared.node.node.messages_received_by", received_by)
    catalogue(patch)
    shutil.copytree(certs, folder / "certs")
    environments = environments_in(folder)
    secret = folder / "client-secret"
    secret.write_text(SECRET)
    own = load_identity(Path(environments["lender"]["OCEN_IDENTITY"]))
    certificate, private_key = own.tls_certificate, own.tls_private_key
    if rogue is not None:
        certificate, private_key = rogue.certificate, rogue.private_key
    trust = TlsTrust(certificate, private_key, own.trust)
    registry = ScriptedRegistry(SystemClock())
    server = make_server(served(registry), host="127.0.0.1", port=0, tls=trust.server)
    await server.start()
    registry.url = f"https://localhost:{server.port}"
    common = {"registry_url": registry.url, "client_secret_file": secret}
    agent = node_of(environments["lsp"], Role.LOAN_AGENT, participant_id=AGENT, client_id="client-1", **common)
    bank = node_of(environments["lender"], Role.LENDER, participant_id=BANK, client_id="client-2", **common)
    registry.clients["client-2"] = BANK
    for participant_id, node in ((AGENT, agent), (BANK, bank)):
        key = node.identity.signing_key.bound_to("RS256")
        place = f"https://localhost:{node.settings.port}"
        certificates = [certificate_of(node.identity)]
        registry.enrol(participant_id, node.identity.role.value, key, baseUrl=place, tlsCertificates=certificates)
    await agent.start()
    await bank.start()
    try:
        yield Network(agent, bank, registry)
    finally:
        await agent.stop()
        await bank.stop()
        await server.stop()


async def test_a_certificate_that_only_a_counterparty_has_registered_does_not_pass_for_the_registrys(
    tmp_path: Path, certs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rogue = self_signed(tmp_path / "rogue", "localhost")
    async with network(tmp_path, certs, monkeypatch, rogue) as parties:
        agent, port = parties.agent, int(parties.registry.url.rpartition(":")[2])
        await agent.registrar.change("LENDER01", lambda record: with_certificate(record, rogue.pem), "")
        _, writer = await asyncio.open_connection("localhost", port, ssl=agent.trust.client)
        writer.close()
        with pytest.raises(SendError, match="3051 cannot be looked up now"):
            await agent.sender.send(CREATE.full_name, BANK, CONTENT)
        assert parties.registry.requests == []


async def eventually(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - what is awaited happens in databases and other tasks
            await asyncio.sleep(0.02)


async def test_a_request_its_callback_and_their_events_travel(
    tmp_path: Path, certs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path, certs, monkeypatch) as parties:
        entry = await parties.agent.sender.send(CREATE.full_name, BANK, CONTENT)
        await eventually(lambda: rows(parties.agent.engine, INBOX))
        (row,) = rows(parties.agent.engine, INBOX)
        assert (row["message"], row["request_id"], row["sender"]) == (
            CREATED.full_name,
            entry.outgoing.request_id,
            BANK,
        )
        await eventually(lambda: parties.registry.asked(EVENTS) == 8)
    told = {
        json.loads(request.content)["event"]["eventType"]
        for request in parties.registry.requests
        if request.content[:2] == b'{"'
    }
    assert len(told) == 4


async def test_a_head_without_a_token_is_answered_before_the_body_has_come_and_the_connection_ends(
    tmp_path: Path, certs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path, certs, monkeypatch) as parties:
        tls = parties.agent.trust.client
        port = parties.bank.settings.port
        reader, writer = await asyncio.open_connection("localhost", port, ssl=tls)
        head = f"POST {CREATE.path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: 1000000\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), DEADLINE)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert {b"www-authenticate: Bearer", b"connection: close"} <= set(answer.split(b"\r\n"))
        (refusal,) = rows(parties.bank.engine, REFUSALS)
        assert (refusal["error"], refusal["raw"]) == ("AUTH1005", b"")
