"""Keys change, the registry goes down and a lender is killed while OCEN 4.0 is spoken: nothing is refused or lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from shared.node.ids import new_id
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.participants import KeyStatus
from shared.protocol.problems import SUCCESS
from shared.protocol.signing import SigningKey
from tests.live.forger import Answer, CallForger, Forger, calling_as
from tests.live.network import CACHE_SECONDS, TRIGGER, TRIGGERED, Network, network_in
from tests.live.pair import LSP
from tests.live.traffic import Traffic, under_load, v4
from tests.live.v4_letters import auth_key, call, private_key, signing_key, token_of, written
from tests.live.waiting import eventually

ANSWERED_BEFORE = 20

TOKEN = "/realms/dev/protocol/openid-connect/token"
JWKS = "/realms/dev/protocol/openid-connect/certs"

SETTINGS = {
    "registry_cache_seconds": CACHE_SECONDS,
    "lease_seconds": 11,
    "retry_base_seconds": 0.1,
    "retry_attempts": 50,
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Network]:
    """A network whose tokens live for 15 seconds, and in which every test leaves all three processes running."""
    with network_in(tmp_path_factory.mktemp("changes"), certs, **SETTINGS) as network:
        network.registry.settings["OCEN_TOKEN_SECONDS"] = "15"
        network.start()
        yield network


@pytest.fixture
def forger(network: Network) -> Iterator[Forger]:
    with calling_as(LSP, network, network.lender, kind=CallForger) as forger:
        yield forger


def post(network: Network, forger: Forger, key: SigningKey, token: str) -> Answer:
    return forger.send(call(written(network, LSP), key, token))


@pytest.mark.check("OCEN-TOK-06", "OCEN-TOK-07")
def test_the_auth_service_changes_its_key_under_load_and_no_token_of_either_key_is_refused(
    network: Network, forger: Forger
) -> None:
    registry, former = network.registry, auth_key(network).kid
    with under_load(network, v4(network)) as traffic:
        before, issued = len(traffic.request_ids), registry.asked(TOKEN)
        registry.admin.rotate_signing_key()
        eventually(lambda: registry.asked(TOKEN) >= issued + 2)  # one for either node
    assert auth_key(network).kid != former
    assert registry.asked(TOKEN) < len(traffic.request_ids) / 4
    assert len(traffic.request_ids) > before


@pytest.mark.check("OCEN-TOK-06")
def test_a_flood_of_tokens_with_kids_that_nobody_knows_leads_to_few_look_ups(network: Network, forger: Forger) -> None:
    key, token = signing_key(network.lsp), token_of(network, LSP)
    assert post(network, forger, key, token).error == SUCCESS
    entries, asked = network.lender.books.entries(), network.registry.asked(JWKS)
    document, (_, claims, signature) = written(network, LSP), token.split(".")

    for _ in range(200):
        header = base64url_encode(dump_json({"alg": "RS256", "typ": "JWT", "kid": new_id()}))
        answer = forger.send(call(document, key, f"{header}.{claims}.{signature}"))
        assert (answer.status, answer.error) == (401, "AUTH1005")

    assert network.registry.asked(JWKS) <= asked + 5
    assert network.lender.books.entries() <= entries
    assert post(network, forger, key, token).error == SUCCESS


@pytest.mark.check("OCEN-ROT-06")
def test_known_keys_go_on_while_the_registry_is_down_then_all_is_refused_and_recovers_by_itself(
    network: Network, forger: Forger
) -> None:
    key, token = signing_key(network.lsp), token_of(network, LSP)
    complete(network)
    network.registry.kill()

    complete(network)
    assert post(network, forger, key, token).error == SUCCESS
    eventually(lambda: unavailable(network, forger, key, token))
    entries = network.lender.books.entries()
    refusal = post(network, forger, key, token)
    assert (refusal.status, refusal.error) == (503, "GEN5004")
    assert int(refusal.headers["retry-after"]) > 0
    assert network.lender.books.entries() <= entries

    network.registry.start()

    eventually(lambda: not unavailable(network, forger, key, token))
    complete(network)


def unavailable(network: Network, forger: Forger, key: SigningKey, token: str) -> bool:
    """Whether the lender cannot judge a call now."""
    return post(network, forger, key, token).status == 503


def complete(network: Network) -> None:
    """Have one exchange complete."""
    request_id = eventually(lambda: sent(network))
    eventually(lambda: network.lsp.received(request_id, TRIGGERED))


def sent(network: Network) -> str:
    try:
        return network.send(TRIGGER)
    except SandboxError:
        return ""


def test_each_exchange_completes_once_though_the_lender_is_killed_amid_them(network: Network) -> None:
    traffic = Traffic(network, kind=v4(network))
    with traffic.under_way():
        eventually(lambda: len(traffic.answered()) >= ANSWERED_BEFORE)
        network.lender.kill()
    assert ANSWERED_BEFORE <= len(traffic.answered()) < len(traffic.request_ids)
    assert traffic.acknowledged == traffic.request_ids

    network.lender.start()

    eventually(lambda: traffic.answered() == traffic.request_ids)
    eventually(lambda: network.lsp.has_nothing_to_send() and network.lender.has_nothing_to_send())
    traffic.assert_completed_once(traffic.request_ids)


@pytest.mark.check("OCEN-ROT-06")
def test_the_lsp_changes_its_key_in_the_registry_under_load_and_nothing_is_refused(
    network: Network, forger: Forger
) -> None:
    primary, lsp, admin = signing_key(network.lsp), network.lsp, network.registry.admin
    participant_id = network.members[LSP].participant_id
    lsp.ops.change_key(LSP, lsp.identity.backup_keys[0].kid, KeyStatus.RETIRED, "makes room")
    new = lsp.ops.make_key()["kid"]
    (pem,) = [key["pem"] for key in lsp.ops.participant(LSP)["keys"] if key["kid"] == new]  # type: ignore[index]
    forms = {"public_key": primary.public().to_pem(), "kid": primary.kid}
    with under_load(network, v4(network)) as traffic:
        admin.change_keys(participant_id, {**forms, "backup_public_key": pem, "backup_kid": new})
        later = private_key(lsp, new)
        eventually(lambda: post(network, forger, later, token_of(network, LSP)).error == SUCCESS)
        lsp.ops.change_key(LSP, new, KeyStatus.ACTIVE, "rotation")
    assert {attempt["kid"] for attempt in traffic.tries(lsp)} == {primary.kid, new}

    admin.change_keys(participant_id, {"public_key": pem, "kid": new})

    eventually(lambda: post(network, forger, primary, token_of(network, LSP)).status == 401)
    complete(network)
