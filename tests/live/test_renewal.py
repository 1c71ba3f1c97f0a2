"""A TLS certificate is renewed while the pair works: the former one counts until it is removed, and then no more."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sandbox.errors import SandboxError
from shared.protocol.participants import KeyStatus
from tests.live.forger import Answer, Forger, caller
from tests.live.leaves import leaf_issued_at, renew
from tests.live.letters import TRIGGER, envelope, letter, path_of
from tests.live.pair import LENDER, LSP, Pair, PairFactory
from tests.live.traffic import under_load


def post(forger: Forger, pair: Pair) -> Answer:
    """Send a message of the LSP that was written just now."""
    return forger.post(path_of(TRIGGER), envelope(letter(TRIGGER, LSP), pair.lsp.identity.signing_key))


@pytest.mark.check("OCEN-ROT-06")
def test_the_certificate_of_the_lsp_is_renewed_under_load_and_the_removed_one_does_not_pass_any_more(
    make_pair: PairFactory, tmp_path: Path
) -> None:
    pair = make_pair()
    pair.start()
    home = pair.certs / LSP
    with under_load(pair):
        former, thumbprint = renew(pair.lsp, pair.lender, pair, tmp_path)

    tls = caller(pair.certs / "ca.pem", former.certificate, former.private_key)
    new = caller(pair.certs / "ca.pem", home / "tls.pem", home / "tls.key")
    signer = pair.lender.public_key
    with Forger(pair.lender.url, tls, signer) as old_open, Forger(pair.lender.url, new, signer) as new_open:
        assert [post(forger, pair).error for forger in (old_open, new_open)] == ["0", "0"]
        open_connection = old_open.connection
        with under_load(pair):
            pair.lender.ops.remove_certificate(LSP, thumbprint, "renewed")

            refusal = post(old_open, pair)

            assert (refusal.status, refusal.error) == (401, "AUTH1001")
            assert refusal.ack["detail"]["check"] == "certificate_is_registered"
            assert old_open.connection == open_connection
            assert post(new_open, pair).error == "0"

    entries = pair.lender.books.entries_and_refusals()
    with Forger(pair.lender.url, tls, signer) as anew, pytest.raises(httpx.TransportError):
        post(anew, pair)
    assert pair.lender.books.entries_and_refusals() <= entries


def test_a_certificate_without_its_private_key_is_not_taken_and_changes_nothing(
    make_pair: PairFactory, tmp_path: Path
) -> None:
    pair = make_pair()
    pair.start()
    identity, known, backup = pair.lsp.ops.identity(), pair.lsp.ops.participant(LSP), pair.lsp.identity.backup_keys[0]
    leaf = leaf_issued_at(datetime.now(UTC), pair.certs, tmp_path)
    leaf.certificate.rename(pair.certs / LSP / "tls.pem")

    with pytest.raises(SandboxError, match=r"tls\.key is not the key of .*tls\.pem"):
        pair.lsp.ops.renew_certificate()

    assert pair.lsp.ops.identity() == identity
    assert pair.lsp.ops.participant(LSP) == known
    leaf.private_key.rename(pair.certs / LSP / "tls.key")
    pair.lender.ops.add_certificate(LSP, (pair.certs / LSP / "tls.pem").read_text(), "renewed")
    with under_load(pair):
        assert pair.lsp.ops.renew_certificate() != identity["certificate"]
        pair.lsp.ops.change_key(LSP, backup.kid, KeyStatus.ACTIVE, "rotation")


@pytest.mark.check("OCEN-ROT-06")
def test_the_certificate_of_the_lender_is_renewed_under_load_and_the_lsp_goes_on(
    make_pair: PairFactory, tmp_path: Path
) -> None:
    pair = make_pair()
    pair.start()

    with under_load(pair) as traffic:
        _, thumbprint = renew(pair.lender, pair.lsp, pair, tmp_path)
        traffic.goes_on()
        pair.lsp.ops.remove_certificate(LENDER, thumbprint, "renewed")

    new = pair.lender.ops.identity()["certificate"]
    assert {attempt["certificate"] for attempt in traffic.tries(pair.lsp)} == {thumbprint, new}
