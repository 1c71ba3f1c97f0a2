"""`keys` and `certificates`: which node is told what, and what is refused before any is."""

from pathlib import Path
from typing import Any

import pytest

from shared.node.onboarding.record import thumbprint_of
from tests.sandbox.nodes import Pair
from tests.sandbox.pki_folder import contents
from tests.sandbox.test_cli_participants import AT, DETAILS, KNOWN


def key(kid: str, status: str) -> dict[str, Any]:
    changes = [{"at": AT, "status": status, "reason": ""}]
    return {
        "kid": kid,
        "algorithm": "RS512",
        "status": status,
        "thumbprint": "x",
        "pem": f"{kid}\n",
        "changes": changes,
    }


def own(organisation_id: str, *keys: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {**DETAILS, "organisation_id": organisation_id, "keys": list(keys)}


@pytest.fixture
def knowing(pair: Pair) -> Pair:
    """The LSP knows BANK01 and the lender; each node has two keys of its own."""
    lender = {**KNOWN, "organisation_id": "LENDER01", "keys": [key("lender-1", "ACTIVE"), key("lender-2", "BACKUP")]}
    pair.lsp["GET /participants"] = (200, {"items": [KNOWN, lender]})
    pair.lender["GET /participants"] = (200, {"items": []})
    pair.lsp["GET /participants/LSP123"] = own("LSP123", key("lsp-1", "ACTIVE"), key("lsp-2", "BACKUP"))
    pair.lender["GET /participants/LENDER01"] = own(
        "LENDER01", key("lender-1", "ACTIVE"), key("lender-2", "BACKUP"), key("lender-3", "BACKUP")
    )
    pair.lsp["GET /participants/BANK01"] = (200, DETAILS)
    return pair


def test_keys_of_the_nodes_and_of_a_counterparty_are_listed(knowing: Pair) -> None:
    _, out, _ = knowing.run("keys", "list")
    assert "Own keys of the lender LENDER01" in out
    assert "lsp-2  BACKUP, RS512" in out
    _, out, _ = knowing.run("keys", "list", "--of", "BANK01")
    assert "Keys of BANK01, at the LSP" in out
    assert "BLOCKED, laptop stolen" in out


def test_a_key_of_a_counterparty_goes_to_the_node_that_knows_it(knowing: Pair, tmp_path: Path) -> None:
    (tmp_path / "new.pem").write_text("a public key")
    knowing.lsp["POST /participants/BANK01/keys"] = (201, {**DETAILS, "keys": [key("k-2", "BACKUP")]})
    status, out, _ = knowing.run("keys", "add", "--of", "BANK01", "--kid", "k-2", "--file", str(tmp_path / "new.pem"))
    assert status == 0
    assert "k-2  BACKUP" in out
    assert knowing.asked[-1][1] == {"public_key": "a public key", "kid": "k-2", "reason": ""}


def test_a_node_makes_a_key_and_says_what_is_next(knowing: Pair, tmp_path: Path) -> None:
    knowing.lsp["POST /identity/keys"] = (201, {"kid": "lsp-2"})
    status, out, _ = knowing.run("keys", "add", "--at", "lsp", "--out", str(tmp_path / "new.pub.pem"))
    assert status == 0
    assert (tmp_path / "new.pub.pem").read_text() == "lsp-2\n"
    assert "ocen-sandbox keys add --of LSP123 --file" in out
    assert "ocen-sandbox keys switch lsp-2" in out


@pytest.mark.parametrize(
    ("command", "wish"),
    [
        (["switch", "lsp-2"], {"status": "ACTIVE", "reason": ""}),
        (["retire", "lsp-2", "--reason", "year is over"], {"status": "RETIRED", "reason": "year is over"}),
        (["block", "lsp-2", "--reason", "laptop stolen"], {"status": "BLOCKED", "reason": "laptop stolen"}),
    ],
)
def test_the_node_whose_key_it_is_is_found_by_the_kid(knowing: Pair, command: list[str], wish: object) -> None:
    knowing.lsp["PUT /participants/LSP123/keys/lsp-2"] = own("LSP123", key("lsp-1", "ACTIVE"), key("lsp-2", "BACKUP"))
    status, out, _ = knowing.run("keys", *command)
    assert (status, knowing.asked[-1]) == (0, ("PUT /participants/LSP123/keys/lsp-2", wish))
    assert "Own keys of the LSP now:" in out
    told = "Counterparties" in out
    assert told is (command[0] != "switch")


def test_a_counterpartys_key_is_blocked_where_it_is_known(knowing: Pair) -> None:
    knowing.lsp["PUT /participants/BANK01/keys/k-1"] = (200, DETAILS)
    assert knowing.run("keys", "block", "k-1", "--of", "BANK01", "--reason", "stolen")[0] == 0
    assert knowing.asked[-1] == ("PUT /participants/BANK01/keys/k-1", {"status": "BLOCKED", "reason": "stolen"})


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["keys", "add"], "which node is to make a key? Say --at lender or --at lsp"),
        (["keys", "add", "--at", "lsp", "--file", "x"], "whose key is it? Say --of ORG"),
        (["keys", "add", "--of", "BANK01"], "no key: give BANK01's public key with --file"),
        (["keys", "add", "--at", "lsp", "--out", "pyproject.toml"], "pyproject.toml exists: name a new file"),
        (["keys", "switch", "k-9"], "no key k-9 is a node's own: see `ocen-sandbox keys list`"),
        (["keys", "switch", "lsp-2", "--at", "lender"], "no key lsp-2 is the lender's own"),
        (["keys", "switch", "lender-3"], "the LSP does not know key lender-3, and would refuse it: first"),
        (["keys", "block", "lsp-2"], "Missing option '--reason'"),
        (["keys", "list", "--of", "BANK09"], "no node knows BANK09"),
        (["certificates", "renew"], "whose certificate? Say --at lender, --at lsp, or --of ORG"),
        (["certificates", "renew", "--of", "BANK01"], "has no keys of BANK01: its holder renews"),
        (["certificates", "add", "--of", "BANK01", "--file", "none"], "none cannot be read"),
        (["certificates", "remove", "abcdef12", "--of", "BANK09"], "no node knows BANK09"),
    ],
)
def test_a_wrong_wish_gives_one_line_and_changes_nothing(knowing: Pair, command: list[str], said: str) -> None:
    status, out, err = knowing.run(*command)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert {call.split()[0] for call, _ in knowing.asked} <= {"GET"}


def test_certificates_are_listed_registered_and_removed(knowing: Pair, pki_folder: Path) -> None:
    assert "Certificates of BANK01, at the LSP" in knowing.run("certificates", "list", "--of", "BANK01")[1]
    assert "Own certificates of the LSP LSP123" in knowing.run("certificates", "list", "--at", "lsp")[1]
    knowing.lsp["POST /participants/BANK01/certificates"] = (201, DETAILS)
    pem = pki_folder / "LENDER01" / "tls.pem"
    assert knowing.run("certificates", "add", "--of", "BANK01", "--file", str(pem), "--reason", "new")[0] == 0
    assert knowing.asked[-1][1] == {"tls_certificate": pem.read_text(), "reason": "new"}
    knowing.lsp["DELETE /participants/BANK01/certificates/abcdef12"] = (200, DETAILS)
    assert knowing.run("certificates", "remove", "abcdef12", "--of", "BANK01", "--reason", "old")[0] == 0
    assert knowing.asked[-1][0] == "DELETE /participants/BANK01/certificates/abcdef12?reason=old"


@pytest.fixture
def renewing(knowing: Pair, pki_folder: Path) -> Pair:
    """The pair runs with the keys of `pki_folder`; the LSP takes a further certificate of the lender."""
    knowing.certs = pki_folder
    knowing.lsp["POST /participants/LENDER01/certificates"] = (201, DETAILS)
    return knowing


@pytest.mark.parametrize("new_key", [False, True])
def test_a_renewed_certificate_is_told_before_it_is_shown(renewing: Pair, pki_folder: Path, new_key: bool) -> None:
    home = pki_folder / "LENDER01"
    before = contents(home)
    wish = ("certificates", "renew", "--at", "lender", *(["--new-key"] if new_key else []))
    assert renewing.run(*wish, "--prepare")[0] == 0
    waiting = (home / "tls.next.pem").read_text()
    assert renewing.asked[-1][1] == {"tls_certificate": waiting, "reason": "renewal"}
    assert {name: contents(home)[name] for name in before} == before
    renewing.lender["POST /identity/certificate"] = (200, {"certificate": "ab"})
    status, out, _ = renewing.run(*wish)
    assert status == 0
    assert (home / "tls.pem").read_text() == waiting
    assert ((home / "tls.key").read_bytes() != before["tls.key"][0]) is new_key
    assert (home / "tls.key").stat().st_mode & 0o777 == 0o600
    assert not list(home.glob("*.next.*"))
    assert "ocen-sandbox certificates remove" in out


def test_a_certificate_that_the_node_does_not_take_leaves_the_former_one_in_use(
    renewing: Pair, pki_folder: Path
) -> None:
    home = pki_folder / "LENDER01"
    before = {name: text for name, (text, _) in contents(home).items()}
    renewing.lender["POST /identity/certificate"] = (409, {"detail": "no"})
    status, _, err = renewing.run("certificates", "renew", "--at", "lender", "--new-key")
    assert (status, err) == (2, "ocen-sandbox: the lender says: no\n")
    assert {name: text for name, (text, _) in contents(home).items() if ".next." not in name} == before


def test_who_has_a_certificate_for_each_use_renews_both(pair: Pair, pki_folder: Path) -> None:
    status, out, _ = pair.run(
        "pki", "issue", "TWO", "--role", "LSP", "--two-certificates", "--certs-dir", str(pki_folder)
    )
    assert (status, "tls-client.pem, tls-client.key" in out) == (0, True)
    home = pki_folder / "TWO"
    former = [thumbprint_of((home / name).read_text()) for name in ("tls.pem", "tls-client.pem")]
    pair.certs = pki_folder
    pair.lsp["GET /participants"] = (200, {"items": [{**KNOWN, "organisation_id": "TWO"}]})
    pair.lender["GET /participants"] = (200, {"items": []})
    pair.lsp["POST /participants/TWO/certificates"] = (201, DETAILS)
    status, out, _ = pair.run("certificates", "renew", "--of", "TWO")
    assert status == 0
    told = [body["tls_certificate"] for _, body in pair.asked if body]
    assert told == [(home / name).read_text() for name in ("tls.pem", "tls-client.pem")]
    assert all(f"certificates remove {thumbprint[:16]} --of TWO" in out for thumbprint in former)
