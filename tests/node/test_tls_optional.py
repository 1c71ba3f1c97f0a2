"""A server that asks for a client certificate without demanding one: none is fine, a wrong one is not."""

import ssl
from pathlib import Path

import pytest

from shared.transport.peer_protocol import PEER_EXTENSION
from shared.transport.tls import TlsTrust, thumbprint
from tests.node.certificates import PAST, Authority, Identity
from tests.node.loopback import GET, REFUSED, TLS12, TLS13, Run, Witness, caller, exchange

VERSIONS = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["tls1.2", "tls1.3"])


@pytest.fixture
def optional_trust(authority: Authority, lender: Identity) -> TlsTrust:
    return TlsTrust(lender.certificate, lender.private_key, authority.pem, demands_certificate=False)


@VERSIONS
def test_a_caller_without_a_certificate_is_let_in(
    run: Run, witness: Witness, optional_trust: TlsTrust, authority: Authority, version: ssl.TLSVersion
) -> None:
    anonymous = ssl.create_default_context(cadata=authority.pem)
    anonymous.maximum_version = version
    run(exchange(witness, optional_trust.server, anonymous, GET))
    (scope,) = witness.scopes
    assert PEER_EXTENSION not in scope["extensions"]


@VERSIONS
def test_a_certificate_that_is_shown_is_verified_and_told(
    run: Run, witness: Witness, optional_trust: TlsTrust, authority: Authority, lsp: Identity, version: ssl.TLSVersion
) -> None:
    run(exchange(witness, optional_trust.server, caller(lsp, authority, version), GET))
    (scope,) = witness.scopes
    assert scope["extensions"][PEER_EXTENSION].thumbprint == thumbprint(lsp.der)


@VERSIONS
@pytest.mark.parametrize("fault", ["another authority's", "expired", "an issuer's", "removed"])
def test_a_wrong_certificate_is_refused_though_none_would_not_be(
    run: Run,
    witness: Witness,
    optional_trust: TlsTrust,
    authority: Authority,
    tmp_path: Path,
    version: ssl.TLSVersion,
    fault: str,
) -> None:
    issuer = Authority(owner="an impostor") if fault == "another authority's" else authority
    changes = {"expired": {"not_after": PAST}, "an issuer's": {"is_authority": True}}.get(fault, {})
    wrong = issuer.issue(tmp_path / "wrong", "lsp.example", **changes)  # type: ignore[arg-type]
    if fault == "removed":
        optional_trust.replace(authority.pem, frozenset({thumbprint(wrong.der)}))
    with pytest.raises(REFUSED):
        run(exchange(witness, optional_trust.server, caller(wrong, authority, version), GET))
    assert witness.scopes == []
