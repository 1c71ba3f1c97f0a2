"""The benchmark: a pair of its own on free ports, a number of exchanges kept in flight, and this machine's RSA limit.

For OCEN 4.0 a registry runs beside the pair. What it uses is not counted, but it takes its part of the machine.
Everything is as in use: mutual TLS, durable storage on both sides, both processes on the cores there are. Ratios count,
not absolute figures: the limit is measured between the rounds of the same run.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from sandbox import rsa_limit
from sandbox.errand import Errand, errand_of_v3, errand_of_v4
from sandbox.errors import SandboxError
from sandbox.throwaway import throwaway_environments, throwaway_membership

RSA_SECONDS = 1.0
WARM_UP = 300


class BenchError(SandboxError):
    """The benchmark cannot run; the message says why."""


class Version(StrEnum):
    """The version of OCEN that the pair speaks."""

    V3 = "v3"
    V4 = "v4"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: `rounds` times `exchanges`, with `concurrency` of them in flight."""

    exchanges: int
    concurrency: int
    rounds: int
    database_urls: Mapping[str, str]
    version: Version = Version.V3


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured: medians over the rounds; percentiles over all exchanges, in milliseconds."""

    exchanges_per_s: float
    rsa_limit_per_s: float
    ratio: float
    rsa_cpu_share: float
    cpu_ms_per_exchange: float
    ack_ms: Mapping[str, float]
    callback_ms: Mapping[str, float]
    exchanges: int
    concurrency: int
    rounds: int
    cores: int
    version: Version


class Side:
    """One process of the pair: takes a command, gives answers."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @classmethod
    async def start(cls, name: str, environment: Mapping[str, str], log: Path, *errand: str) -> "Side":
        """Start it and wait until it is ready; the LSP is given its errand."""
        with log.open("wb") as stream:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sandbox.load", name, *errand),
                env={**os.environ, **environment},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stream,
                limit=2**26,
            )
        side = cls(process, log)
        await side.answer()
        return side

    async def ask(self, command: str) -> dict[str, Any]:
        """Give a command and return its first answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        await self.process.stdin.drain()
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """Wait for the next answer."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            raise BenchError(f"a side of the pair ended: {self._log.read_text().strip().rpartition(chr(10))[2]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def stop(self) -> None:
        """End it, in its own time."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()


async def run(plan: Plan, progress: Callable[[int], None]) -> Report:
    """Run the benchmark; `progress` is told of exchanges as they are done.

    Raises:
        BenchError: a process of the pair ended before its time.
    """
    with tempfile.TemporaryDirectory(prefix="ocen-bench-") as name, _pair(plan, Path(name)) as (environments, errand):
        folder = Path(name)
        lender = await Side.start("lender", environments["lender"], folder / "lender.log")
        try:
            lsp = await Side.start("lsp", environments["lsp"], folder / "lsp.log", json.dumps(asdict(errand)))
            try:
                return await _measure(plan, lender, lsp, progress)
            finally:
                await lsp.stop()
        finally:
            await lender.stop()


@contextmanager
def _pair(plan: Plan, folder: Path) -> Iterator[tuple[Mapping[str, Mapping[str, str]], Errand]]:
    """Set the pair up, with a registry that runs beside it where the version needs one; give what it is to do."""
    if plan.version is Version.V3:
        yield throwaway_environments(folder, plan.database_urls), errand_of_v3()
        return
    with throwaway_membership(folder, plan.database_urls) as given:
        yield given.environments, errand_of_v4(given.members["LENDER01"])


async def _measure(plan: Plan, lender: Side, lsp: Side, progress: Callable[[int], None]) -> Report:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    await _drive(lsp, WARM_UP, plan.concurrency, lambda _: None)
    limits = [await asyncio.to_thread(rsa_limit.exchanges_per_second, RSA_SECONDS, cores)]
    before = [await side.ask("report") for side in (lender, lsp)]
    rounds = []
    for number in range(plan.rounds):
        tell = partial(_tell, progress, number * plan.exchanges)
        rounds.append(await _drive(lsp, plan.exchanges, plan.concurrency, tell))
        limits.append(await asyncio.to_thread(rsa_limit.exchanges_per_second, RSA_SECONDS, cores))
    after = [await side.ask("report") for side in (lender, lsp)]
    used = {what: sum(a[what] - b[what] for a, b in zip(after, before, strict=True)) for what in ("cpu", "rsa")}
    return _report(plan, cores, rounds, limits, used)


def _report(
    plan: Plan, cores: int, rounds: list[dict[str, Any]], limits: list[float], used: Mapping[str, float]
) -> Report:
    rates = [plan.exchanges / one["seconds"] for one in rounds]
    # Each round stands between two measurements of the limit, so that what else the machine does counts for both.
    ratios = [2 * rate / (limits[i] + limits[i + 1]) for i, rate in enumerate(rates)]
    return Report(
        exchanges_per_s=round(statistics.median(rates), 1),
        rsa_limit_per_s=round(statistics.median(limits), 1),
        ratio=round(statistics.median(ratios), 3),
        rsa_cpu_share=round(used["rsa"] / used["cpu"], 3),
        cpu_ms_per_exchange=round(used["cpu"] * 1000 / (plan.exchanges * plan.rounds), 3),
        ack_ms=_percentiles([value for one in rounds for value in one["ack_ms"]]),
        callback_ms=_percentiles([value for one in rounds for value in one["callback_ms"]]),
        exchanges=plan.exchanges,
        concurrency=plan.concurrency,
        rounds=plan.rounds,
        cores=cores,
        version=plan.version,
    )


def _tell(progress: Callable[[int], None], before: int, in_this_round: int) -> None:
    progress(before + in_this_round)


async def _drive(lsp: Side, exchanges: int, concurrency: int, progress: Callable[[int], None]) -> dict[str, Any]:
    answer = await lsp.ask(f"drive {exchanges} {concurrency}")
    while "progress" in answer:
        progress(answer["progress"])
        answer = await lsp.answer()
    progress(exchanges)
    return answer


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "p99": round(cuts[98], 2)}
