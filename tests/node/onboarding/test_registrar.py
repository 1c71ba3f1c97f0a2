"""The registrar: what it does counts when it returns, in this process at once; what it refuses changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.node.onboarding.changes import with_certificate
from shared.node.onboarding.fields import FormError
from shared.node.onboarding.form import form_of
from shared.node.onboarding.record import TakenError, UnknownError, thumbprint_of
from shared.node.onboarding.requested_changes import amended, key_status_change
from shared.protocol.participants import KeyStatus
from tests.equipment.forms import certificate_pem, form
from tests.equipment.process import Process, own_record, refused
from tests.equipment.records import public_pem


async def test_who_is_onboarded_is_known_and_trusted_when_the_call_returns(here: Process) -> None:
    await here.registrar.onboard(form())
    known = here.directory.participant("BANK01")
    assert known is not None
    assert here.directory.holder("bank-b") is known
    assert certificate_pem() in here.trust.trusted[-1][0]
    assert here.registry.events("BANK01")["bank-a"] == [
        (here.registry.history("BANK01").onboarded_at, "ACTIVE", "onboarded")
    ]


async def test_a_form_with_errors_is_not_stored(here: Process) -> None:
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
    assert here.directory.holder("bank-a") is None
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
    await here.registrar.change("BANK01", key_status_change("bank-a", KeyStatus.BLOCKED), "stolen")
    await here.registrar.offboard("BANK01", "ended")
    assert (await refused(here, lambda: here.registrar.onboard(form(**changes)), TakenError)).startswith(sentence)


async def test_a_change_counts_when_the_call_returns_and_says_why(here: Process) -> None:
    await here.registrar.onboard(form())
    await here.registrar.change("BANK01", key_status_change("bank-a", KeyStatus.BLOCKED), "stolen")
    holder = here.directory.holder("bank-a")
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


async def test_of_two_processes_that_onboard_the_same_participant_at_once_one_is_refused(
    here: Process, there: Process
) -> None:
    acts = [process.registrar.onboard(form(name=name)) for process, name in ((here, "First"), (there, "Second"))]
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [TakenError]
    for process in (here, there):
        await process.follower.refresh()
        assert process.directory.participant("BANK01") is not None


async def test_changes_by_two_processes_at_once_all_count(here: Process, there: Process) -> None:
    await here.registrar.onboard(form())
    second = certificate_pem("second.example")
    await asyncio.gather(
        here.registrar.change("BANK01", key_status_change("bank-a", KeyStatus.RETIRED), "here"),
        there.registrar.change("BANK01", lambda record: with_certificate(record, second), "there"),
        here.registrar.change("BANK01", amended({"name": "Renamed"}), "here"),
        there.registrar.change("BANK01", amended({"ip_addresses": ["192.0.2.1"]}), "there"),
    )
    known = here.registry.known("BANK01")
    assert (known.name, known.ip_addresses, len(known.tls_certificates)) == ("Renamed", ["192.0.2.1"], 2)
    assert here.registry.statuses("BANK01") == {"bank-a": "RETIRED", "bank-b": "ACTIVE"}
