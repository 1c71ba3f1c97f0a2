"""From which addresses a running lender takes messages, and whose word on an address it takes."""

from collections.abc import Mapping

import pytest

from tests.live.forger import JSON, Answer, calling_as
from tests.live.letters import TRIGGER, envelope, letter, path_of
from tests.live.pair import LSP, Pair, PairFactory
from tests.live.spoiling import is_ours

LISTED, UNLISTED, PROXY = "127.0.0.1", "127.0.0.2", "127.0.0.3"

pytestmark = pytest.mark.skipif(
    not (is_ours(UNLISTED) and is_ours(PROXY)), reason=f"this machine cannot call from {UNLISTED} and {PROXY}"
)


def post(pair: Pair, address: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a message of the LSP from that address."""
    body = envelope(letter(TRIGGER, LSP), pair.lsp.identity.signing_key)
    with calling_as(LSP, pair, pair.lender, address) as forger:
        return forger.call("POST", path_of(TRIGGER), body, {**JSON, **(headers or {})})


@pytest.mark.check("OCEN-TLS-07")
def test_the_list_of_addresses_may_change_and_may_be_switched_off_while_the_lender_runs(
    make_pair: PairFactory,
) -> None:
    pair = make_pair()
    pair.start()
    ops = pair.lender.ops
    assert [post(pair, address).error for address in (LISTED, UNLISTED)] == ["0", "AUTH1004"]

    ops.amend(LSP, ip_addresses=["127.0.0.2/31", "2001:db8::/32"])
    assert [post(pair, address).error for address in (LISTED, UNLISTED, PROXY)] == ["AUTH1004", "0", "0"]

    ops.amend(LSP, judges_addresses=False)
    assert post(pair, LISTED).error == "0"

    ops.amend(LSP, judges_addresses=True)
    assert post(pair, LISTED).error == "AUTH1004"


@pytest.mark.check("OCEN-TLS-07")
def test_a_proxy_of_ours_is_believed_and_nobody_else(make_pair: PairFactory) -> None:
    pair = make_pair(trusted_proxies=f"{PROXY},10.0.0.0/8")
    pair.start()
    before = pair.lender.books.entries()

    assert post(pair, PROXY).error == "AUTH1004"
    assert post(pair, PROXY, {"x-forwarded-for": f"{LISTED}, {UNLISTED}"}).error == "AUTH1004"
    assert post(pair, UNLISTED, {"x-forwarded-for": LISTED}).error == "AUTH1004"
    assert pair.lender.books.entries() <= before
    assert post(pair, PROXY, {"x-forwarded-for": f"{UNLISTED}, {LISTED}, 10.1.2.3"}).error == "0"
    assert post(pair, LISTED, {"x-forwarded-for": UNLISTED}).error == "0"
