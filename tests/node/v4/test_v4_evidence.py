"""The evidence of OCEN 4.0: bodies, what signs them, and the registry's keys of then; what was changed shows."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.node.evidence.bundle import evidence_bundle
from shared.node.send.client import UNSIGNED
from shared.node.tables import OUTBOX
from shared.protocol.detached import seal_detached
from shared.storage.database import READ_ONLY
from tests.equipment.appendix_f import seal_in_base64
from tests.equipment.evidence import OPENSSL, Unpacked, delete, spoil, unpack
from tests.equipment.member_pair import AGENT, BANK, MemberPair, body_of, member_pair
from tests.equipment.node import MemoryNode
from tests.equipment.records import lender_record, lsp_record, public_pem
from tests.equipment.scripted_registry import jwk_of, rs256
from tests.equipment.storage import rows
from tests.node.exchanged import register

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed here")

DAY = timedelta(days=1)
ALL = ["1-request", "1-request-ack", "2-callback", "2-callback-ack"]


@pytest.fixture(params=[seal_detached, seal_in_base64])
async def pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[MemberPair]:
    """The two, who know themselves; they sign to one another in each of the forms that count from everybody."""
    monkeypatch.setattr("shared.protocol.detached.seal_detached", request.param)
    async with member_pair(tmp_path, monkeypatch) as pair:
        register(pair.agent.engine, lsp_record())
        register(pair.bank.engine, lender_record())
        yield pair


def evidence(node: MemoryNode, folder: Path, request_id: str = "") -> Unpacked:
    """The evidence of a requestId, or of the one request that a node has sent."""
    own_ids = {profile: own.participant_id for profile, own in node.identity.originators.items()}
    request_id = request_id or rows(node.engine, OUTBOX)[0]["request_id"]
    with node.engine.connect().execution_options(**READ_ONLY) as connection:
        return unpack(evidence_bundle(connection, request_id, own_ids), folder)


async def test_every_part_holds_on_either_side_and_openssl_alone_verifies_it(pair: MemberPair, tmp_path: Path) -> None:
    await pair.send()
    for name, node in (("agent", pair.agent), ("bank", pair.bank)):
        made = evidence(node, tmp_path / name)
        assert [(part["name"], part["flaws"]) for part in made.manifest["parts"]] == [(name, []) for name in ALL]
        assert made.manifest["holds"]
        assert not (made.folder / "certificates").exists()
        assert {part["signer"] for part in made.parts.values()} == {AGENT, BANK}
        assert {path.read_text() for path in (made.folder / "keys").iterdir()} == {
            public_pem("lsp"),
            public_pem("LENDER01"),
        }
        done = made.verify()
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split(":")[0] for line in done.stdout.splitlines()[1:]] == [f"OK    {name}" for name in ALL]


async def test_a_key_that_the_registry_has_given_up_still_proves_what_it_signed(
    pair: MemberPair, tmp_path: Path
) -> None:
    await pair.post()
    new = rs256("leaf", "lsp-kid")
    pair.registry.keys[AGENT] = [jwk_of(new)]
    pair.clock.advance(11)
    later = body_of("request-2", traceId="trace-2")
    assert (await pair.post(later, headers=pair.headers(later, key=new))).status == 200

    for request_id, owner in (("request-1", "lsp"), ("request-2", "leaf")):
        made = evidence(pair.bank, tmp_path / request_id, request_id)
        assert made.parts["1-request"]["flaws"] == []
        assert (made.folder / made.parts["1-request"]["key"]).read_text() == public_pem(owner)
        assert "OK    1-request:" in made.verify().stdout


def flipped(raw: bytes) -> bytes:
    return raw.replace(b"APPL-1", b"APPL-7")


NOBODYS = "kid_selects_a_registered_key"

SPOILED: Mapping[str, tuple[str, Callable[[Any], Any], str, str]] = {
    "the body": ("inbox.raw", flipped, "1-request", "signature_verifies"),
    "its signature": ("inbox.signature", lambda _: "", "1-request", "signature_header_is_given_once"),
    "the ack": ("inbox.ack", lambda raw: raw + b" ", "1-request-ack", "signature_verifies"),
    "the ack's signature": ("inbox.ack_signature", lambda text: text[:-3], "1-request-ack", "signature_"),
    "the callback": ("attempts.sent", flipped, "2-callback", "signature_verifies"),
    "the callback's signature": ("attempts.signature", lambda text: text[:-3], "2-callback", "signature_"),
    "its ack's signature": ("attempts.answer_signature", lambda _: "", "2-callback-ack", "signature_header"),
    "the key": ("registry_keys.pem", lambda _: public_pem("leaf"), "1-request", "signature_verifies"),
    "the key's kid": ("registry_keys.kid", lambda _: "another", "1-request", "kid"),
    "whose key it is": ("registry_keys.participant_id", lambda _: "3999", "1-request", NOBODYS),
    "when the key was first seen": ("registry_keys.first_seen", lambda at: at + DAY, "1-request", NOBODYS),
    "the sender": ("inbox.sender", lambda _: "3999", "1-request", NOBODYS),
}


@pytest.mark.parametrize(("column", "change", "part", "error"), SPOILED.values(), ids=SPOILED)
async def test_what_somebody_has_changed_in_the_database_does_not_hold(
    pair: MemberPair, tmp_path: Path, column: str, change: Callable[[Any], Any], part: str, error: str
) -> None:
    await pair.send()

    spoil(pair.bank.engine, column, change)

    made = evidence(pair.bank, tmp_path / "spoiled")
    assert not made.manifest["holds"]
    assert error in " ".join(made.parts[part]["flaws"])
    done = made.verify()
    assert done.returncode == 1
    assert f"FAIL  {part}:" in done.stdout


async def test_an_ack_of_a_starter_without_a_signature_proves_nothing_and_is_not_at_fault(
    pair: MemberPair, tmp_path: Path
) -> None:
    await pair.send()
    spoil(pair.bank.engine, "attempts.answer_signature", lambda _: "")
    spoil(pair.bank.engine, "attempts.reason", lambda _: UNSIGNED)
    made = evidence(pair.bank, tmp_path / "unsigned")
    assert (made.parts["2-callback-ack"]["verdict"], made.parts["2-callback"]["accepted"]) == (
        "nothing to verify",
        False,
    )
    assert made.manifest["holds"]


async def test_without_the_registrys_key_nothing_is_proved(pair: MemberPair, tmp_path: Path) -> None:
    await pair.send()
    delete(pair.bank.engine, "registry_keys", participant_id=AGENT)
    made = evidence(pair.bank, tmp_path / "deleted")
    assert "kid_selects_a_registered_key" in made.errors
    assert made.verify().returncode == 1
