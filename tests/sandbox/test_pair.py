import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import NodeDiedError, SandboxError
from sandbox.pair import end_pair, started_pair
from sandbox.pair_settings import PairSettings
from sandbox.preparation import free_base_port, make_data_folder, temporary_settings
from sandbox.running import nodes_alive, process_exists, read_run, write_run
from sandbox.settings import NODES, Folders, NodeName, OcenVersion
from shared.clock import SystemClock
from shared.protocol.messages import Role
from tests.sandbox.nodes import DIES, WAITS, alive, operator_plane, plan, run_of


@pytest.fixture
def folders(tmp_path: Path, pki_folder: Path) -> Folders:
    return Folders(tmp_path / "data", pki_folder)


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that is not ours to end."""
    with subprocess.Popen(WAITS, stdout=subprocess.DEVNULL) as process:
        yield process.pid
        assert process.poll() is None
        process.kill()


def end(folders: Folders) -> tuple[list[NodeName], dict[NodeName, int]]:
    ended = end_pair(folders, SystemClock())
    return ended.nodes, ended.left_alone


def test_nothing_is_ended_where_nothing_runs(folders: Folders) -> None:
    assert end(folders) == ([], {})
    assert end(folders) == ([], {})


def test_a_run_file_of_before_a_restart_counts_for_nothing(folders: Folders) -> None:
    gone = 2**22 + 1  # above the highest process id that Linux gives
    run = run_of(folders, {NodeName.LENDER: "http://127.0.0.1:1", NodeName.LSP: "http://127.0.0.1:1"}, gone)
    assert nodes_alive(folders, run) == {}
    assert end(folders) == ([], {})
    assert not folders.run_file.exists()


def test_a_process_that_has_got_the_id_of_a_dead_node_is_left_alone(folders: Folders, stranger: int) -> None:
    run_of(folders, {NodeName.LENDER: "http://127.0.0.1:1"}, stranger)
    assert end(folders) == ([], {NodeName.LENDER: stranger})
    assert process_exists(stranger)


@pytest.mark.parametrize(
    "answers",
    [
        alive("LENDER01", 1),  # another process has the port
        alive("BANK01", os.getpid()),  # another organisation
        {"GET /health": (200, b"hello")},  # no node at all
        {},
    ],
)
def test_whoever_answers_in_place_of_a_node_is_not_taken_for_it(
    folders: Folders, answers: dict[str, tuple[int, object]]
) -> None:
    with operator_plane(answers, []) as url:
        run = run_of(folders, {NodeName.LENDER: url}, os.getpid())
        assert nodes_alive(folders, run) == {}


def test_a_node_with_another_token_is_not_ours(folders: Folders) -> None:
    with operator_plane(alive("LENDER01", os.getpid()), []) as url:
        run = run_of(folders, {NodeName.LENDER: url}, os.getpid())
        assert set(nodes_alive(folders, run)) == {NodeName.LENDER}
        folders.token_file.write_text("another token of an earlier run")
        assert nodes_alive(folders, run) == {}


def test_a_node_that_answers_as_ours_is_ended_and_nothing_else(folders: Folders, stranger: int) -> None:
    with subprocess.Popen(WAITS, stdout=subprocess.DEVNULL) as node:
        with operator_plane(alive("LENDER01", node.pid), []) as url:
            run = run_of(folders, {NodeName.LENDER: url}, node.pid)
            lost = run.nodes[NodeName.LENDER].model_copy(update={"pid": stranger, "ops_url": "http://127.0.0.1:1"})
            write_run(folders, run.model_copy(update={"nodes": {**run.nodes, NodeName.LSP: lost}}))
            assert end(folders) == ([NodeName.LENDER], {NodeName.LSP: stranger})
        assert node.wait() != 0
    assert not folders.run_file.exists()


def test_a_second_start_is_refused_in_one_line(folders: Folders) -> None:
    with (
        operator_plane(alive("LENDER01", os.getpid()), []) as lender,
        operator_plane(alive("LSP123", os.getpid()), []) as lsp,
    ):
        run = run_of(folders, {NodeName.LENDER: lender, NodeName.LSP: lsp}, os.getpid())
        with pytest.raises(SandboxError, match=r"the pair runs already, at https://lender\.example and"):
            started_pair(PairSettings(folders)).__enter__()
    assert read_run(folders) == run


def test_half_a_pair_has_to_be_ended_first(folders: Folders) -> None:
    with operator_plane(alive("LSP123", os.getpid()), []) as lsp:
        run_of(folders, {NodeName.LENDER: "http://127.0.0.1:1", NodeName.LSP: lsp}, os.getpid())
        with pytest.raises(SandboxError, match="only the LSP still runs: end it with `ocen-sandbox down`"):
            started_pair(PairSettings(folders)).__enter__()


def test_a_taken_port_is_named_before_anything_is_made(tmp_path: Path) -> None:
    folders, base = Folders(tmp_path / "data", tmp_path / "certs"), free_base_port()
    settings = PairSettings(folders, base)
    taken = socket.create_server(("127.0.0.1", settings.ops_port(NodeName.LSP)))
    with taken, pytest.raises(SandboxError, match=f"port {base + 1001} cannot be used .*give another --base-port"):
        started_pair(settings).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_fails_leaves_no_run_file(folders: Folders, tmp_path: Path) -> None:
    settings = PairSettings(folders, free_base_port())
    with pytest.raises(NodeDiedError, match="the lender has died"):
        started_pair(settings, plans=[plan(tmp_path, DIES)]).__enter__()
    assert not folders.run_file.exists()


def test_a_start_without_nodes_says_how_they_are_started(folders: Folders) -> None:
    with started_pair(PairSettings(folders, free_base_port(), lenders=2), plans=()) as pair:
        assert [plan.name for plan in pair.plans] == [NodeName.LENDER, NodeName.LSP, NodeName.LENDER02]
        assert pair.run.nodes == {}
        assert not folders.run_file.exists()


def test_two_throw_away_sandboxes_of_a_process_have_ports_and_folders_of_their_own(tmp_path: Path) -> None:
    first, second = temporary_settings(tmp_path / "1"), temporary_settings(tmp_path / "2", OcenVersion.V4)
    assert first.base_port != second.base_port
    assert (first.folders.data, first.folders.certs) == (tmp_path / "1", tmp_path / "1" / "certs")
    assert NodeName.REGISTRY in second.services


def test_a_stale_run_file_does_not_stop_a_start(folders: Folders, tmp_path: Path) -> None:
    run_of(folders, {NodeName.LENDER: "http://127.0.0.1:1"}, os.getpid())
    settings, told = PairSettings(folders, free_base_port()), list[str]()
    with pytest.raises(NodeDiedError):
        started_pair(settings, plans=[plan(tmp_path, DIES)], tell=told.append).__enter__()
    assert told == ["Starting the lender and the LSP ..."]


def test_a_run_file_that_somebody_edited_is_named(folders: Folders) -> None:
    folders.data.mkdir()
    folders.run_file.write_text("{")
    with pytest.raises(SandboxError, match=r"run\.json is not what ocen-sandbox wrote: delete it"):
        end(folders)


def test_the_data_folder_and_its_token_are_for_their_owner_only(folders: Folders) -> None:
    make_data_folder(folders)
    token = folders.token_file.read_text()
    assert len(token) > 40
    assert stat.S_IMODE(folders.token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folders.data.stat().st_mode) == 0o700
    make_data_folder(folders)
    assert folders.token_file.read_text() == token


@pytest.mark.parametrize("is_link", [True, False])
def test_a_token_that_is_not_this_users_alone_is_refused_and_left(
    folders: Folders, tmp_path: Path, is_link: bool
) -> None:
    known = tmp_path / "known" if is_link else folders.token_file
    folders.data.mkdir(exist_ok=True)
    known.write_text("a token that somebody else has put there")
    known.chmod(0o600 if is_link else 0o644)
    if is_link:
        folders.token_file.symlink_to(known)
    with pytest.raises(SandboxError, match="ops-token is not this user's alone: delete it for a new token"):
        make_data_folder(folders)
    assert known.read_text() == "a token that somebody else has put there"


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        SandboxError, match=r"file/data cannot be used \(Not a directory\): name another with --data-dir"
    ):
        make_data_folder(Folders(tmp_path / "file" / "data"))


def test_a_node_learns_its_own_database_and_not_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCEN_LENDER_DATABASE_URL", "postgresql://lender:secret@db/ocen")
    monkeypatch.setenv("OCEN_RETRY_ATTEMPTS", "3")
    urls = {NodeName.LENDER: "postgresql://lender:secret@db/ocen"}
    settings = PairSettings(Folders(tmp_path / "data"), database_urls=urls, strict=True)
    lender, lsp = settings.environment(NodeName.LENDER), settings.environment(NodeName.LSP)
    assert lender["OCEN_DATABASE_URL"] == urls[NodeName.LENDER]
    assert lsp["OCEN_DATABASE_URL"] == f"sqlite:///{tmp_path}/data/lsp.db"
    assert "secret" not in "".join(lsp.values())
    assert (lender["OCEN_RETRY_ATTEMPTS"], lender["OCEN_MODE"]) == ("3", "strict")
    assert "OCEN_OTP_SECRET_FILE" in lender
    assert "OCEN_OTP_SECRET_FILE" not in lsp


def test_the_ports_follow_from_the_base_port() -> None:
    settings = PairSettings(base_port=8444)
    ports = [(settings.port(name), settings.ops_port(name)) for name in NodeName]
    assert ports == [(8444, 9444), (8445, 9445), (8446, 9446), (8447, 9447), (8443, 9443)]
    assert settings.organisation(NodeName.LSP).base_url == "https://localhost:8445"


def test_what_runs_follows_from_the_version_and_the_number_of_lenders() -> None:
    assert PairSettings().services == (NodeName.LENDER, NodeName.LSP)
    assert PairSettings(version=OcenVersion.V4).services == (NodeName.REGISTRY, NodeName.LENDER, NodeName.LSP)
    assert PairSettings(lenders=2).services == (NodeName.LENDER, NodeName.LSP, NodeName.LENDER02)
    assert PairSettings(version=OcenVersion.V4, lenders=3).services == (NodeName.REGISTRY, *NODES)


def test_a_further_lender_has_keys_a_database_and_an_otp_secret_of_its_own(tmp_path: Path) -> None:
    settings = PairSettings(Folders(tmp_path / "data", tmp_path / "certs"), lenders=2)
    first, second = settings.environment(NodeName.LENDER), settings.environment(NodeName.LENDER02)
    for name in ("OCEN_IDENTITY", "OCEN_DATABASE_URL", "OCEN_OTP_SECRET_FILE", "OCEN_PORT", "OCEN_OPS_PORT"):
        assert first[name] != second[name]
    assert second["OCEN_IDENTITY"] == f"{tmp_path}/certs/LENDER02/identity.json"
    organisation = settings.organisation(NodeName.LENDER02)
    assert (organisation.organisation_id, organisation.role) == ("LENDER02", Role.LENDER)
    assert organisation.base_url == "https://localhost:8446"


def test_the_registry_is_told_its_certificate_and_nothing_of_an_identity(tmp_path: Path) -> None:
    settings = PairSettings(Folders(tmp_path / "data", tmp_path / "certs"), version=OcenVersion.V4, host="a.example")
    told = settings.environment(NodeName.REGISTRY)
    assert told["OCEN_PUBLIC_URL"] == "https://a.example:8443"
    assert told["OCEN_TLS_CERTIFICATE"] == f"{tmp_path}/certs/registry/tls.pem"
    assert told["OCEN_KEYS_FOLDER"] == f"{tmp_path}/data/registry-keys"
    assert not {"OCEN_IDENTITY", "OCEN_OTP_SECRET_FILE"} & told.keys()


def test_a_start_with_a_registry_looks_at_its_ports_too(tmp_path: Path) -> None:
    folders, base = Folders(tmp_path / "data", tmp_path / "certs"), free_base_port()
    settings = PairSettings(folders, base, version=OcenVersion.V4)
    taken = socket.create_server(("127.0.0.1", settings.ops_port(NodeName.REGISTRY)))
    with taken, pytest.raises(SandboxError, match=f"port {base + 999} cannot be used"):
        started_pair(settings).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_only_a_pair_for_other_machines_listens_beyond_loopback() -> None:
    here, there = PairSettings(), PairSettings(host="sandbox.bank.example")
    assert (here.listen_address, there.listen_address) == ("127.0.0.1", "0.0.0.0")
    assert there.environment(NodeName.LENDER)["OCEN_OPS_HOST"] == "127.0.0.1"
    lender = there.organisation(NodeName.LENDER)
    assert (lender.base_url, lender.ip_addresses) == ("https://sandbox.bank.example:8444", ())
    assert lender.role is Role.LENDER
    six = PairSettings(host="::1")
    assert (six.organisation(NodeName.LENDER).base_url, six.listen_address) == ("https://[::1]:8444", "::1")
