"""Who gets through to a running lender: each caller here carries a message that would be accepted from the LSP."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.client_hello import ALERT, HANDSHAKE, HANDSHAKE_FAILURE, PROTOCOL_VERSION, Reply, reply_to
from tests.live.forger import JSON, Answer, Forger, caller, calling_as
from tests.live.leaves import leaf_issued_at, sandbox_authority
from tests.live.letters import TRIGGER, envelope, letter, path_of
from tests.live.pair import LSP, Pair
from tests.live.spoiling import UNLISTED_ADDRESS, is_ours
from tests.node.certificates import SERVER, Authority

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


@pytest.mark.check("OCEN-TLS-01")
@both_versions
def test_a_caller_without_a_certificate_does_not_get_through(pair: Pair, version: ssl.TLSVersion) -> None:
    tls = caller(pair.certs / "ca.pem", None)
    tls.maximum_version = version

    alert = refused_by(pair, tls)

    assert "certificate required" in alert or "handshake failure" in alert


@pytest.mark.check("OCEN-TLS-02")
def test_a_certificate_of_an_unknown_authority_does_not_get_through(pair: Pair, tmp_path: Path) -> None:
    leaf = Authority("Strange authority").issue(tmp_path, LSP)

    assert "unknown ca" in refused_by(pair, caller(pair.certs / "ca.pem", leaf.certificate, leaf.private_key))


@pytest.mark.check("OCEN-TLS-03")
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


FAULTS = {
    "for servers only": {"usages": (SERVER,)},
    "not for signing": {"can_sign": False},
    "an issuer's": {"is_authority": True},
}


@pytest.mark.check("OCEN-TLS-04")
@both_versions
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_certificate_made_for_another_use_does_not_get_through(
    pair: Pair, tmp_path: Path, fault: dict[str, Any], version: ssl.TLSVersion
) -> None:
    leaf = sandbox_authority(pair.certs).issue(tmp_path, LSP, **fault)
    tls = caller(pair.certs / "ca.pem", leaf.certificate, leaf.private_key)
    tls.maximum_version = version

    assert refused_by(pair, tls)


GOOD_SUITE = 0xC02F  # ECDHE with RSA, AES 128 GCM

WEAK_SUITES = {
    "no encryption": [0x003B, 0x0002, 0x0001],
    "export grade": [0x0003, 0x0006, 0x0008],
    "RC4": [0x0004, 0x0005, 0xC011],
    "3DES": [0x000A, 0x0016, 0xC012],
    "anonymous": [0x0034, 0x00A6, 0xC018],
    "static RSA": [0x009C, 0x009D, 0x003C, 0x002F],
    "CBC with SHA-1": [0xC013, 0xC014, 0x0033],
}


def offer(pair: Pair, version: int, suites: Sequence[int]) -> Reply:
    return reply_to(("127.0.0.1", int(pair.lender.settings["OCEN_PORT"])), version, suites)


@pytest.mark.check("OCEN-TLS-06")
@pytest.mark.parametrize("version", [0x0301, 0x0302], ids=["tls1.0", "tls1.1"])
def test_a_caller_that_speaks_nothing_newer_than_tls_1_1_does_not_get_through(pair: Pair, version: int) -> None:
    assert offer(pair, version, [GOOD_SUITE, 0xC013, 0x002F]) == (ALERT, PROTOCOL_VERSION)


@pytest.mark.check("OCEN-TLS-06")
@pytest.mark.parametrize("suites", WEAK_SUITES.values(), ids=WEAK_SUITES)
def test_a_caller_that_offers_weak_suites_alone_does_not_get_through(pair: Pair, suites: list[int]) -> None:
    assert offer(pair, 0x0303, suites) == (ALERT, HANDSHAKE_FAILURE)
    assert offer(pair, 0x0303, [*suites, GOOD_SUITE]).kind == HANDSHAKE


@pytest.mark.check("OCEN-TLS-06")
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


@pytest.mark.check("OCEN-TLS-05")
def test_a_message_of_the_lsp_over_the_connection_of_another_lsp_is_refused_by_a_signed_ack(
    pair: Pair, acme_forger: Forger
) -> None:
    before = pair.lender.books.entries()

    answer = acme_forger.post(path_of(TRIGGER), envelope(letter(TRIGGER, LSP), pair.lsp.identity.signing_key))

    assert (answer.status, answer.error) == (401, "AUTH1001")
    assert answer.ack["detail"]["check"] == "certificate_is_registered"
    assert pair.lender.books.entries() <= before


@pytest.mark.check("OCEN-TLS-07")
@pytest.mark.parametrize(
    "headers",
    [{}, {"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}],
    ids=["as it is", "X-Forwarded-For", "Forwarded"],
)
def test_a_message_from_an_address_not_listed_is_refused_whatever_its_headers_say(
    pair: Pair, headers: dict[str, str]
) -> None:
    if not is_ours(UNLISTED_ADDRESS):
        pytest.skip(f"this machine cannot call from {UNLISTED_ADDRESS}, the only address that is not listed")
    before = pair.lender.books.entries()
    body = envelope(letter(TRIGGER, LSP), pair.lsp.identity.signing_key)

    with calling_as(LSP, pair, pair.lender, UNLISTED_ADDRESS) as forger:
        answer = forger.call("POST", path_of(TRIGGER), body, {**JSON, **headers})

    assert (answer.status, answer.error) == (403, "AUTH1004")
    assert answer.ack["detail"]["check"] == "source_address_is_listed"
    assert pair.lender.books.entries() <= before
