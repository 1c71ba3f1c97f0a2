"""Whose certificates the registry's socket takes: also those of who is not approved yet, unless that harms others."""

from pathlib import Path

import pytest

from registry_app.trust import client_trust
from shared.transport.tls import check_trust
from tests.node.certificates import Authority, self_signed


def test_who_applies_is_trusted_like_who_is_served(tmp_path: Path) -> None:
    issuers, served = Authority().pem, self_signed(tmp_path, "served.example").pem
    applying = [self_signed(tmp_path, "applies.example").pem, Authority().issue(tmp_path, "issued.example").pem]
    trust = client_trust(issuers, [served], applying)
    assert all(pem in trust for pem in (issuers, served, *applying))
    check_trust(trust)


@pytest.mark.parametrize("name", ["Test CA", "test  ca"])
def test_who_applies_with_the_name_of_an_issuer_is_not_trusted(tmp_path: Path, name: str) -> None:
    namesake = self_signed(tmp_path, name).pem
    issued = Authority().issue(tmp_path, "lender.example").pem
    for issuers, served in ((Authority().pem, []), ("", [issued])):
        assert namesake not in client_trust(issuers, served, [namesake])


def test_where_issuers_cannot_be_read_nobody_who_applies_is_trusted(tmp_path: Path) -> None:
    served, applying = (self_signed(tmp_path, name).pem for name in ("served.example", "applies.example"))
    trust = client_trust("no certificate", [served], [applying])
    assert (served in trust, applying in trust) == (True, False)
