"""Who gets through to a running lender: each caller here carries a message that would be accepted from the LSP."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.live.forger import Answer, Forger, caller
from tests.live.leaves import leaf_issued_at
from tests.live.letters import TRIGGER, envelope, letter, path_of
from tests.live.pair import LSP, Pair
from tests.node.certificates import Authority

both_versions = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"]
)


def call(pair: Pair, tls: ssl.SSLContext, url: str | None = None) -> Answer:
    """Send a good message of the LSP over a new connection."""
    with Forger(url or pair.lender.url, tls, pair.lender.public_key) as forger:
        return forger.post(path_of(TRIGGER), envelope(letter(TRIGGER, LSP), pair.lsp.identity.signing_key))


def refused_by(pair: Pair, tls: ssl.SSLContext) -> str:
    """Call in vain, leaving no trace in the lender's journal; what the lender's TLS alert says."""
    before = pair.lender.books.entries_and_refusals()
    with pytest.raises(httpx.TransportError) as refusal:
        call(pair, tls)
    assert pair.lender.books.entries_and_refusals() <= before
    return str(refusal.value)


@both_versions
def test_the_registered_certificate_gets_through(pair: Pair, version: ssl.TLSVersion) -> None:
    home = pair.certs / LSP
    tls = caller(pair.certs / "ca.pem", home / "tls.pem", home / "tls.key")
    tls.maximum_version = version

    assert call(pair, tls).status == 200


@both_versions
def test_a_caller_without_a_certificate_does_not_get_through(pair: Pair, version: ssl.TLSVersion) -> None:
    tls = caller(pair.certs / "ca.pem", None)
    tls.maximum_version = version

    alert = refused_by(pair, tls)

    assert "certificate required" in alert or "handshake failure" in alert


def test_a_certificate_of_an_unknown_authority_does_not_get_through(pair: Pair, tmp_path: Path) -> None:
    leaf = Authority("Strange authority").issue(tmp_path, LSP)

    assert "unknown ca" in refused_by(pair, caller(pair.certs / "ca.pem", leaf.certificate, leaf.private_key))


@both_versions
@pytest.mark.parametrize(
    ("issued", "alert"),
    [(timedelta(days=-1000), "certificate expired"), (timedelta(days=1), "bad certificate")],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_out_of_its_time_does_not_get_through(
    pair: Pair, tmp_path: Path, issued: timedelta, alert: str, version: ssl.TLSVersion
) -> None:
    leaf = leaf_issued_at(datetime.now(UTC) + issued, pair.certs, tmp_path)
    tls = caller(pair.certs / "ca.pem", leaf.certificate, leaf.private_key)
    tls.maximum_version = version

    assert alert in refused_by(pair, tls)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_a_caller_that_speaks_tls_1_1_only_does_not_get_through(pair: Pair) -> None:
    home = pair.certs / LSP
    tls = caller(pair.certs / "ca.pem", home / "tls.pem", home / "tls.key")
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1

    assert "protocol version" in refused_by(pair, tls)


def test_plain_http_does_not_get_through(pair: Pair) -> None:
    before = pair.lender.books.entries_and_refusals()

    with pytest.raises(httpx.TransportError):
        call(pair, caller(pair.certs / "ca.pem", None), pair.lender.url.replace("https:", "http:"))

    assert pair.lender.books.entries_and_refusals() <= before


def test_a_certificate_of_our_authority_that_nobody_registered_is_refused_by_a_signed_ack(
    pair: Pair, tmp_path: Path
) -> None:
    leaf = leaf_issued_at(datetime.now(UTC), pair.certs, tmp_path)
    before = pair.lender.books.entries()

    answer = call(pair, caller(pair.certs / "ca.pem", leaf.certificate, leaf.private_key))

    assert (answer.status, answer.error) == (401, "AUTH1001")
    assert answer.ack["detail"]["check"] == "certificate_is_registered"
    assert pair.lender.books.entries() <= before


def test_a_message_of_the_lsp_over_the_connection_of_another_lsp_is_refused_by_a_signed_ack(
    pair: Pair, acme_forger: Forger
) -> None:
    before = pair.lender.books.entries()

    answer = acme_forger.post(path_of(TRIGGER), envelope(letter(TRIGGER, LSP), pair.lsp.identity.signing_key))

    assert (answer.status, answer.error) == (401, "AUTH1001")
    assert answer.ack["detail"]["check"] == "certificate_is_registered"
    assert pair.lender.books.entries() <= before
