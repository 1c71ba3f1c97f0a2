import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.errors import NodeDiedError, SandboxError
from sandbox.running import process_exists
from sandbox.settings import NodeName
from sandbox.supervisor import NodePlan, Supervisor, interrupted_by_signals
from shared.clock import Clock
from tests.equipment.deadline import DEADLINE
from tests.sandbox.nodes import DIES, UNUSABLE, WAITS, plan


def gone(pid: int, seconds: float = DEADLINE) -> bool:
    deadline = time.monotonic() + seconds
    while process_exists(pid) and time.monotonic() < deadline:
        os.sched_yield()
    return not process_exists(pid)


@contextmanager
def supervised(plans: list[NodePlan], clock: Clock | None = None) -> Iterator[Supervisor]:
    with Supervisor(clock=clock) as supervisor:
        supervisor.start(plans)
        yield supervisor


def pair(folder: Path, lsp: tuple[str, ...]) -> list[NodePlan]:
    return [plan(folder, WAITS), plan(folder, lsp, NodeName.LSP)]


def test_a_node_that_dies_is_named_and_its_last_words_are_shown(tmp_path: Path) -> None:
    with supervised(pair(tmp_path, DIES)) as supervisor:
        with pytest.raises(NodeDiedError, match=r"the LSP has died \(exit status 3\)") as died:
            supervisor.watch()
        assert died.value.last_lines == ("first", "last words")


def test_a_node_that_is_killed_is_told_by_the_signal(tmp_path: Path) -> None:
    with supervised(pair(tmp_path, WAITS)) as supervisor:
        os.kill(supervisor.pids[NodeName.LSP], signal.SIGKILL)
        with pytest.raises(NodeDiedError, match=r"the LSP has died \(signal SIGKILL\)"):
            supervisor.watch()


def test_a_node_that_cannot_run_as_it_is_set_up_says_why_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(SandboxError, match="the LSP cannot start: OCEN_PORT: the port is in use; choose another"),
        supervised(pair(tmp_path, UNUSABLE)) as supervisor,
    ):
        supervisor.await_ready(lambda _: False)


def test_a_node_that_never_gets_ready_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with (
        pytest.raises(NodeDiedError, match="the lender is not ready after 0 s"),
        supervised(pair(tmp_path, WAITS)) as supervisor,
    ):
        supervisor.await_ready(lambda name: name is NodeName.LSP, seconds=0)


def test_only_what_a_node_has_logged_since_its_start_is_shown(tmp_path: Path) -> None:
    (tmp_path / "lsp.log").write_text("an earlier run\n")
    with pytest.raises(NodeDiedError) as died, supervised(pair(tmp_path, DIES)) as supervisor:
        supervisor.watch()
    assert died.value.last_lines == ("first", "last words")
    assert (tmp_path / "lsp.log").read_text() == "an earlier run\nfirst\nlast words\n"


def test_both_nodes_end_with_the_block(tmp_path: Path) -> None:
    with supervised(pair(tmp_path, WAITS)) as supervisor:
        supervisor.await_ready(lambda _: True)
        pids = supervisor.pids
    assert all(gone(pid) for pid in pids.values())


def test_a_node_that_does_not_listen_to_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    with supervised([plan(tmp_path, (sys.executable, "-c", deaf))], clock=Hasty()) as supervisor:
        supervisor.await_ready(lambda _: (tmp_path / "lender.log").read_text() == "deaf\n", seconds=10**9)
        pid = supervisor.pids[NodeName.LENDER]
    assert gone(pid)


def test_a_program_that_is_not_there_ends_what_was_started_before(tmp_path: Path) -> None:
    plans = [plan(tmp_path, WAITS), plan(tmp_path, ("no-such-program",), NodeName.LSP)]
    with pytest.raises(FileNotFoundError), Supervisor() as supervisor:
        supervisor.start(plans)
    assert list(supervisor.pids) == [NodeName.LENDER]
    assert gone(supervisor.pids[NodeName.LENDER])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_nodes_end_when_their_supervisor_is_killed_outright(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\nfrom tests.sandbox.nodes import WAITS, plan\n"
        "from sandbox.supervisor import Supervisor\nfrom sandbox.settings import NodeName\n"
        "with Supervisor() as supervisor:\n"
        f"    supervisor.start([plan(Path({str(tmp_path)!r}), WAITS)])\n"
        "    print(supervisor.pids[NodeName.LENDER], flush=True)\n    supervisor.watch()\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    assert gone(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_interrupts_as_ctrl_c_does(number: signal.Signals) -> None:
    inherited = signal.signal(number, signal.SIG_DFL)  # which is to ignore it where the tests run under nohup
    try:
        with pytest.raises(KeyboardInterrupt), interrupted_by_signals():
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, inherited)


def test_under_nohup_a_hang_up_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupted_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


class Hasty:
    """A clock on which hours pass between two looks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> object:
        raise AssertionError("nobody needs the time of day here")

    def elapsed(self) -> float:
        self.seconds += 3600
        return self.seconds
