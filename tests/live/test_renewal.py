"""A TLS certificate is renewed while the pair works: the former one counts until it is removed, and then no more."""

from pathlib import Path

import httpx
import pytest

from tests.live.forger import Answer, Forger, caller
from tests.live.leaves import renew
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


@pytest.mark.check("OCEN-ROT-06")
def test_the_certificate_of_the_lender_is_renewed_under_load_and_the_lsp_goes_on(
    make_pair: PairFactory, tmp_path: Path
) -> None:
    pair = make_pair()
    pair.start()

    with under_load(pair):
        _, thumbprint = renew(pair.lender, pair.lsp, pair, tmp_path)
    with under_load(pair) as traffic:
        pair.lsp.ops.remove_certificate(LENDER, thumbprint, "renewed")

    new = pair.lender.ops.identity()["certificate"]
    assert {one["certificate"] for one in traffic.tries(pair.lsp)} == {thumbprint, new}
