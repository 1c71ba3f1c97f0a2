"""The processes of a sandbox: started one after another, watched, ended together.

Attached, they end with this process: it ends them when it is interrupted, terminated or hung up, and on Linux
the kernel does when it is killed outright. Detached, they go on without it until `ocen-sandbox down`.
"""

import contextlib
import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn, Self

from sandbox.errors import NodeDiedError, SandboxError
from sandbox.pair_settings import PairSettings
from sandbox.settings import NodeName
from shared.clock import Clock, SystemClock

READY_SECONDS = 30.0
STOP_SECONDS = 25.0
"""A node that was asked to stop finishes what is under way; after so many seconds it is killed."""

POLL_SECONDS = 0.05
LAST_LINES = 12

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_UNUSABLE = 2  # exit status of a node whose configuration is wrong: its log ends with one line that says what to do


@dataclass(frozen=True, slots=True)
class NodePlan:
    """How to start one node: its command, its whole environment, and the file that its output is added to."""

    name: NodeName
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path


def plan_of(settings: PairSettings, name: NodeName, further: Mapping[str, str] | None = None) -> NodePlan:
    """Return how to start a service of these settings, with the Python that runs us and `further` environment."""
    environment = {**settings.environment(name), **(further or {})}
    return NodePlan(name, (sys.executable, "-m", name.module), environment, settings.folders.log(name).absolute())


class _Node(NamedTuple):
    """A node as a process of ours, and where its log began when it was started."""

    plan: NodePlan
    process: "subprocess.Popen[bytes]"
    log_start: int

    def last_lines(self) -> list[str]:
        """Return the end of what it has logged since it was started."""
        with self.plan.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode("utf-8", "replace").splitlines()[-LAST_LINES:]


class Supervisor:
    """Services as processes. Leaving its `with` block ends them, unless they were started detached."""

    def __init__(self, *, detached: bool = False, clock: Clock | None = None) -> None:
        self._detached = detached
        self._clock = clock or SystemClock()
        self._nodes: list[_Node] = []

    @property
    def pids(self) -> dict[NodeName, int]:
        """The process ids of the nodes."""
        return {node.plan.name: node.process.pid for node in self._nodes}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None or not self._detached:
            self.stop()

    def start(self, plans: Sequence[NodePlan]) -> None:
        """Start these beside what runs already, each in a session of its own: Ctrl-C in a terminal reaches us alone."""
        before = None if self._detached or sys.platform != "linux" else _end_with_parent
        for plan in plans:
            with plan.log.open("ab") as log:
                begin = log.tell()
                process = subprocess.Popen(
                    plan.command,
                    env=dict(plan.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=before,  # noqa: PLW1509 - no threads
                )
                self._nodes.append(_Node(plan, process, begin))

    def await_ready(self, is_ready: Callable[[NodeName], bool], seconds: float = READY_SECONDS) -> None:
        """Wait until all that was started takes messages.

        Raises:
            SandboxError: a node cannot run as it is set up.
            NodeDiedError: a node ended, or is not ready in time.
        """
        deadline = self._clock.elapsed() + seconds
        waiting = {node.plan.name: node for node in self._nodes}
        while waiting:
            self._check_alive(starting=True)
            for name in [name for name in waiting if is_ready(name)]:
                del waiting[name]
            if waiting and self._clock.elapsed() >= deadline:
                name, node = next(iter(waiting.items()))
                raise NodeDiedError(f"the {name.label} is not ready after {seconds:.0f} s", node.last_lines())
            time.sleep(POLL_SECONDS)

    def watch(self) -> NoReturn:
        """Wait until a node ends, and raise NodeDiedError then."""
        while True:
            self._check_alive(starting=False)
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End all: politely, then, late or interrupted again, by force."""
        for node in self._nodes:
            node.process.terminate()
        deadline = self._clock.elapsed() + STOP_SECONDS
        with contextlib.suppress(KeyboardInterrupt):
            while any(node.process.poll() is None for node in self._nodes) and self._clock.elapsed() < deadline:
                time.sleep(POLL_SECONDS)
        for node in self._nodes:
            if node.process.poll() is None:
                node.process.kill()
                node.process.wait()

    def _check_alive(self, *, starting: bool) -> None:
        for node in self._nodes:
            status = node.process.poll()
            if status is None:
                continue
            lines, label = node.last_lines(), node.plan.name.label
            if starting and status == _UNUSABLE and lines:
                raise SandboxError(f"the {label} cannot start: {lines[-1]}")
            how = f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
            raise NodeDiedError(f"the {label} has died ({how})", lines)


@contextlib.contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt us as Ctrl-C does, so that what we started is ended in good order."""
    numbers = [signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # under nohup a hang-up is to be ignored
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with_parent() -> None:
    """In the child, before it becomes the node: ask the kernel for SIGTERM when the parent is gone (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
