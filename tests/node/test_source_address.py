"""Where a call comes from, and what becomes of one that comes from an address that its sender has not listed."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from shared.ip_addresses import Network
from shared.node.tables import INBOX, REFUSALS
from shared.protocol.problems import Problem
from shared.protocol.signing import VerificationKey
from shared.transport.source_address import source_address, source_network
from tests.equipment.asgi import JSON
from tests.equipment.lender_node import lender_node
from tests.equipment.parties import LISTED_ADDRESS, UNLISTED_ADDRESS, lender_key, lsp
from tests.equipment.storage import contents, rows

PROXY = "10.0.0.5"
PROXIES: tuple[Network, ...] = (ip_network(PROXY), ip_network("10.1.0.0/24"), ip_network("2001:db8:f::/48"))


def forwarded(*lines: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"lender.example"), *((b"x-forwarded-for", line.encode("latin-1")) for line in lines)]


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        (PROXY, ["192.0.2.7"], "192.0.2.7"),
        (PROXY, ["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
        (PROXY, ["203.0.113.9, 192.0.2.7, 10.1.0.8"], "192.0.2.7"),
        (PROXY, ["203.0.113.9", "192.0.2.7", "10.1.0.8"], "192.0.2.7"),
        (PROXY, ["10.1.0.9, 10.1.0.8"], "10.1.0.9"),
        (PROXY, [" 2001:0db8:0:0::7 "], "2001:db8::7"),
        ("::ffff:10.0.0.5", ["192.0.2.7"], "192.0.2.7"),
        ("2001:db8:f::1", ["2001:db8::7, 2001:db8:f::2"], "2001:db8::7"),
    ],
)
def test_behind_a_proxy_of_ours_the_caller_is_the_last_that_is_no_proxy(
    peer: str, lines: list[str], expected: str
) -> None:
    assert source_address(peer, forwarded(*lines), PROXIES) == expected


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
        ("2001:db8::7", "2001:db8::ffff:0:0:8", True),
        ("2001:db8::7", "2001:db8:0:1::7", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_a_source_is_an_ipv4_address_or_a_64_network_of_ipv6(one: str, other: str, is_same: bool) -> None:
    assert (source_network(one) == source_network(other)) is is_same


@pytest.mark.parametrize("lines", [[], [""], ["unknown"], ["192.0.2.7,"], ["192.0.2.7:443"], ["_hidden"], ["\xe9"]])
def test_a_proxy_that_names_no_address_is_the_caller_itself(lines: list[str]) -> None:
    assert source_address(PROXY, forwarded(*lines), PROXIES) == PROXY


def test_what_stands_before_an_entry_that_is_no_address_is_not_read() -> None:
    assert source_address(PROXY, forwarded("192.0.2.7, unknown, 10.1.0.8"), PROXIES) == "10.1.0.8"


@pytest.mark.parametrize("peer", ["10.0.0.6", "2001:db8:e::1", "192.0.2.7"])
def test_from_nobody_else_is_the_header_believed(peer: str) -> None:
    assert source_address(peer, forwarded("198.51.100.1"), PROXIES) == peer


def test_without_proxies_of_ours_the_header_means_nothing() -> None:
    assert source_address(PROXY, forwarded("198.51.100.1"), ()) == PROXY


def test_the_header_forwarded_means_nothing() -> None:
    assert source_address(PROXY, [(b"forwarded", b"for=192.0.2.7")], PROXIES) == PROXY


FORGED = [
    {},
    {"x-forwarded-for": LISTED_ADDRESS},
    {"forwarded": f"for={LISTED_ADDRESS}"},
    {"x-real-ip": LISTED_ADDRESS},
]


@pytest.mark.check("OCEN-TLS-07")
@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: next(iter(headers), "no header"))
async def test_a_call_from_an_address_not_listed_is_refused_before_any_signature_is_looked_at(
    tmp_path: Path, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lender_node(tmp_path) as lender:
        before = contents(lender.node.engine, [REFUSALS])
        with monkeypatch.context() as patched:
            patched.setattr(VerificationKey, "verify", _must_not_be_called)
            answer = await lender.post(address=UNLISTED_ADDRESS, headers={**JSON, **headers})
        ack = answer.ack(lender_key().public())
        assert (answer.status, ack["error"]) == (403, Problem.SENDER.code)
        assert ack["detail"]["check"] == "source_address_is_listed"
        assert contents(lender.node.engine, [REFUSALS]) == before
        assert [row["address"] for row in rows(lender.node.engine, REFUSALS)] == [UNLISTED_ADDRESS]


async def test_an_address_is_not_judged_where_that_is_switched_off_for_its_participant(tmp_path: Path) -> None:
    async with lender_node(tmp_path) as lender:
        lender.node.directory.replace([lsp(judges_addresses=False)])
        assert (await lender.post(address=UNLISTED_ADDRESS)).status == 200


@pytest.mark.parametrize(
    ("caller", "status"), [(LISTED_ADDRESS, 200), (UNLISTED_ADDRESS, 403)], ids=["listed", "not listed"]
)
async def test_behind_a_proxy_of_ours_the_caller_it_names_is_judged_and_written_down(
    tmp_path: Path, caller: str, status: int
) -> None:
    async with lender_node(tmp_path, proxies=PROXIES) as lender:
        answer = await lender.post(address=PROXY, headers={**JSON, "x-forwarded-for": f"198.51.100.1, {caller}"})
        assert answer.status == status
        (row,) = [*rows(lender.node.engine, INBOX), *rows(lender.node.engine, REFUSALS)]
        assert row["address"] == caller


async def test_a_proxy_of_ours_that_names_nobody_is_judged_itself(tmp_path: Path) -> None:
    async with lender_node(tmp_path, proxies=PROXIES) as lender:
        before = contents(lender.node.engine, [REFUSALS])
        assert (await lender.post(address=PROXY)).status == 403
        assert contents(lender.node.engine, [REFUSALS]) == before


def _must_not_be_called(*_: Any) -> bool:
    raise AssertionError("the signature was looked at")
