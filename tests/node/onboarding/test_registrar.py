"""The registrar: what it does counts when it returns, in this process at once; what it refuses changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.node.identity import IdentityError
from shared.node.net.tls import TlsConfigurationError
from shared.node.onboarding.changes import with_certificate
from shared.node.onboarding.form import FormError, form_of, record_of
from shared.node.onboarding.record import OnboardingError, TakenError, UnknownError, thumbprint_of
from shared.node.onboarding.wishes import amended, standing
from shared.node.store.database import StorageUnavailable, open_engine
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import private_pem
from tests.equipment.clock import NOW
from tests.equipment.forms import certificate_pem, form
from tests.equipment.process import Process, own_certificate, own_record, process_on
from tests.equipment.records import key_of, public_pem
from tests.equipment.storage import contents
from tests.node.certificates import CLIENT, rsa_key


@pytest.fixture
async def here(engine: Engine, tmp_path: Path) -> AsyncIterator[Process]:
    """The LSP, which knows itself alone."""
    async with process_on(engine, tmp_path) as process:
        process.registry.save(own_record())
        await process.follower.refresh()
        yield process


@pytest.fixture
async def there(here: Process, database_url: str, tmp_path: Path) -> AsyncIterator[Process]:
    """Another process on the same database."""
    engine = open_engine(database_url)
    async with process_on(engine, tmp_path) as process:
        yield process
    engine.dispose()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.key")}


async def refused(here: Process, act: Callable[[], Awaitable[object]], kind: type[Exception]) -> str:
    """Check that the act is refused, and changes neither register nor memory; return the sentence."""
    before, signs, trusted = contents(here.registry.engine), here.signs_with, list(here.trust.trusted)
    with pytest.raises(kind) as refusal:
        await act()
    assert type(refusal.value) is kind
    assert (contents(here.registry.engine), here.signs_with, here.trust.trusted) == (before, signs, trusted)
    return str(refusal.value)


async def test_who_is_onboarded_is_known_and_trusted_when_the_call_returns(here: Process) -> None:
    await here.registrar.onboard(form())
    known = here.directory.participant("BANK01")
    assert known is not None
    assert await here.directory.holder("bank-b") is known
    assert certificate_pem() in here.trust.trusted[-1][0]
    assert here.registry.events("BANK01")["bank-a"] == [
        (here.registry.history("BANK01").onboarded_at, "ACTIVE", "onboarded")
    ]


async def test_a_form_with_flaws_is_not_stored(here: Process) -> None:
    told = await refused(here, lambda: here.registrar.onboard(form(name="", role="BANK")), FormError)
    assert told == "name: empty: give one line of 1 to 200 characters; role: 'BANK': write LENDER or LSP"


async def test_who_is_onboarded_is_not_onboarded_again(here: Process) -> None:
    await here.registrar.onboard(form())
    told = await refused(here, lambda: here.registrar.onboard(form(name="Other")), TakenError)
    assert told.startswith("organisation_id: BANK01 is onboarded already: change its keys, certificates or fields")


async def test_a_node_does_not_onboard_itself(here: Process) -> None:
    told = await refused(here, lambda: here.registrar.onboard(form_of(own_record())), TakenError)
    assert told == "organisation_id: LSP123 is this node itself: give the counterparty's"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kid": "lsp-kid"}, "BANK01: keys: kid lsp-kid is taken"),
        ({"public_key": public_pem("lsp")}, "BANK01: keys: a key is another participant's too"),
    ],
)
async def test_our_own_kids_and_keys_are_nobody_elses(here: Process, changes: dict[str, Any], sentence: str) -> None:
    assert (await refused(here, lambda: here.registrar.onboard(form(**changes)), TakenError)).startswith(sentence)


async def test_who_was_offboarded_is_unknown_at_once_and_can_come_back(here: Process) -> None:
    await here.registrar.onboard(form())
    await here.registrar.offboard("BANK01", "ended")
    assert here.directory.participant("BANK01") is None
    assert await here.directory.holder("bank-a") is None
    assert here.trust.trusted[-1][1] == {thumbprint_of(certificate_pem())}
    await here.registrar.onboard(form(base_url="https://bank.example/new"))
    known = here.directory.participant("BANK01")
    assert known is not None
    assert known.base_url == "https://bank.example/new"
    assert here.trust.trusted[-1][1] == frozenset()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "kid: bank-a is BLOCKED, and stays so: make a new key pair and give it a new kid"),
        ({"kid": "fresh"}, "BANK01: keys: the key of kid fresh is known as bank-a (BLOCKED); a key keeps its kid"),
        ({"public_key": public_pem("leaf")}, "kid: bank-a is BLOCKED, and stays so"),
        (
            {"backup_public_key": public_pem("bank"), "public_key": public_pem("leaf"), "kid": "k"},
            "BANK01: keys: the key of kid bank-b is known",
        ),
    ],
    ids=["the same", "another kid", "another key", "as back-up under a known kid"],
)
async def test_a_blocked_key_does_not_come_back_by_a_new_form(
    here: Process, changes: dict[str, Any], sentence: str
) -> None:
    await here.registrar.onboard(form())
    await here.registrar.change("BANK01", standing("bank-a", KeyStatus.BLOCKED), "stolen")
    await here.registrar.offboard("BANK01", "ended")
    assert (await refused(here, lambda: here.registrar.onboard(form(**changes)), TakenError)).startswith(sentence)


async def test_a_change_counts_when_the_call_returns_and_says_why(here: Process) -> None:
    await here.registrar.onboard(form())
    await here.registrar.change("BANK01", standing("bank-a", KeyStatus.BLOCKED), "stolen")
    holder = await here.directory.holder("bank-a")
    assert holder is not None
    assert [key.status for key in holder.keys] == [KeyStatus.BLOCKED, KeyStatus.ACTIVE]
    assert [event[1:] for event in here.registry.events("BANK01")["bank-a"]] == [
        ("ACTIVE", "onboarded"),
        ("BLOCKED", "stolen"),
    ]


@pytest.mark.parametrize("act", ["change", "offboard"])
async def test_nothing_is_done_with_who_is_not_onboarded(here: Process, act: str) -> None:
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "change": lambda: here.registrar.change("BANK01", amended({"name": "New"}), ""),
        "offboard": lambda: here.registrar.offboard("BANK01", ""),
    }
    assert await refused(here, acts[act], UnknownError) == "BANK01 is not onboarded; GET /participants lists who is"


async def test_a_node_does_not_offboard_itself(here: Process) -> None:
    told = await refused(here, lambda: here.registrar.offboard("LSP123", ""), TakenError)
    assert told == "LSP123 is this node itself; end it instead"


async def test_our_own_form_is_one_that_a_counterparty_takes(here: Process) -> None:
    assert record_of(here.registrar.own_form, NOW) == own_record().model_copy(
        update={"keys": record_of(here.registrar.own_form, NOW).keys}
    )
    assert (here.registrar.own_form.kid, here.registrar.own_form.backup_kid) == ("lsp-kid", "lsp backup-kid")


async def test_without_our_own_record_there_is_no_form(engine: Engine, tmp_path: Path) -> None:
    async with process_on(engine, tmp_path) as stranger:
        with pytest.raises(OnboardingError, match="LSP123: not in its own register yet; start the node"):
            _ = stranger.registrar.own_form


async def test_a_key_that_is_made_is_a_back_up_until_we_switch_to_it(here: Process, tmp_path: Path) -> None:
    await here.registrar.change("LSP123", standing("lsp backup-kid", KeyStatus.RETIRED), "makes room")
    made = await here.registrar.make_key("fresh", "yearly")
    assert (made.kid, made.status) == ("fresh", KeyStatus.BACKUP)
    assert here.signs_with == ["lsp-kid", "fresh"]
    assert here.registrar.own_form.backup_public_key == made.pem
    await here.registrar.change("LSP123", standing("fresh", KeyStatus.ACTIVE), "switch")
    assert here.signs_with == ["fresh", "lsp-kid"]
    await here.registrar.change("LSP123", standing("lsp-kid", KeyStatus.RETIRED), "done")
    assert here.signs_with == ["fresh"]
    assert [event[1:] for event in here.registry.events()["fresh"]] == [("BACKUP", "yearly"), ("ACTIVE", "switch")]
    assert (tmp_path / "made" / "fresh.key").exists()


async def test_a_key_that_is_made_without_a_wish_for_a_kid_gets_a_new_one(here: Process) -> None:
    await here.registrar.change("LSP123", standing("lsp backup-kid", KeyStatus.RETIRED), "")
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
    await here.registrar.change("LSP123", standing("lsp backup-kid", KeyStatus.RETIRED), "")
    here.trust.fails = True
    with pytest.raises(TlsConfigurationError):
        await here.registrar.make_key("fresh")
    assert here.registry.statuses()["fresh"] == "BACKUP"
    here.trust.fails = False
    await here.follower.refresh()
    assert here.signs_with == ["lsp-kid", "fresh"]
    assert (tmp_path / "made" / "fresh.key").exists()


@pytest.mark.parametrize("status", [KeyStatus.BLOCKED, KeyStatus.RETIRED])
async def test_our_last_key_is_neither_blocked_nor_retired(here: Process, status: KeyStatus) -> None:
    await here.registrar.change("LSP123", standing("lsp-kid", KeyStatus.BLOCKED), "stolen")
    assert here.signs_with == ["lsp backup-kid"]
    wish = standing("lsp backup-kid", status)
    told = await refused(here, lambda: here.registrar.change("LSP123", wish, ""), TakenError)
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
    assert await here.registrar.renew_certificate() == thumbprint_of(renewed)
    assert here.registrar.own_form.tls_certificate == renewed
    former, now = here.registry.history().certificates
    assert (former.removed_because, now.removed_at, now.thumbprint) == ("renewed", None, thumbprint_of(renewed))


async def test_a_certificate_that_is_renewed_twice_stays(here: Process) -> None:
    before = here.registry.history().certificates
    assert await here.registrar.renew_certificate() == thumbprint_of(own_certificate())
    assert here.registry.history().certificates == before


@pytest.mark.parametrize(
    ("pem", "kind", "sentence"),
    [
        (None, IdentityError, "tls.pem cannot be read"),
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
    assert sentence in await refused(here, here.registrar.renew_certificate, kind)


async def test_of_two_processes_that_onboard_the_same_participant_at_once_one_is_refused(
    here: Process, there: Process
) -> None:
    acts = [one.registrar.onboard(form(name=name)) for one, name in ((here, "First"), (there, "Second"))]
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [TakenError]
    for one in (here, there):
        await one.follower.refresh()
        assert one.directory.participant("BANK01") is not None


async def test_changes_by_two_processes_at_once_all_count(here: Process, there: Process) -> None:
    await here.registrar.onboard(form())
    second = certificate_pem("second.example")
    await asyncio.gather(
        here.registrar.change("BANK01", standing("bank-a", KeyStatus.RETIRED), "here"),
        there.registrar.change("BANK01", lambda record: with_certificate(record, second), "there"),
        here.registrar.change("BANK01", amended({"name": "Renamed"}), "here"),
        there.registrar.change("BANK01", amended({"ip_addresses": ["192.0.2.1"]}), "there"),
    )
    known = here.registry.known("BANK01")
    assert (known.name, known.ip_addresses, len(known.tls_certificates)) == ("Renamed", ["192.0.2.1"], 2)
    assert here.registry.statuses("BANK01") == {"bank-a": "RETIRED", "bank-b": "ACTIVE"}


async def test_a_key_with_a_file_of_another_key_is_not_taken_for_ours(here: Process, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "strange.key").write_bytes(private_pem(rsa_key("leaf")))
    await here.registrar.change("LSP123", standing("lsp backup-kid", KeyStatus.RETIRED), "")
    strange = key_of("LENDER01", "strange")
    told = await refused(
        here,
        lambda: here.registrar.change(
            "LSP123", lambda own: own.model_copy(update={"keys": [*own.keys, type(own.keys[0])(**strange)]}), ""
        ),
        TakenError,
    )
    assert told == "LSP123: the private key of strange is not here: make keys here"
