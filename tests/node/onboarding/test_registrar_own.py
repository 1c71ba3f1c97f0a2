"""The registrar and ourselves: keys that are made here, the key that signs, and a renewed certificate."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from shared.node.identity import IdentityError
from shared.node.onboarding.fields import FormError
from shared.node.onboarding.form import record_of
from shared.node.onboarding.record import KeyRecord, OnboardingError, TakenError, thumbprint_of
from shared.node.onboarding.registrar import NotInForceError
from shared.node.onboarding.requested_changes import amended, key_status_change
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import private_pem
from shared.storage.database import StorageUnavailable
from shared.transport.tls_files import TlsConfigurationError
from tests.equipment.clock import NOW
from tests.equipment.forms import certificate_pem
from tests.equipment.process import Process, own_certificate, own_record, process_on, refused
from tests.equipment.records import key_of
from tests.node.certificates import CLIENT, SERVER, rsa_key


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.key")}


async def test_our_own_form_is_one_that_a_counterparty_takes(here: Process) -> None:
    ours = record_of(here.registrar.own_form, NOW)
    in_use, backup = ours.keys
    assert ours.model_copy(update={"keys": [backup, in_use]}) == own_record()


async def test_without_our_own_record_there_is_no_form(engine: Engine, tmp_path: Path) -> None:
    async with process_on(engine, tmp_path) as stranger:
        with pytest.raises(OnboardingError, match="LSP123: not in its own register yet; start the node"):
            _ = stranger.registrar.own_form


async def test_a_key_that_is_made_is_a_back_up_until_we_switch_to_it(here: Process, tmp_path: Path) -> None:
    await here.registrar.change("LSP123", key_status_change("lsp backup-kid", KeyStatus.RETIRED), "makes room")
    made = await here.registrar.make_key("fresh", "yearly")
    assert (made.kid, made.status) == ("fresh", KeyStatus.BACKUP)
    assert here.signs_with == ["lsp-kid", "fresh"]
    assert here.registrar.own_form.backup_public_key == made.pem
    await here.registrar.change("LSP123", key_status_change("fresh", KeyStatus.ACTIVE), "switch")
    assert here.signs_with == ["fresh", "lsp-kid"]
    await here.registrar.change("LSP123", key_status_change("lsp-kid", KeyStatus.RETIRED), "done")
    assert here.signs_with == ["fresh"]
    assert [event[1:] for event in here.registry.events()["fresh"]] == [("BACKUP", "yearly"), ("ACTIVE", "switch")]
    assert (tmp_path / "made" / "fresh.key").exists()


async def test_a_key_that_is_made_without_a_wish_for_a_kid_gets_a_new_one(here: Process) -> None:
    await here.registrar.change("LSP123", key_status_change("lsp backup-kid", KeyStatus.RETIRED), "")
    made = await here.registrar.make_key()
    assert len(made.kid) == 36
    assert here.registry.events()[made.kid][0][2] == "made here"


async def test_a_third_key_is_refused_and_leaves_no_file(here: Process, tmp_path: Path) -> None:
    before = files(tmp_path)
    told = await refused(here, lambda: here.registrar.make_key("fresh"), TakenError)
    assert told == "LSP123: two keys count already, lsp backup-kid and lsp-kid: retire or block one first"
    assert files(tmp_path) == before


async def test_a_kid_that_has_a_file_is_refused_and_the_file_stays(here: Process, tmp_path: Path) -> None:
    before = files(tmp_path)
    told = await refused(here, lambda: here.registrar.make_key("lsp-kid"), IdentityError)
    assert "cannot be made (File exists): give another kid" in told
    assert files(tmp_path) == before


async def test_a_key_keeps_its_file_where_nobody_knows_whether_it_is_registered(
    here: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_: object) -> None:
        raise StorageUnavailable("the connection was lost during commit")

    monkeypatch.setattr(here.registrar._journal, "act", lost)
    with pytest.raises(StorageUnavailable):
        await here.registrar.make_key("fresh")
    assert (tmp_path / "made" / "fresh.key").exists()


async def test_a_key_keeps_its_file_where_only_the_look_at_the_register_fails(here: Process, tmp_path: Path) -> None:
    await here.registrar.change("LSP123", key_status_change("lsp backup-kid", KeyStatus.RETIRED), "")
    here.trust.fails = True
    with pytest.raises(
        NotInForceError, match=r"^It is stored, and counts in full when this is put right: tls\.key is not"
    ):
        await here.registrar.make_key("fresh")
    assert here.registry.statuses()["fresh"] == "BACKUP"
    here.trust.fails = False
    await here.follower.refresh()
    assert here.signs_with == ["lsp-kid", "fresh"]
    assert (tmp_path / "made" / "fresh.key").exists()


@pytest.mark.parametrize("status", [KeyStatus.BLOCKED, KeyStatus.RETIRED])
async def test_our_last_key_is_neither_blocked_nor_retired(here: Process, status: KeyStatus) -> None:
    await here.registrar.change("LSP123", key_status_change("lsp-kid", KeyStatus.BLOCKED), "stolen")
    assert here.signs_with == ["lsp backup-kid"]
    change = key_status_change("lsp backup-kid", status)
    told = await refused(here, lambda: here.registrar.change("LSP123", change, ""), TakenError)
    assert told == "LSP123: no key would be left to sign with: make one first"


async def test_our_other_fields_can_be_changed_though_a_back_up_is_kept_elsewhere(
    here: Process, tmp_path: Path
) -> None:
    (tmp_path / "backup.key").unlink()
    await here.registrar.change("LSP123", amended({"name": "Renamed"}), "")
    assert here.registry.known().name == "Renamed"
    assert here.signs_with == ["lsp-kid"]


async def test_a_renewed_certificate_takes_the_place_of_the_former_one(here: Process, tmp_path: Path) -> None:
    renewed = own_certificate("renewed.example")
    (tmp_path / "tls.pem").write_text(renewed + certificate_pem(is_authority=True))
    assert await here.registrar.renew_certificates() == [thumbprint_of(renewed)]
    assert here.registrar.own_form.tls_certificate == renewed
    former, now = here.registry.history().certificates
    assert (former.removed_because, now.removed_at, now.thumbprint) == ("renewed", None, thumbprint_of(renewed))


async def test_a_node_that_gets_a_certificate_for_calling_shows_and_hands_out_both(
    here: Process, tmp_path: Path
) -> None:
    serves, calls = (
        certificate_pem(use, hosts=("lsp.example",), key=rsa_key("lsp tls"), usages=(usage,))
        for use, usage in (("serves", SERVER), ("calls", CLIENT))
    )
    (tmp_path / "tls.pem").write_text(serves)
    told = await refused(here, here.registrar.renew_certificates, FormError)
    assert "tls_certificate: not made for calling: give another with clientAuth as tls_client_certificate" in told
    here.identity.tls_client_certificate = tmp_path / "tls-client.pem"
    here.identity.tls_client_certificate.write_text(calls)
    assert await here.registrar.renew_certificates() == [thumbprint_of(serves), thumbprint_of(calls)]
    form = here.registrar.own_form
    assert (form.tls_certificate, form.tls_client_certificate) == (serves, calls)


async def test_a_certificate_that_is_renewed_twice_stays(here: Process) -> None:
    before = here.registry.history().certificates
    assert await here.registrar.renew_certificates() == [thumbprint_of(own_certificate())]
    assert here.registry.history().certificates == before


@pytest.mark.parametrize(
    ("pem", "kind", "sentence"),
    [
        (None, TlsConfigurationError, "tls.pem cannot be read"),
        ("garbage", TlsConfigurationError, "tls.pem holds no readable certificate"),
        (own_certificate().replace("A", "B", 40), TlsConfigurationError, "tls.pem holds no readable certificate"),
        (certificate_pem("other"), TlsConfigurationError, "tls.key is not the key of"),
        (
            certificate_pem("other", hosts=("other.example",), key=rsa_key("lsp tls")),
            FormError,
            "tls_certificate: does not name lsp.example",
        ),
        (
            certificate_pem("other", hosts=("lsp.example",), key=rsa_key("lsp tls"), usages=(CLIENT,)),
            FormError,
            "tls_certificate: not made for serving",
        ),
    ],
)
async def test_a_certificate_that_cannot_be_used_is_not_registered(
    here: Process, tmp_path: Path, pem: str | None, kind: type[Exception], sentence: str
) -> None:
    if pem is None:
        (tmp_path / "tls.pem").unlink()
    else:
        (tmp_path / "tls.pem").write_text(pem)
    assert sentence in await refused(here, here.registrar.renew_certificates, kind)


async def test_a_key_with_a_file_of_another_key_is_not_taken_for_ours(here: Process, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "strange.key").write_bytes(private_pem(rsa_key("leaf")))
    await here.registrar.change("LSP123", key_status_change("lsp backup-kid", KeyStatus.RETIRED), "")
    strange = KeyRecord.model_validate(key_of("LENDER01", "strange", status="BACKUP"))
    told = await refused(
        here,
        lambda: here.registrar.change("LSP123", lambda own: own.model_copy(update={"keys": [*own.keys, strange]}), ""),
        TakenError,
    )
    assert told == "LSP123: the private key of strange is not here: make keys here"
