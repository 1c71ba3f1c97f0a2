"""A TLS certificate is renewed while the pair works: the former one counts until it is removed, and then no more."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.live.forger import Answer, Forger, caller
from tests.live.leaves import Leaf, leaf_issued_at
from tests.live.letters import TRIGGER, envelope, letter, path_of
from tests.live.pair import LENDER, LSP, Pair, PairFactory, Side
from tests.live.traffic import under_load


def renew(side: Side, by: Side, pair: Pair, folder: Path) -> tuple[Leaf, str]:
    """Renew a side's certificate as its operator would, `by` being told before; the former, and its thumbprint."""
    organisation_id, home = side.identity.organisation_id, side.identity.tls_certificate.parent
    former = Leaf(folder / "former.pem", folder / "former.key")
    thumbprint = side.ops.identity()["certificate"]
    (home / "tls.pem").rename(former.certificate)
    (home / "tls.key").rename(former.private_key)
    leaf = leaf_issued_at(datetime.now(UTC), pair.certs, folder, organisation_id)
    by.ops.add_certificate(organisation_id, leaf.certificate.read_text(), "renewed")
    leaf.private_key.rename(home / "tls.key")
    leaf.certificate.rename(home / "tls.pem")
    assert side.ops.identity()["certificate"] == thumbprint
    assert side.ops.renew_certificate() == side.ops.identity()["certificate"] != thumbprint
    return former, thumbprint


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
