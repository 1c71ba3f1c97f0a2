"""A loan acceptance in the journal of an LSP, made by the LSP's own parts; and its evidence."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, Engine

import lsp_app.app
from shared.catalogue.table import example_of, find_message
from shared.node.evidence.bundle import evidence_bundle
from shared.node.onboarding.record import ParticipantRecord, participant_of
from shared.node.onboarding.register import save_record
from shared.node.settings import NodeSettings
from shared.node.tables import create_tables
from shared.protocol.encoding import dump_json
from shared.protocol.envelope import seal
from shared.protocol.signing import SigningKey
from shared.storage.database import READ_ONLY
from tests.equipment.asgi import call
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.counterparty import Reply, ScriptedTransport, acking, failing
from tests.equipment.evidence import Unpacked, unpack
from tests.equipment.node import memory_node
from tests.equipment.parties import LENDER, LSP, identity_of, lsp_key, payload_of, signing_key
from tests.equipment.records import key_of, lender_record, lsp_record, tls_identity

TRIGGER, TRIGGERED = "TriggerLoanAcceptanceRequest", "TriggerLoanAcceptanceResponse"
REQUEST_ID = "request-1"
LENDER_DER = tls_identity("lender.example").der


def acked(error: str = "0", status: int = 200, **changes: Any) -> Reply:
    """The lender's signed ack, over its registered certificate."""
    return acking(error, status, certificate=LENDER_DER, **changes)


async def exchange(
    engine: Engine,
    *script: Reply,
    request_id: str = REQUEST_ID,
    lender_signs_with: SigningKey | None = None,
    answers: bool = True,
    registers: bool = True,
) -> None:
    """Have the LSP send a request, try after try, and take the lender's callback; all of it in this database.

    `registers` says whether the LSP is yet to be registered.
    """
    key = lender_signs_with or signing_key("LENDER01")
    lender = lender_record(keys=[key_of("LENDER01", key.kid)], envelope_member="header", ip_addresses=[])
    register(engine, *([lsp_record()] if registers else []), lender)
    transport = ScriptedTransport(*(script or (failing(httpx.ConnectError("nobody listens")), acked(key=key))))
    clock, known = FrozenClock(), [participant_of(lender)]
    own = identity_of(participant_of(lsp_record()), lsp_key())
    async with memory_node(engine, identity=own, counterparties=known, clock=clock, transport=transport) as node:
        content = {**example_of(find_message(TRIGGER)), "requestId": request_id}
        await node.sender.send(TRIGGER, LENDER, content)
        await node.courier.settle()
        for _ in script[1:] if script else range(1):
            clock.advance(60)
            await node.courier.sweep()
            await node.courier.settle()
        if answers:
            stamp = {"orgId": LENDER, "timestamp": clock.now().isoformat(), "traceId": "trace-of-the-callback"}
            body = seal(dump_json(payload_of(TRIGGERED, request_id, **stamp)), key).to_bytes()
            plane = node.protocol_plane(lsp_app.app.application(NodeSettings.model_construct()))
            answer = await call(plane, find_message(TRIGGERED).path, body, certificate=LENDER_DER)
            assert answer.status == 200, answer.body


def register(engine: Engine, *records: ParticipantRecord) -> None:
    """Onboard participants a day before all else."""
    create_tables(engine)
    with engine.begin() as connection:
        for record in records:
            save_record(connection, record, NOW - timedelta(days=1))


def bundle_of(engine: Engine, request_id: str = REQUEST_ID, own_id: str = LSP) -> bytes | None:
    """The evidence as the operator plane makes it."""
    with engine.connect().execution_options(**READ_ONLY) as connection:
        return bundle_in(connection, request_id, own_id)


def bundle_in(connection: Connection, request_id: str = REQUEST_ID, own_id: str = LSP) -> bytes | None:
    """The evidence in an open transaction."""
    return evidence_bundle(connection, request_id, {"v3": own_id})


def evidence(engine: Engine, folder: Path, **asked: str) -> Unpacked:
    """The evidence, unpacked."""
    return unpack(bundle_of(engine, **asked), folder / "evidence")
