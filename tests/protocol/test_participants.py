"""Participants: their keys by kid, and the addresses that they call from."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from shared.protocol.participants import KeyStatus, Participant


@pytest.mark.parametrize(
    ("networks", "address"),
    [
        (["10.4.17.8"], "10.4.17.8"),
        (["10.4.17.0/24"], "10.4.17.255"),
        (["10.4.17.0/24"], "::ffff:10.4.17.8"),
        (["192.0.2.0/24", "10.4.17.8/32"], "10.4.17.8"),
        (["2001:db8::/32"], "2001:db8:0:1::5"),
        (["2001:db8::5"], "2001:0db8:0000::0005"),
        (["2001:db8::/32", "10.4.17.8"], "10.4.17.8"),
        (["::1", "127.0.0.1"], "127.0.0.1"),
    ],
)
def test_a_call_from_a_listed_address_counts(networks: list[str], address: str, lsp: Participant) -> None:
    assert replace(lsp, networks=tuple(map(ip_network, networks))).calls_from(address)


@pytest.mark.parametrize(
    ("networks", "address"),
    [
        (["10.4.17.8"], "10.4.17.9"),
        (["10.4.17.0/24"], "10.4.18.0"),
        (["10.4.17.0/24"], "::ffff:10.4.18.8"),
        (["10.4.17.0/24"], "2001:db8::1"),
        (["2001:db8::/32"], "2001:db9::1"),
        (["2001:db8::/32"], "10.4.17.8"),
        (["127.0.0.1"], "::1"),
    ],
)
def test_a_call_from_another_address_does_not_count(networks: list[str], address: str, lsp: Participant) -> None:
    assert not replace(lsp, networks=tuple(map(ip_network, networks))).calls_from(address)


@pytest.mark.parametrize("address", ["10.4.17.8", "2001:db8::1"])
def test_whoever_lists_no_address_may_call_from_any(address: str, lsp: Participant) -> None:
    assert replace(lsp, networks=()).calls_from(address)


def test_addresses_that_are_not_judged_do_not_count(lsp: Participant) -> None:
    assert replace(lsp, networks=(ip_network("10.4.17.8"),), judges_addresses=False).calls_from("10.4.17.9")


def test_only_active_and_back_up_keys_count() -> None:
    assert [status for status in KeyStatus if status.counts] == [KeyStatus.ACTIVE, KeyStatus.BACKUP]


def test_what_is_no_address_is_never_taken_for_a_listed_one(lsp: Participant) -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        lsp.calls_from("lsp.example")


def test_a_key_is_found_by_its_exact_kid_whatever_its_status(lsp: Participant) -> None:
    statuses = [key and key.status for key in map(lsp.by_kid.get, ("lsp-2031-a", "lsp-2031-b", "lsp-2030"))]
    assert statuses == [KeyStatus.ACTIVE, KeyStatus.BACKUP, KeyStatus.BLOCKED]
    assert [lsp.by_kid.get(kid) for kid in ("", "LSP-2031-A", "lsp-2031-a ", "lender-2031")] == [None] * 4


def test_a_changed_copy_of_a_participant_finds_its_own_keys(lsp: Participant) -> None:
    blocked = replace(lsp, keys=tuple(replace(key, status=KeyStatus.BLOCKED) for key in lsp.keys[:1]))

    assert blocked.by_kid.get("lsp-2031-a") == blocked.keys[0]
    assert blocked.by_kid.get("lsp-2031-b") is None
    assert lsp.by_kid.get("lsp-2031-a") == lsp.keys[0]
