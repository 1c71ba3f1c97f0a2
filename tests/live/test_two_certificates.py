"""A pair whose nodes serve with one certificate and call with another, as public authorities issue them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.pki.folder import SANDBOX_PAIR, initialise
from shared.catalogue.table import example_of, find_message
from shared.clock import SystemClock
from shared.node.ids import new_id
from shared.node.onboarding.record import thumbprint_of
from shared.node.tables import ATTEMPTS
from tests.live.letters import TRIGGER, TRIGGERED
from tests.live.pair import LENDER, LSP, Pair, pair_in
from tests.live.waiting import eventually


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A running pair with two certificates each."""
    both = [replace(organisation, has_two_certificates=True) for organisation in SANDBOX_PAIR]
    initialise(tmp_path / "keys", both, (), SystemClock().now())
    with pair_in(tmp_path / "pair", tmp_path / "keys") as pair:
        pair.start()
        yield pair


def test_requests_and_callbacks_pass_with_a_certificate_for_each_use(pair: Pair) -> None:
    request_id = new_id()
    pair.lsp.ops.send(TRIGGER, LENDER, {"requestId": request_id, **example_of(find_message(TRIGGER))})

    eventually(lambda: pair.lender.delivered(request_id, TRIGGERED))

    request = pair.lender.received(request_id, TRIGGER)
    assert request is not None
    serving, calling = (thumbprint_of((pair.certs / LSP / name).read_text()) for name in ("tls.pem", "tls-client.pem"))
    assert request["certificate"] == calling
    assert {row["certificate"] for row in pair.lender.books.rows(ATTEMPTS)} == {serving}
    known = pair.lender.ops.participant(LSP)
    assert known is not None
    uses = {certificate["thumbprint"]: certificate["uses"] for certificate in known["certificates"]}
    assert uses == {serving: ["serving"], calling: ["calling"]}
    assert pair.lsp.ops.identity()["client_certificate"] == calling
