"""A sandbox as a whole, the pair and what comes with it: start it once, find it again, end it."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from sandbox.enrolment import enrolled
from sandbox.errors import NodeDiedError, SandboxError
from sandbox.holders import own_details, tell_base_urls
from sandbox.network import join, member_environment
from sandbox.pair_settings import PairSettings
from sandbox.preparation import prepare
from sandbox.registry_ops import RegistryOps
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
from sandbox.settings import PAIR, Folders, NodeName
from sandbox.supervisor import POLL_SECONDS, STOP_SECONDS, NodePlan, Supervisor, plan_of
from shared.clock import Clock, SystemClock


@dataclass(slots=True)
class StartedPair:
    """A sandbox whose services are started one stage after another, and stand in the run file from then on.

    Attributes:
        plans: how each node is started, where the network has a registry as its member.
    """

    settings: PairSettings
    run: Run
    supervisor: Supervisor
    plans: Sequence[NodePlan] = ()

    def start(self, plans: Sequence[NodePlan]) -> None:
        """Start services, and wait until they are ready.

        Raises SandboxError, NodeDiedError if one cannot run as it is set up, ended, or is not ready in time.
        """
        self.supervisor.start(plans)
        settings, folders = self.settings, self.settings.folders
        nodes = {
            name: RunningNode(
                organisation_id="" if name is NodeName.REGISTRY else name.organisation_id,
                pid=pid,
                url=settings.url(name),
                ops_url=settings.ops_url(name),
                log=folders.log(name).absolute(),
            )
            for name, pid in self.supervisor.pids.items()
        }
        self.run = self.run.model_copy(update={"nodes": nodes})
        write_run(folders, self.run)
        with ExitStack() as stack:
            probes = {name: stack.enter_context(operator_plane(folders, name, node)) for name, node in nodes.items()}
            self.supervisor.await_ready(lambda name: probes[name].is_ready())

    def watch(self) -> None:
        """Wait until `ocen-sandbox down` ends the pair.

        Raises NodeDiedError if a node ended though nobody asked it to.
        """
        try:
            self.supervisor.watch()
        except NodeDiedError:
            current = read_run(self.settings.folders)
            if current is not None and not current.stopping:
                raise


class Ended(NamedTuple):
    """What `down` did: the nodes that it ended, and recorded processes that it left alone as not ours."""

    nodes: list[NodeName]
    left_alone: dict[NodeName, int]


@contextmanager
def started_pair(
    settings: PairSettings,
    *,
    detached: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    plans: Sequence[NodePlan] | None = None,
) -> Iterator[StartedPair]:
    """Start the pair, and what comes with it, and wait until it is ready; end it on leaving, unless it is detached.

    `tell` is given a sentence before each step that takes a while. `plans` are started in place of the nodes; with
    none there is only the registry, if the version needs one, and nodes that may be started by their `plans`.

    Raises:
        SandboxError, PkiError: it cannot be started as it is set up, or runs already.
        NodeDiedError: a node ended, or is not ready in time.
    """
    clock, folders = SystemClock(), settings.folders
    _refuse_a_second(folders)
    if not folders.identity(NodeName.LSP).exists():
        tell(f"Making keys and certificates in {folders.certs} ...")
    prepare(settings, clock.now())
    with Supervisor(detached=detached, clock=clock) as supervisor:
        ends_with = None if detached else os.getpid()
        run = Run(started_at=clock.now(), supervisor=ends_with, certs=folders.certs.absolute(), nodes={})
        pair, keep = StartedPair(settings, run, supervisor), False
        try:
            _start_all(pair, plans, tell)
            yield pair
            keep = detached
        finally:
            if not keep:
                remove_run(folders, pair.run)


def _start_all(pair: StartedPair, plans: Sequence[NodePlan] | None, tell: Callable[[str], None]) -> None:
    settings, folders, memberships = pair.settings, pair.settings.folders, dict[NodeName, dict[str, str]]()
    if NodeName.REGISTRY in settings.services:
        tell("Starting the registry ...")
        pair.start([plan_of(settings, NodeName.REGISTRY)])
        with RegistryOps(NodeName.REGISTRY.label, settings.ops_url(NodeName.REGISTRY), ops_token(folders)) as registry:
            for name in settings.nodes:
                identity = folders.identity(name)
                member = join(registry, identity)
                memberships[name] = member_environment(identity.parent, member, settings.url(NodeName.REGISTRY))
    pair.plans = [plan_of(settings, name, memberships.get(name)) for name in settings.nodes]
    to_start = pair.plans if plans is None else plans
    if not to_start:
        return
    further = ", and further lenders" if len(settings.nodes) > len(PAIR) else ""
    tell(f"Starting the lender and the LSP{further} ...")
    pair.start(to_start)
    with connected(folders) as nodes:
        tell_base_urls(nodes, {node.organisation_id: node.url for node in pair.run.nodes.values()})
        for ops in nodes.values() if memberships else ():
            own = own_details(ops)
            with enrolled(folders, own["organisation_id"]) as enrolment:
                if enrolment is not None:
                    enrolment.take_keys(own["keys"])  # it may have made or ended keys while no registry ran


def end_pair(folders: Folders, clock: Clock) -> Ended:
    """End what runs of the pair, and nothing else; nothing happens if nothing runs.

    Raises SandboxError if the run file cannot be read.
    """
    run = read_run(folders)
    if run is None:
        return Ended([], {})
    alive = nodes_alive(folders, run)
    others = {name: node.pid for name, node in run.nodes.items() if name not in alive and process_exists(node.pid)}
    write_run(folders, run.model_copy(update={"stopping": True}))
    for node in alive.values():
        _send(signal.SIGTERM, node.pid)
    deadline = clock.elapsed() + STOP_SECONDS
    while (left := [node.pid for node in alive.values() if process_exists(node.pid)]) and clock.elapsed() < deadline:
        time.sleep(POLL_SECONDS)
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


def _send(number: signal.Signals, pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
