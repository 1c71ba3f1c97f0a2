"""A sandbox as a whole, the pair and what comes with it: start it once, find it again, end it."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from sandbox.enrolment import enrolled
from sandbox.errors import NodeDiedError, SandboxError
from sandbox.holders import own_details, tell_base_urls
from sandbox.network import RegistryOps, join, member_environment
from sandbox.preparation import prepare
from sandbox.running import (
    Run,
    RunningNode,
    connected,
    nodes_alive,
    operator_plane,
    ops_token,
    process_exists,
    read_run,
    remove_run,
    write_run,
)
from sandbox.settings import PAIR, Folders, NodeName, PairSettings
from sandbox.supervisor import POLL_SECONDS, STOP_SECONDS, NodePlan, Supervisor, plan_of
from shared.node.clock import Clock, SystemClock


@dataclass(frozen=True, slots=True)
class StartedPair:
    """A pair that we have started and that is ready."""

    settings: PairSettings
    run: Run
    supervisor: Supervisor

    def watch(self) -> None:
        """Wait until `ocen-sandbox down` ends the pair.

        Raises:
            NodeDiedError: a node ended though nobody asked it to.
        """
        try:
            self.supervisor.watch()
        except NodeDiedError:
            current = read_run(self.settings.folders)
            if current is not None and not current.stopping:
                raise


@dataclass(slots=True)
class Ended:
    """What `down` did: the nodes that it ended, and recorded processes that it left alone as not ours."""

    nodes: list[NodeName] = field(default_factory=list)
    left_alone: dict[NodeName, int] = field(default_factory=dict)


@contextmanager
def started_pair(
    settings: PairSettings,
    *,
    detached: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    plans: Sequence[NodePlan] | None = None,
    clock: Clock | None = None,
) -> Iterator[StartedPair]:
    """Start the pair, and what comes with it, and wait until it is ready; end it on leaving, unless it is detached.

    `tell` is given a sentence before each step that takes a while.

    Raises:
        SandboxError, PkiError: it cannot be started as it is set up, or runs already.
        NodeDiedError: a node ended, or is not ready in time.
    """
    clock = clock or SystemClock()
    folders = settings.folders
    _refuse_a_second(folders)
    if not folders.identity(NodeName.LSP).exists():
        tell(f"Making keys and certificates in {folders.certs} ...")
    prepare(settings, clock.now())
    with Supervisor(detached=detached, clock=clock) as supervisor:
        ends_with = None if detached else os.getpid()
        run = Run(started_at=clock.now(), supervisor=ends_with, certs=folders.certs.absolute(), nodes={})
        keep = False
        try:
            for stage in _stages(settings, plans, tell):
                supervisor.start(stage)
                nodes = {name: _node(settings, name, pid) for name, pid in supervisor.pids.items()}
                run = run.model_copy(update={"nodes": nodes})
                write_run(folders, run)
                _await_ready(supervisor, folders, run)
            with connected(folders) as ready:
                tell_base_urls(ready, {node.organisation_id: node.url for node in run.nodes.values()})
            if run.speaks_v4:
                _register_keys_of_now(folders)
            yield StartedPair(settings, run, supervisor)
            keep = detached
        finally:
            if not keep:
                remove_run(folders, run)


def _stages(
    settings: PairSettings, plans: Sequence[NodePlan] | None, tell: Callable[[str], None]
) -> Iterator[Sequence[NodePlan]]:
    """Plan what is started together; a stage begins when the services of the one before are ready."""
    memberships: Mapping[NodeName, Mapping[str, str]] = {}
    if NodeName.REGISTRY in settings.services:
        tell("Starting the registry ...")
        yield [plan_of(settings, NodeName.REGISTRY)]
        memberships = _join_all(settings)
    further = ", and further lenders" if len(settings.nodes) > len(PAIR) else ""
    tell(f"Starting the lender and the LSP{further} ...")
    yield plans if plans is not None else [plan_of(settings, one, memberships.get(one)) for one in settings.nodes]


def _join_all(settings: PairSettings) -> Mapping[NodeName, Mapping[str, str]]:
    """Make every node a member of the network; return what each is told of it."""
    folders, name = settings.folders, NodeName.REGISTRY
    told = {}
    with RegistryOps(name.label, settings.ops_url(name), ops_token(folders)) as registry:
        for node in settings.nodes:
            identity = folders.identity(node)
            told[node] = member_environment(identity.parent, join(registry, identity), settings.url(name))
    return told


def _register_keys_of_now(folders: Folders) -> None:
    """Tell the registry of keys that nodes have made or ended while it did not run."""
    with connected(folders) as nodes:
        for ops in nodes.values():
            own = own_details(ops)
            with enrolled(folders, own["organisation_id"]) as enrolment:
                if enrolment is not None:
                    enrolment.take_keys(own["keys"])


def end_pair(folders: Folders, clock: Clock, wait: Callable[[float], None] = time.sleep) -> Ended:
    """End what runs of the pair, and nothing else; nothing happens if nothing runs.

    Raises:
        SandboxError: the run file cannot be read.
    """
    run = read_run(folders)
    if run is None:
        return Ended()
    alive = nodes_alive(folders, run)
    others = {name: node.pid for name, node in run.nodes.items() if name not in alive and process_exists(node.pid)}
    write_run(folders, run.model_copy(update={"stopping": True}))
    for node in alive.values():
        _send(signal.SIGTERM, node.pid)
    deadline = clock.elapsed() + STOP_SECONDS
    while (left := [node.pid for node in alive.values() if process_exists(node.pid)]) and clock.elapsed() < deadline:
        wait(POLL_SECONDS)
    for pid in left:
        _send(signal.SIGKILL, pid)
    remove_run(folders, run)
    return Ended(list(alive), others)


def _refuse_a_second(folders: Folders) -> None:
    run = read_run(folders)
    alive = nodes_alive(folders, run)
    if run is None or not alive:
        return
    if len(alive) < len(run.nodes):
        left = " and the ".join(name.label for name in alive)
        raise SandboxError(f"only the {left} still runs: end it with `ocen-sandbox down`, then start anew")
    urls = " and ".join(node.url for name, node in alive.items() if name is not NodeName.REGISTRY)
    raise SandboxError(f"the pair runs already, at {urls}: see `ocen-sandbox status`, end it with `ocen-sandbox down`")


def _node(settings: PairSettings, name: NodeName, pid: int) -> RunningNode:
    return RunningNode(
        organisation_id="" if name is NodeName.REGISTRY else settings.organisation(name).organisation_id,
        pid=pid,
        url=settings.url(name),
        ops_url=settings.ops_url(name),
        log=settings.folders.log(name).absolute(),
    )


def _await_ready(supervisor: Supervisor, folders: Folders, run: Run) -> None:
    token = ops_token(folders)
    with ExitStack() as stack:
        probes = {name: stack.enter_context(operator_plane(name, node, token)) for name, node in run.nodes.items()}
        supervisor.await_ready(lambda name: probes[name].is_ready())


def _send(number: signal.Signals, pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
