"""The benchmark: a pair of its own on free ports, a number of exchanges kept in flight, and this machine's RSA limit.

For OCEN 4.0 a registry runs beside the pair. What it uses is not counted, but it takes its part of the machine.
Everything is as in use: mutual TLS, durable storage on both sides, both processes on the cores there are. Ratios count,
not absolute figures: the limit is measured between the rounds of the same run.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sandbox import rsa_limit
from sandbox.content import TRIGGER, example_for
from sandbox.errors import SandboxError
from sandbox.network import read_membership
from sandbox.pair import started_pair
from sandbox.pair_settings import PairSettings
from sandbox.preparation import temporary_settings
from sandbox.settings import NodeName, OcenVersion
from sandbox.supervisor import NodePlan
from shared.catalogue.table import get_message

RSA_SECONDS = 1.0
WARM_UP = 300


class BenchPlan(NamedTuple):
    """What to measure: `rounds` times `exchanges`, with `concurrency` of them in flight."""

    exchanges: int
    concurrency: int
    rounds: int
    database_urls: Mapping[NodeName, str]
    version: OcenVersion


Report = dict[str, Any]
"""What was measured: medians over the rounds; percentiles over all exchanges, in milliseconds."""


class Side:
    """One process of the pair: takes a command, gives answers, each a JSON object on a line."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def ask(self, command: str, progress: Callable[[int], None] = lambda _: None, done: int = 0) -> dict[str, Any]:
        """Give a command and return its answer; `progress` is told of exchanges as they follow those `done` before."""
        assert self._process.stdin is not None
        print(command, file=self._process.stdin, flush=True)
        while "progress" in (answer := self.answer()):
            progress(done + answer["progress"])
        return answer

    def answer(self) -> dict[str, Any]:
        """Wait for the next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SandboxError(f"a side of the pair ended: {self._log.read_text().strip().rpartition(chr(10))[2]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def _started(plan: NodePlan, *request: str) -> Iterator[Side]:
    """Start a side and wait until it is ready; the LSP is given what it asks for. It ends in its own time."""
    command = (sys.executable, "-m", "sandbox.load", plan.name.value, *request)
    pipe = subprocess.PIPE
    with (
        plan.log.open("wb") as log,
        subprocess.Popen(command, env=plan.environment, stdin=pipe, stdout=pipe, stderr=log, text=True) as process,
    ):
        side = Side(process, plan.log)
        side.answer()
        yield side


def run(plan: BenchPlan, progress: Callable[[int], None]) -> Report:
    """Run the benchmark; `progress` is told of exchanges as they are done.

    Raises SandboxError if the pair cannot be set up, or a process of it ended before its time.
    """
    with tempfile.TemporaryDirectory(prefix="ocen-bench-") as folder:
        settings = temporary_settings(Path(folder), plan.version, plan.database_urls)
        with started_pair(settings, plans=()) as pair:
            plans = {node_plan.name: node_plan for node_plan in pair.plans}
            request = json.dumps(_request(settings))
            with _started(plans[NodeName.LENDER]) as lender, _started(plans[NodeName.LSP], request) as lsp:
                return _measure(plan, lender, lsp, progress)


def _request(settings: PairSettings) -> tuple[str, str, dict[str, Any]]:
    """Return what the LSP asks for in every exchange: the message, the lender's address, and the content."""
    message, home = get_message(settings.version, TRIGGER), settings.folders.identity(NodeName.LENDER).parent
    member = read_membership(home) if settings.version is OcenVersion.V4 else None
    return message.full_name, member.participant_id if member else home.name, example_for(message, member)


def _measure(plan: BenchPlan, lender: Side, lsp: Side, progress: Callable[[int], None]) -> Report:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    lsp.ask(f"drive {WARM_UP} {plan.concurrency}")
    limits = [rsa_limit.exchanges_per_second(RSA_SECONDS, cores)]
    before = [side.ask("report") for side in (lender, lsp)]
    rounds = []
    for done in range(0, plan.rounds * plan.exchanges, plan.exchanges):
        progress(done)
        rounds.append(lsp.ask(f"drive {plan.exchanges} {plan.concurrency}", progress, done))
        limits.append(rsa_limit.exchanges_per_second(RSA_SECONDS, cores))
    after = [side.ask("report") for side in (lender, lsp)]
    used = {what: sum(a[what] - b[what] for a, b in zip(after, before, strict=True)) for what in ("cpu", "rsa")}
    return _report(plan, cores, rounds, limits, used)


def _report(
    plan: BenchPlan, cores: int, rounds: list[dict[str, Any]], limits: list[float], used: Mapping[str, float]
) -> Report:
    rates = [plan.exchanges / result["seconds"] for result in rounds]
    # Each round stands between two measurements of the limit, so that what else the machine does counts for both.
    ratios = [2 * rate / (limits[i] + limits[i + 1]) for i, rate in enumerate(rates)]
    return {
        "exchanges_per_s": round(statistics.median(rates), 1),
        "rsa_limit_per_s": round(statistics.median(limits), 1),
        "ratio": round(statistics.median(ratios), 3),
        "rsa_cpu_share": round(used["rsa"] / used["cpu"], 3),
        "cpu_ms_per_exchange": round(used["cpu"] * 1000 / (plan.exchanges * plan.rounds), 3),
        "ack_ms": _percentiles([value for result in rounds for value in result["ack_ms"]]),
        "callback_ms": _percentiles([value for result in rounds for value in result["callback_ms"]]),
        "exchanges": plan.exchanges,
        "concurrency": plan.concurrency,
        "rounds": plan.rounds,
        "cores": cores,
        "version": plan.version,
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "p99": round(cuts[98], 2)}
