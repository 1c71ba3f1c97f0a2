"""Signing keys change while the pair works: nothing is lost, and what is blocked stays blocked."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from sandbox.errors import SandboxError
from shared.node.identity import load_identity
from shared.node.node import REFRESH_SECONDS
from shared.protocol.encoding import base64url_decode, parse_json_object
from shared.protocol.participants import KeyStatus
from shared.protocol.problems import SUCCESS
from shared.protocol.signing import SigningKey, load_private_key, new_private_key, private_pem
from tests.equipment.ports import free_ports
from tests.live.forger import Answer, Forger, calling_as
from tests.live.letters import TRIGGER, TRIGGERED, envelope, letter, path_of
from tests.live.pair import ACME, LENDER, LSP, Pair, PairFactory, Side, pair_in
from tests.live.traffic import under_load
from tests.live.waiting import eventually
from tests.postgres import create_database

AT_ONCE = 1.0
"""Seconds after which a block counts in every process that shares the database."""


def post(forger: Forger, key: SigningKey, sender: str = LSP) -> Answer:
    """Send a message that was written just now."""
    return forger.post(path_of(TRIGGER), envelope(letter(TRIGGER, sender), key))


def keys_of(pair: Pair) -> tuple[SigningKey, SigningKey]:
    """The two keys that the LSP has from the beginning."""
    return pair.lsp.identity.signing_key, pair.lsp.identity.backup_keys[0]


@pytest.mark.check("OCEN-ROT-02")
def test_the_lsp_changes_to_its_back_up_key_under_load_and_nothing_is_refused(make_pair: PairFactory) -> None:
    pair = make_pair()
    pair.start()
    primary, backup = keys_of(pair)
    written_before = envelope(letter(TRIGGER, LSP), primary)

    with under_load(pair) as traffic:
        pair.lsp.ops.change_key(LSP, backup.kid, KeyStatus.ACTIVE, "rotation")

    assert {attempt["kid"] for attempt in traffic.tries(pair.lsp)} == {primary.kid, backup.kid}
    assert pair.lsp.ops.identity()["kid"] == backup.kid
    with calling_as(LSP, pair, pair.lender) as forger:
        assert forger.post(path_of(TRIGGER), written_before).error == SUCCESS


@pytest.mark.check("OCEN-ROT-02")
def test_a_new_key_takes_over_under_load_once_its_counterparty_knows_it(make_pair: PairFactory) -> None:
    pair = make_pair()
    pair.start()
    primary, backup = keys_of(pair)

    with under_load(pair) as traffic:
        for ops in (pair.lsp.ops, pair.lender.ops):
            ops.change_key(LSP, backup.kid, KeyStatus.RETIRED, "makes room")
        kid = pair.lsp.ops.make_key()["kid"]
        new = next(key for key in pair.lsp.ops.participant(LSP)["keys"] if key["kid"] == kid)
        pair.lender.ops.add_key(LSP, new["pem"], kid)
        pair.lsp.ops.change_key(LSP, kid, KeyStatus.ACTIVE, "rotation")

    assert {attempt["kid"] for attempt in traffic.tries(pair.lsp)} == {primary.kid, kid}


@pytest.fixture(params=["sqlite", "postgresql"])
def two_lenders(request: pytest.FixtureRequest, tmp_path: Path, certs: Path) -> Iterator[tuple[Pair, Side]]:
    """A pair, and a second process of the lender on the same database."""
    urls = {}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_url")
        urls = {side: create_database(server) for side in ("lender", "lsp")}
    with ExitStack() as stack:
        pair = stack.enter_context(pair_in(tmp_path, certs, urls))
        port, ops_port = free_ports(2)
        planes = {"OCEN_PORT": str(port), "OCEN_OPS_PORT": str(ops_port)}
        second = Side("lender", {**pair.lender.settings, **planes}, tmp_path)
        stack.callback(second.close)
        pair.start()
        second.start()
        yield pair, second


@pytest.mark.check("OCEN-ROT-03", "OCEN-JWS-07")
def test_a_key_that_is_blocked_is_refused_at_once_on_open_connections_in_every_process(
    two_lenders: tuple[Pair, Side],
) -> None:
    assert REFRESH_SECONDS <= AT_ONCE
    pair, second = two_lenders
    primary, backup = keys_of(pair)
    pair.lsp.ops.change_key(LSP, backup.kid, KeyStatus.ACTIVE, "primary is to be blocked")
    with calling_as(LSP, pair, pair.lender) as here, calling_as(LSP, pair, second) as there, under_load(pair):
        assert (post(here, primary).error, post(there, primary).error) == (SUCCESS, SUCCESS)
        open_connections = here.connection, there.connection

        pair.lender.ops.change_key(LSP, primary.kid, KeyStatus.BLOCKED, "somebody else has it")

        assert is_refused(post(here, primary))
        eventually(lambda: is_refused(post(there, primary)))
        assert (here.connection, there.connection) == open_connections
        assert is_refused(post(here, primary))
        assert is_refused(post(there, primary))
        assert (post(here, backup).error, post(there, backup).error) == (SUCCESS, SUCCESS)
    for lender in (pair.lender, second):
        with calling_as(LSP, pair, lender) as anew:
            assert is_refused(post(anew, primary))


def test_who_is_offboarded_is_shut_out_in_every_process(two_lenders: tuple[Pair, Side]) -> None:
    pair, second = two_lenders
    acme = ACME.organisation_id
    key = load_identity(pair.certs / acme / "identity.json").signing_key
    with calling_as(acme, pair, second) as there:
        assert post(there, key, acme).error == SUCCESS

        pair.lender.ops.offboard(acme, "the contract has ended")

        eventually(lambda: is_refused(post(there, key, acme)))
    with calling_as(acme, pair, second) as anew, pytest.raises(httpx.TransportError):
        post(anew, key, acme)


def is_refused(answer: Answer) -> bool:
    """Whether the key was refused: by a signed 401, of whose key a stranger learns nothing more than of any other."""
    if answer.error == SUCCESS:
        return False
    assert (answer.status, answer.error) == (401, "AUTH1001")
    assert answer.ack["detail"]["check"] == "kid_selects_a_key_that_counts"
    return True


@pytest.mark.check("OCEN-ROT-04")
def test_a_blocked_kid_never_comes_back(make_pair: PairFactory) -> None:
    pair = make_pair()
    pair.start()
    primary, _ = keys_of(pair)
    ops, other = pair.lender.ops, load_private_key(private_pem(new_private_key()).decode(), primary.kid, "RS512")
    with calling_as(LSP, pair, pair.lender) as forger:
        old = envelope(letter(TRIGGER, LSP), primary)
        assert forger.post(path_of(TRIGGER), old).error == SUCCESS
        ops.change_key(LSP, primary.kid, KeyStatus.BLOCKED, "somebody else has it")
        known = ops.participant(LSP)

        for key in (primary, other):
            with pytest.raises(SandboxError, match="give a new key a new kid"):
                ops.add_key(LSP, key.public().to_pem(), primary.kid)
        with pytest.raises(SandboxError, match="this key is there already as"):
            ops.add_key(LSP, primary.public().to_pem(), "another-kid")
        for status in (KeyStatus.ACTIVE, KeyStatus.RETIRED):
            with pytest.raises(SandboxError, match="BLOCKED"):
                ops.change_key(LSP, primary.kid, status)

        assert ops.participant(LSP) == known
        assert is_refused(forger.post(path_of(TRIGGER), old))
        assert is_refused(post(forger, primary))
        assert is_refused(post(forger, other))


@pytest.mark.check("OCEN-ROT-05")
def test_the_lender_changes_to_its_back_up_key_under_load_and_every_ack_and_callback_verifies(
    make_pair: PairFactory,
) -> None:
    pair = make_pair()
    pair.start()
    former, backup = pair.lender.identity.signing_key, pair.lender.identity.backup_keys[0]

    with under_load(pair) as traffic:
        pair.lender.ops.change_key(LENDER, backup.kid, KeyStatus.ACTIVE, "rotation")

    assert {attempt["kid"] for attempt in traffic.tries(pair.lender)} == {former.kid, backup.kid}
    assert {kid_of(attempt["answer"]) for attempt in traffic.tries(pair.lsp)} == {former.kid, backup.kid}
    with under_load(pair) as later:
        pass
    assert {attempt["kid"] for attempt in later.tries(pair.lender)} == {backup.kid}
    assert {kid_of(attempt["answer"]) for attempt in later.tries(pair.lsp)} == {backup.kid}
    assert pair.lsp.received(min(later.request_ids), TRIGGERED) is not None


def kid_of(envelope: bytes) -> str:
    """The kid in the signed header of an ack."""
    header = parse_json_object(base64url_decode(parse_json_object(envelope)["header"]))
    return str(header["kid"])
