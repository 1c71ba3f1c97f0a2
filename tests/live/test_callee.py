"""Whom a running lender calls back: nobody but the holder of a certificate that the LSP has registered."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.node.identity import load_identity
from shared.protocol.problems import SUCCESS
from shared.transport.tls import thumbprint
from tests.live.forger import calling_as
from tests.live.leaves import Leaf, leaf_issued_at, sandbox_authority
from tests.live.letters import TRIGGER, TRIGGERED, envelope, letter, path_of
from tests.live.listener import Listener, showing
from tests.live.pair import ACME, LENDER, SECOND_BANK, Pair, pair_in
from tests.live.waiting import eventually
from tests.node.certificates import Authority


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Pair]:
    """A pair that tries again soon, and often."""
    folder = tmp_path_factory.mktemp("callee")
    with pair_in(folder, certs, retry_base_seconds=0.2, retry_attempts=100) as pair:
        pair.start()
        yield pair


def own_leaf(pair: Pair, organisation_id: str) -> Leaf:
    home = pair.certs / organisation_id
    return Leaf(home / "tls.pem", home / "tls.key")


def strange(pair: Pair, folder: Path) -> Leaf:
    leaf = Authority("Strange authority").issue(folder, ACME.organisation_id)
    return Leaf(leaf.certificate, leaf.private_key)


def expired(pair: Pair, folder: Path) -> Leaf:
    return leaf_issued_at(datetime.now(UTC) - timedelta(days=1000), pair.certs, folder, ACME.organisation_id)


def of_another_host(pair: Pair, folder: Path) -> Leaf:
    leaf = sandbox_authority(pair.certs).issue(folder, ACME.organisation_id, hosts=("other.example",))
    return Leaf(leaf.certificate, leaf.private_key)


def of_another_participant(pair: Pair, folder: Path) -> Leaf:
    return own_leaf(pair, SECOND_BANK.organisation_id)


def not_registered(pair: Pair, folder: Path) -> Leaf:
    return leaf_issued_at(datetime.now(UTC), pair.certs, folder, ACME.organisation_id)


@pytest.mark.check("OCEN-TLS-08", "OCEN-TLS-09")
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (strange, "unable to get local issuer certificate"),
        (expired, "certificate has expired"),
        (of_another_host, "Hostname mismatch"),
        (of_another_participant, "a certificate that its participant has not registered"),
        (not_registered, "a certificate that its participant has not registered"),
    ],
)
def test_a_callback_goes_to_the_lsps_own_server_alone_and_waits_until_that_answers(
    pair: Pair, tmp_path: Path, wrong: object, reason: str
) -> None:
    assert callable(wrong)
    leaf, acme = wrong(pair, tmp_path), load_identity(pair.certs / ACME.organisation_id / "identity.json")
    shown = showing(leaf.certificate, leaf.private_key, pair.certs / "ca.pem")
    with Listener(shown, acme.signing_key) as listener:
        pair.lender.ops.amend(ACME.organisation_id, base_url=listener.base_url)
        request = letter(TRIGGER, ACME.organisation_id)
        with calling_as(ACME.organisation_id, pair, pair.lender) as forger:
            assert forger.post(path_of(TRIGGER), envelope(request, acme.signing_key)).error == SUCCESS

        tried = eventually(lambda: pair.lender.tried(request["requestId"], TRIGGERED, 2))
        assert {attempt["outcome"] for attempt in tried["attempts"]} == {"FAILED"}
        assert all(reason in attempt["reason"] for attempt in tried["attempts"])
        eventually(lambda: len(listener.calls) >= 2)
        assert {call.said for call in listener.calls} == {b""}

        own = own_leaf(pair, ACME.organisation_id)
        listener.shows = showing(own.certificate, own.private_key, pair.certs / "ca.pem")
        eventually(lambda: pair.lender.delivered(request["requestId"], TRIGGERED))
        last = eventually(lambda: next((call for call in listener.calls if call.said), None))
    (registered,) = pair.lsp.ops.participant(LENDER)["certificates"]
    assert thumbprint(last.certificate) == registered["thumbprint"]
