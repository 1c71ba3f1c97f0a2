"""Counterparties come, change and go while the nodes run, and a restart undoes nothing of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.errors import SandboxError
from sandbox.pki.certificates import public_pem
from sandbox.pki.folder import issue
from sandbox.pki.organisation import Organisation, own_form
from shared.catalogue.table import example_of, find_message
from shared.node.identity import load_identity
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus
from shared.protocol.problems import SUCCESS
from shared.protocol.signing import SigningKey, new_private_key, private_pem
from shared.transport.tls import thumbprint
from tests.live.forger import Answer, Forger, caller, calling_as
from tests.live.leaves import Leaf, renew
from tests.live.letters import TRIGGER, TRIGGERED, envelope, letter, path_of
from tests.live.pair import ACME, LENDER, LSP, NOWHERE, Pair, PairFactory, Side
from tests.live.traffic import under_load
from tests.live.waiting import eventually
from tests.node.certificates import self_signed

LATE = Organisation("LATE01", "Late Loans", Role.LOAN_AGENT, NOWHERE)
"""An LSP that is onboarded only after the pair has started."""


def form_of(pair: Pair, organisation: Organisation = LATE) -> dict[str, Any]:
    """Make keys and a certificate for an organisation; its onboarding form."""
    home = pair.certs / organisation.organisation_id
    if not home.exists():
        issue(pair.certs, organisation, datetime.now(UTC))
    return own_form(home / "identity.json").model_dump()


def key_of(pair: Pair, organisation_id: str) -> SigningKey:
    return load_identity(pair.certs / organisation_id / "identity.json").signing_key


def post(forger: Forger, organisation_id: str, key: SigningKey) -> Answer:
    return forger.post(path_of(TRIGGER), envelope(letter(TRIGGER, organisation_id), key))


def self_sign(pair: Pair, organisation_id: str) -> None:
    """Let an organisation of the folder show a certificate that is its own issuer, from its next start on."""
    home = pair.certs / organisation_id
    leaf = self_signed(home, organisation_id)
    leaf.certificate.rename(home / "tls.pem")
    leaf.private_key.rename(home / "tls.key")
    stated = json.loads((home / "identity.json").read_text())
    (home / "identity.json").write_text(json.dumps({**stated, "trust": None}))


def test_two_nodes_that_have_exchanged_forms_with_self_signed_certificates_trust_one_another(
    make_pair: PairFactory,
) -> None:
    pair = make_pair()
    for side in (pair.lender, pair.lsp):
        del side.settings["OCEN_PARTICIPANTS"]
    for organisation_id in (LENDER, LSP):
        self_sign(pair, organisation_id)
    pair.start()
    assert pair.lender.ops.participants() == pair.lsp.ops.participants() == []

    ours = pair.lender.ops.onboard(pair.lsp.ops.own_form())["ours"]
    assert pair.lsp.ops.onboard(ours)["ours"] == pair.lsp.ops.own_form()

    with under_load(pair) as traffic:
        pass
    shown = {side: {attempt["certificate"] for attempt in traffic.tries(side)} for side in (pair.lsp, pair.lender)}
    assert shown == {
        pair.lsp: {pair.lender.ops.identity()["certificate"]},
        pair.lender: {pair.lsp.ops.identity()["certificate"]},
    }


def test_whose_self_signed_certificate_is_removed_does_not_get_through_any_more(
    make_pair: PairFactory, tmp_path: Path
) -> None:
    pair = make_pair()
    pair.start()
    leaf = self_signed(tmp_path, LSP)
    tls = caller(pair.certs / "ca.pem", leaf.certificate, leaf.private_key)
    key, signer = pair.lsp.identity.signing_key, pair.lender.public_key
    with Forger(pair.lender.url, tls, signer) as early, pytest.raises(httpx.TransportError):
        post(early, LSP, key)

    pair.lender.ops.add_certificate(LSP, leaf.pem, "exchanged by e-mail")
    with Forger(pair.lender.url, tls, signer) as forger:
        assert post(forger, LSP, key).error == SUCCESS
        pair.lender.ops.remove_certificate(LSP, thumbprint(leaf.der), "replaced")
        assert post(forger, LSP, key).ack["detail"]["check"] == "certificate_is_registered"
    with Forger(pair.lender.url, tls, signer) as anew, pytest.raises(httpx.TransportError):
        post(anew, LSP, key)


def test_a_counterparty_counts_from_its_onboarding_on_without_a_restart(make_pair: PairFactory) -> None:
    pair = make_pair()
    pair.start()
    form, key = form_of(pair), key_of(pair, LATE.organisation_id)
    with calling_as(LATE.organisation_id, pair, pair.lender) as forger:
        before = pair.lender.books.entries()
        assert post(forger, LATE.organisation_id, key).error == "AUTH1001"
        assert pair.lender.books.entries() <= before
        connection = forger.connection

        pair.lender.ops.onboard(form)

        assert post(forger, LATE.organisation_id, key).error == SUCCESS
        assert forger.connection == connection


def test_a_counterparty_that_is_offboarded_is_shut_out_at_once(make_pair: PairFactory) -> None:
    pair = make_pair()
    pair.start()
    acme, key = ACME.organisation_id, key_of(pair, ACME.organisation_id)
    with calling_as(acme, pair, pair.lender) as forger:
        assert post(forger, acme, key).error == SUCCESS
        connection = forger.connection

        pair.lender.ops.offboard(acme, "the contract has ended")

        entries = pair.lender.books.entries()
        assert post(forger, acme, key).error == "AUTH1001"
        assert forger.connection == connection
        assert pair.lender.books.entries() <= entries
    with calling_as(acme, pair, pair.lender) as anew, pytest.raises(httpx.TransportError):
        post(anew, acme, key)
    pair.lsp.ops.offboard(LENDER, "the contract has ended")
    with pytest.raises(SandboxError, match="LENDER01 is not in the directory"):
        pair.lsp.ops.send(TRIGGER, LENDER, example_of(find_message(TRIGGER)))


@pytest.mark.check("OCEN-ROT-04")
def test_a_restart_undoes_nothing(make_pair: PairFactory, tmp_path: Path) -> None:
    pair = make_pair()
    pair.start()
    primary, backup = pair.lsp.identity.signing_key, pair.lsp.identity.backup_keys[0]
    former = change_everything(pair, tmp_path)
    known = everything_known(pair)

    for side in (pair.lender, pair.lsp):
        side.stop()
    pair.start()

    assert everything_known(pair) == known
    assert pair.lsp.ops.identity()["kid"] == backup.kid
    with calling_as(LSP, pair, pair.lender) as forger:
        assert post(forger, LSP, primary).error == "AUTH1001"
        assert post(forger, LSP, backup).error == SUCCESS
    with calling_as(LATE.organisation_id, pair, pair.lender) as forger:
        assert post(forger, LATE.organisation_id, key_of(pair, LATE.organisation_id)).error == SUCCESS
    shut_out = [
        calling_as(ACME.organisation_id, pair, pair.lender),
        Forger(
            pair.lender.url,
            caller(pair.certs / "ca.pem", former.certificate, former.private_key),
            pair.lender.public_key,
        ),
    ]
    for client in shut_out:
        with client as forger, pytest.raises(httpx.TransportError):
            post(forger, LSP, backup)
    request_id = pair.lsp.ops.send(TRIGGER, LENDER, example_of(find_message(TRIGGER)))["request_id"]
    eventually(lambda: pair.lsp.received(request_id, TRIGGERED))


def change_everything(pair: Pair, folder: Path) -> Leaf:
    """Change what a participants file states of the beginning; the certificate of the LSP that is removed."""
    primary, backup = pair.lsp.identity.signing_key, pair.lsp.identity.backup_keys[0]
    pair.lsp.ops.change_key(LSP, backup.kid, KeyStatus.ACTIVE, "rotation")
    pair.lender.ops.change_key(LSP, primary.kid, KeyStatus.BLOCKED, "stolen")
    pair.lsp.ops.change_key(LSP, primary.kid, KeyStatus.BLOCKED, "stolen")
    pair.lender.ops.onboard(form_of(pair))
    pair.lender.ops.offboard(ACME.organisation_id, "the contract has ended")
    former, thumb = renew(pair.lsp, pair.lender, pair, folder)
    pair.lender.ops.remove_certificate(LSP, thumb, "renewed")
    return former


def everything_known(pair: Pair) -> list[Any]:
    """What both nodes know of everybody, with the whole history of keys and certificates."""
    sides: tuple[Side, ...] = (pair.lender, pair.lsp)
    theirs = [(LSP, LENDER, ACME.organisation_id, LATE.organisation_id), (LSP, LENDER)]
    return [side.ops.participant(id_) for side, ids in zip(sides, theirs, strict=True) for id_ in ids]


def weak_pem() -> str:
    return public_pem(rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()).decode()


def jwk_with_exponent_one(_: dict[str, Any]) -> dict[str, Any]:
    return {"public_key": json.dumps({"kty": "RSA", "n": "v" * 342, "e": "AQ"})}


FAULTS: dict[str, tuple[Any, str]] = {
    "a private key": (lambda _: {"public_key": private_pem(new_private_key()).decode()}, "public_key: .*private key"),
    "1024 bits": (lambda _: {"public_key": weak_pem()}, "public_key: .*1024 bits"),
    "exponent 1": (jwk_with_exponent_one, "public_key: the JWK is not a usable RSA public key"),
    "one key twice": (lambda form: {"backup_public_key": form["public_key"]}, "backup_public_key: the same key"),
    "one kid twice": (lambda form: {"backup_kid": form["kid"]}, "backup_kid: .*like the first key's"),
    "four addresses": (lambda _: {"ip_addresses": [f"192.0.2.{n}" for n in range(4)]}, "ip_addresses: 4 addresses"),
    "http": (lambda _: {"base_url": "http://late.example"}, "base_url: .*not encrypted"),
    "a character lost": (
        lambda form: {"public_key": form["public_key"].replace("A", "", 1)},
        "public_key: this is no public RSA key",
    ),
}


@pytest.mark.check("OCEN-ROT-01")
@pytest.mark.parametrize("error", FAULTS)
def test_a_form_that_is_wrong_in_one_respect_is_refused_with_the_field_and_the_reason(pair: Pair, error: str) -> None:
    change, complaint = FAULTS[error]
    form = form_of(pair)
    known = pair.lender.ops.participants()

    with pytest.raises(SandboxError, match=complaint):
        pair.lender.ops.onboard({**form, **change(form)})

    assert pair.lender.ops.participants() == known
