"""Commands change keys and certificates of members under load: OCEN 4.0 goes on, and what has ended is refused."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.cli import main
from sandbox.running import Run, RunningNode, write_run
from sandbox.settings import Folders, NodeName
from shared.clock import SystemClock
from shared.protocol.problems import SUCCESS
from shared.protocol.signing import SigningKey
from tests.live.forger import CallForger, Forger, caller
from tests.live.network import Network, RegistrySide, network_in
from tests.live.pair import LENDER, LSP, Side
from tests.live.traffic import under_load, v4
from tests.live.v4_letters import call, private_key, signing_key, token_of, written
from tests.live.waiting import eventually

CACHE_SECONDS = 60
"""Long enough that nodes look up out of turn no more often than they usually do: once in ten seconds."""

Command = Callable[..., None]


@pytest.fixture
def network(tmp_path: Path, certs: Path) -> Iterator[Network]:
    """A network whose services share one operator token, as those of `up` do."""
    with network_in(tmp_path, certs, registry_cache_seconds=CACHE_SECONDS) as made:
        token = {"OCEN_OPS_TOKEN_FILE": made.lsp.settings["OCEN_OPS_TOKEN_FILE"]}
        with closing(RegistrySide({**made.registry.settings, **token}, tmp_path)) as registry:
            network = replace(made, registry=registry)
            network.start()
            yield network


@pytest.fixture
def command(network: Network, tmp_path: Path) -> Command:
    """Run `ocen-sandbox` on the network."""
    folders = Folders(tmp_path / "data", network.certs)
    folders.data.mkdir()
    folders.token_file.write_text(Path(network.lsp.settings["OCEN_OPS_TOKEN_FILE"]).read_text())
    sides: dict[NodeName, tuple[Side, str]] = {
        NodeName.REGISTRY: (network.registry, ""),
        NodeName.LENDER: (network.lender, LENDER),
        NodeName.LSP: (network.lsp, LSP),
    }
    nodes = {
        name: RunningNode(organisation_id=one, pid=side.pid, url=side.url, ops_url=side.ops.url, log=side.log)
        for name, (side, one) in sides.items()
    }
    write_run(folders, Run(started_at=SystemClock().now(), supervisor=None, certs=network.certs, nodes=nodes))

    def run(*arguments: str) -> None:
        assert main([*arguments, "--data-dir", str(folders.data)]) == 0

    return run


@pytest.mark.check("OCEN-ROT-02", "OCEN-ROT-05", "OCEN-ROT-06")
def test_keys_change_under_load_and_the_retired_one_is_refused(
    network: Network, command: Command, tmp_path: Path
) -> None:
    primary, backup = signing_key(network.lsp), network.lsp.identity.backup_keys[0]
    lenders = network.lender.identity.signing_key, network.lender.identity.backup_keys[0]
    file = str(tmp_path / "later.pub.pem")

    with under_load(network, v4(network)) as traffic:
        command("keys", "retire", backup.kid)
        command("keys", "retire", backup.kid, "--of", LSP)
        command("keys", "add", "--at", "lsp", "--kid", "later", "--out", file)
        command("keys", "add", "--of", LSP, "--kid", "later", "--file", file)
        command("keys", "switch", "later")
        command("keys", "switch", lenders[1].kid)

    assert {attempt["kid"] for attempt in traffic.tries(network.lsp)} == {primary.kid, "later"}
    assert {attempt["kid"] for attempt in traffic.tries(network.lender)} == {key.kid for key in lenders}
    with forger(network, lenders[1]) as calling:
        assert post(network, calling, primary) == (200, SUCCESS)
        with under_load(network, v4(network)):
            command("keys", "retire", primary.kid)
            eventually(lambda: post(network, calling, primary) == (401, "AUTH1001"))
        assert post(network, calling, private_key(network.lsp, "later")) == (200, SUCCESS)


@pytest.mark.check("OCEN-ROT-06")
def test_certificates_are_renewed_under_load_and_the_removed_one_is_refused(network: Network, command: Command) -> None:
    former = {side: side.ops.identity()["certificate"] for side in (network.lsp, network.lender)}
    with forger(network, network.lender.identity.signing_key) as calling:
        assert post(network, calling, signing_key(network.lsp)) == (200, SUCCESS)
        with under_load(network, v4(network)) as traffic:
            command("certificates", "renew", "--at", "lender", "--new-key")
            command("certificates", "renew", "--at", "lsp")  # after which it opens new connections to the lender
            assert post(network, calling, signing_key(network.lsp)) == (200, SUCCESS)

        new = network.lender.ops.identity()["certificate"]
        assert {attempt["certificate"] for attempt in traffic.tries(network.lsp)} == {former[network.lender], new}
        with under_load(network, v4(network)):
            command("certificates", "remove", former[network.lsp], "--of", LSP)
            command("certificates", "remove", former[network.lender], "--of", LENDER)
            eventually(lambda: post(network, calling, signing_key(network.lsp)) == (403, "AUTH1004"))


def forger(network: Network, lender_key: SigningKey) -> Forger:
    """A caller of the lender with the certificate that the LSP has now; the lender signs with that key."""
    home = network.certs / LSP
    tls = caller(network.certs / "ca.pem", home / "tls.pem", home / "tls.key")
    return CallForger(network.lender.url, tls, lender_key.public().to_pem())


def post(network: Network, calling: Forger, key: SigningKey) -> tuple[int, str]:
    """Send a message of the LSP that was written just now; status and error of the answer."""
    answer = calling.send(call(written(network, LSP), key, token_of(network, LSP)))
    return answer.status, answer.error
