"""What OCEN v3 Security asks for in so many words: onboarding, change of keys, key commands, to whom one speaks."""

import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from shared.node.directory import Directory
from shared.node.identity import Identity
from shared.node.onboarding.changes import with_active, without_key
from shared.node.onboarding.fields import FormError
from shared.node.onboarding.own import OwnKeys
from shared.node.onboarding.record import TakenError, participant_of
from shared.node.onboarding.register import load_record, save_record
from shared.node.onboarding.registrar import Registrar
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import load_private_key, load_public_key, new_private_key
from shared.storage.reader import read
from shared.transport.tls import client_context, server_context, thumbprint
from shared.transport.transport import PooledTransport
from tests.equipment.bank_form import bank_form
from tests.equipment.clock import NOW, FrozenClock
from tests.equipment.deadline import DEADLINE
from tests.equipment.parties import identity_of, lsp, lsp_key
from tests.equipment.records import lsp_record, public_pem, tls_identity
from tests.equipment.storage import contents, journal_on
from tests.node.certificates import Authority, private_pem, rsa_key
from tests.node.certificates import Identity as Leaf
from tests.node.scripted_peer import OK, ScriptedPeer, answering


@pytest.fixture
def identity() -> Identity:
    return identity_of(lsp(), lsp_key())


@pytest.fixture
def directory() -> Directory:
    return Directory("LSP123")


@pytest.fixture
async def registrar(
    engine: Engine, identity: Identity, directory: Directory, tmp_path: Path
) -> AsyncIterator[Registrar]:
    """That of the LSP, which is in its own register, has its private keys in a folder, and knows nobody else."""
    own_keys = OwnKeys(identity, tmp_path)
    for kid, owner in (("lsp-kid", "lsp"), ("lsp backup-kid", "lsp backup")):
        own_keys.file(kid).write_bytes(private_pem(rsa_key(owner)))

    async def refresh() -> None:
        if await read(engine, directory.refresh) and directory.own:
            own_keys.use(directory.own)

    async with journal_on(engine) as journal:
        with engine.begin() as connection:
            save_record(connection, lsp_record(), NOW)
        await refresh()
        yield Registrar(
            journal=journal,
            directory=directory,
            identity=identity,
            own_keys=own_keys,
            clock=FrozenClock(),
            refresh=refresh,
        )


@pytest.fixture
def leaf(tmp_path: Path) -> Leaf:
    return Authority().issue(tmp_path, "bank.example")


async def test_every_field_of_the_form_is_kept_and_what_the_protocol_needs_counts_at_once(
    registrar: Registrar, engine: Engine, leaf: Leaf
) -> None:
    await registrar.onboard(bank_form(leaf))

    with engine.connect() as connection:
        record = load_record(connection, "BANK01")
    assert record is not None
    bank = participant_of(record)
    assert (record.name, record.base_url) == ("Bank", "https://localhost/credit")
    assert (record.spoc_email, record.spoc_phone) == ("ocen@bank.example", "+91 22 5550 0100")
    assert bank.certificates == {thumbprint(leaf.der)}
    assert [(key.kid, key.status) for key in bank.keys] == [
        ("bank-1", KeyStatus.ACTIVE),
        ("bank-2", KeyStatus.BACKUP),
    ]
    assert bank.calls_from("198.51.100.9")
    assert not bank.calls_from("192.0.2.9")


async def test_a_counterparty_is_onboarded_once(registrar: Registrar, engine: Engine, leaf: Leaf) -> None:
    await registrar.onboard(bank_form(leaf))
    before = contents(engine)

    with pytest.raises(TakenError, match="BANK01 is onboarded already"):
        await registrar.onboard(bank_form(leaf, name="Another bank"))

    assert contents(engine) == before


async def test_of_a_form_that_is_refused_nothing_is_kept(registrar: Registrar, engine: Engine, leaf: Leaf) -> None:
    before = contents(engine)

    with pytest.raises(FormError, match="spoc_email"):
        await registrar.onboard(bank_form(leaf, spoc_email="bank@gmail.com"))

    assert contents(engine) == before


async def test_our_side_of_the_form_has_the_key_for_tls_and_the_keys_for_our_signatures(registrar: Registrar) -> None:
    ours = registrar.own_form

    assert ours.organisation_id == "LSP123"
    assert ours.tls_certificate == tls_identity("lsp.example").pem
    assert (ours.kid, ours.public_key) == (lsp_key().kid, public_pem("lsp"))
    assert (ours.backup_kid, ours.backup_public_key) == ("lsp backup-kid", public_pem("lsp backup"))


async def test_we_change_to_the_back_up_key_and_the_former_one_still_counts(
    registrar: Registrar, identity: Identity
) -> None:
    assert identity.signing_key.kid == "lsp-kid"

    await registrar.change("LSP123", lambda own: with_active(own, "lsp backup-kid"), "rotation")

    assert identity.signing_key.kid == "lsp backup-kid"
    ours = registrar.own_form
    assert (ours.kid, ours.backup_kid) == ("lsp backup-kid", "lsp-kid")


async def test_a_key_that_is_blocked_counts_no_more_and_never_again(
    registrar: Registrar, directory: Directory, engine: Engine, leaf: Leaf
) -> None:
    await registrar.onboard(bank_form(leaf))

    await registrar.change("BANK01", lambda bank: without_key(bank, "bank-1", KeyStatus.BLOCKED), "told by phone")

    bank = directory.participant("BANK01")
    assert bank is not None
    assert {key.kid: key.status for key in bank.keys} == {"bank-1": KeyStatus.BLOCKED, "bank-2": KeyStatus.ACTIVE}
    before = contents(engine)
    with pytest.raises(TakenError, match="bank-1 is BLOCKED"):
        await registrar.change("BANK01", lambda bank: with_active(bank, "bank-1"), "a mistake")
    assert contents(engine) == before


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_keys_made_by_the_commands_of_the_document_sign_and_verify(tmp_path: Path) -> None:
    for command in (
        "openssl genrsa -out privatekey.txt 2048",
        "openssl rsa -in privatekey.txt -pubout -out publickey.txt",
    ):
        subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, check=True, timeout=DEADLINE)

    private = load_private_key((tmp_path / "privatekey.txt").read_text(), "bank-1", "RS512")
    public = load_public_key((tmp_path / "publickey.txt").read_text(), "RS512")

    assert public.verify(b"header.payload", private.sign(b"header.payload"))


def test_a_key_that_is_made_here_has_2048_bits() -> None:
    assert new_private_key().key_size == 2048


async def test_a_server_whose_certificate_its_participant_has_not_registered_gets_no_byte_of_a_request(
    tmp_path: Path,
) -> None:
    shown = Authority().issue(tmp_path / "shown", "bank.example")
    tls = server_context(shown.certificate, shown.private_key, Authority().pem)
    trusting = client_context(shown.certificate, shown.private_key, Authority().pem)
    async with ScriptedPeer(answering(OK), tls) as peer, PooledTransport(trusting) as transport:

        async def send(*registered: str) -> httpx.Response:
            extensions = {"peer_certificates": frozenset(registered)}
            return await transport.handle_async_request(httpx.Request("POST", peer.url, extensions=extensions))

        with pytest.raises(httpx.ConnectError, match="has not registered"):
            await send("00" * 32)
        assert peer.requests == []
        assert (await send(thumbprint(shown.der))).status_code == 200
        with pytest.raises(httpx.ConnectError, match="has not registered"):
            await send("00" * 32)
        assert len(peer.requests) == 1
