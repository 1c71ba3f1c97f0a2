"""Our own keys: made into files for our eyes only, and which of them signs is what the register says."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from shared.node.identity import Identity, IdentityError
from shared.node.onboarding.own import OwnKeys
from shared.node.onboarding.record import KeyRecord, ParticipantRecord, TakenError
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import load_private_key, private_pem
from tests.equipment.parties import lsp_backup_key, lsp_key
from tests.equipment.records import key_of, lsp_record, public_pem
from tests.node.certificates import rsa_key


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    files = {"lsp-kid": tmp_path / "signing.key", "lsp backup-kid": tmp_path / "backup.key"}
    for file, owner in zip(files.values(), ("lsp", "lsp backup"), strict=True):
        file.write_bytes(private_pem(rsa_key(owner)))
    return Identity(
        organisation_id="LSP123",
        role=Role.LOAN_AGENT,
        signing_key=lsp_key(),
        backup_keys=(lsp_backup_key(),),
        tls_certificate=tmp_path / "tls.pem",
        tls_private_key=tmp_path / "tls.key",
        trust="",
        key_files=files,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "new" / "keys"


@pytest.fixture
def own(identity: Identity, folder: Path) -> OwnKeys:
    return OwnKeys(identity, folder)


def record(*keys: dict[str, Any] | KeyRecord) -> ParticipantRecord:
    return lsp_record(keys=[key if isinstance(key, dict) else key.model_dump() for key in keys])


BACKUP, BLOCKED = {"status": "BACKUP"}, {"status": "BLOCKED"}


def test_a_key_that_is_made_is_a_file_for_our_eyes_only_and_a_public_record(own: OwnKeys, folder: Path) -> None:
    made = own.make("fresh")
    assert own.is_here("fresh")
    file = folder / "fresh.key"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, folder)] == [0o600, 0o700]
    assert load_private_key(file.read_text(), "fresh", "RS512").public().to_pem() == made.pem
    assert (made.kid, made.status, "PRIVATE" in made.pem) == ("fresh", KeyStatus.ACTIVE, False)


@pytest.mark.parametrize("kid", ["", "../fresh", "a/b", ".hidden", "a b", "k" * 65, "k\n"])
def test_a_kid_that_cannot_name_a_file_is_refused(own: OwnKeys, folder: Path, kid: str) -> None:
    with pytest.raises(IdentityError, match="use 1 to 64 letters, digits, dots, dashes and underscores"):
        own.make(kid)
    assert not folder.exists()


def test_a_key_that_is_there_is_never_written_over(own: OwnKeys, folder: Path) -> None:
    own.make("fresh")
    before = (folder / "fresh.key").read_bytes()
    with pytest.raises(IdentityError, match=r"fresh\.key cannot be made \(File exists\): give another kid"):
        own.make("fresh")
    assert (folder / "fresh.key").read_bytes() == before


def test_a_key_that_the_identity_file_names_is_never_written_over(own: OwnKeys, identity: Identity) -> None:
    with pytest.raises(IdentityError, match=r"signing\.key cannot be made \(File exists\)"):
        own.make("lsp-kid")
    assert identity.key_files["lsp-kid"].read_bytes() == private_pem(rsa_key("lsp"))


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(own: OwnKeys, folder: Path) -> None:
    folder.parent.write_text("no folder")
    with pytest.raises(IdentityError, match="a folder for keys that this user may write: OCEN_KEYS_FOLDER"):
        own.make("fresh")


def test_a_key_that_cannot_be_written_whole_leaves_no_file(
    own: OwnKeys, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(IdentityError, match="No space left on device"):
        own.make("fresh")
    assert list(folder.iterdir()) == []


def test_a_key_that_was_made_in_vain_goes(own: OwnKeys, folder: Path) -> None:
    own.make("fresh")
    own.discard("fresh")
    own.discard("fresh")
    assert list(folder.iterdir()) == []


def test_the_key_that_the_register_calls_active_signs(own: OwnKeys, identity: Identity) -> None:
    fresh = own.make("fresh")
    own.use(record(key_of("lsp") | BACKUP, fresh))
    assert identity.signing_key.kid == "fresh"
    assert [key.kid for key in identity.backup_keys] == ["lsp-kid"]


def test_where_the_register_calls_none_active_a_back_up_signs(own: OwnKeys, identity: Identity) -> None:
    own.use(record(key_of("lsp") | BLOCKED, key_of("lsp backup") | BACKUP))
    assert (identity.signing_key.kid, identity.backup_keys) == ("lsp backup-kid", ())


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ([key_of("lsp") | BLOCKED], "LSP123: none of our keys counts"),
        ([key_of("leaf", "elsewhere")], r"elsewhere\.key cannot be read"),
        ([key_of("leaf", "lsp-two")], r"lsp-two\.key is not the private key of lsp-two; put the right one back"),
        ([key_of("lsp"), key_of("leaf", "lsp-two") | BACKUP], r"lsp-two\.key is not the private key of lsp-two"),
    ],
)
def test_without_its_private_half_no_other_key_signs(
    own: OwnKeys, identity: Identity, folder: Path, keys: list[dict[str, Any]], complaint: str
) -> None:
    folder.mkdir(parents=True)
    (folder / "lsp-two.key").write_bytes(private_pem(rsa_key("lsp")))
    with pytest.raises(IdentityError, match=complaint):
        own.use(record(*keys))
    assert identity.signing_key is lsp_key()


def test_a_back_up_that_is_not_here_is_left_aside(own: OwnKeys, identity: Identity) -> None:
    own.use(record(key_of("lsp"), key_of("leaf", "elsewhere") | BACKUP))
    assert (identity.signing_key.kid, identity.backup_keys) == ("lsp-kid", ())


def test_a_record_by_which_we_could_sign_is_in_order(own: OwnKeys) -> None:
    own.check(record(key_of("lsp"), key_of("lsp backup") | BACKUP, key_of("leaf", "elsewhere") | BLOCKED))


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ([key_of("lsp") | BLOCKED], "LSP123: no key would be left to sign with: make one first"),
        ([key_of("lsp") | BACKUP], "LSP123: no key would be left to sign with: make one first"),
        ([key_of("leaf", "elsewhere")], "LSP123: the private key of elsewhere is not here: make keys here"),
        ([key_of("leaf", "lsp-two")], "LSP123: the private key of lsp-two is not here: make keys here"),
        ([key_of("lsp"), key_of("leaf", "../up") | BACKUP], "LSP123: the private key of ../up is not here"),
    ],
)
def test_a_record_by_which_we_could_not_sign_is_refused(
    own: OwnKeys, folder: Path, keys: list[dict[str, Any]], complaint: str
) -> None:
    folder.mkdir(parents=True)
    (folder / "lsp-two.key").write_bytes(private_pem(rsa_key("lsp")))
    with pytest.raises(TakenError) as refusal:
        own.check(record(*keys))
    assert str(refusal.value).startswith(complaint)


def test_a_key_that_was_made_in_vain_does_not_sign_in_place_of_the_one_that_had_its_kid(
    own: OwnKeys, identity: Identity, folder: Path
) -> None:
    own.check(record(own.make("again"), key_of("lsp", status="RETIRED")))
    own.discard("again")
    (folder / "again.key").write_bytes(private_pem(rsa_key("leaf")))
    own.use(record(key_of("leaf", "again")))
    assert identity.signing_key.public().to_pem() == public_pem("leaf")
