"""One side of the benchmark's pair, as a process of its own: `python -m sandbox.load lender`, or `lsp REQUEST`.

It is the real node. Beside it stands a meter on the RSA arithmetic and, at the LSP, a driver that keeps a number of
exchanges in flight, each the request that it was given as JSON: message, receiver, content. Commands come in on
standard input, answers go out on standard output, a JSON object on a line: `report` answers what has been used since
the start, `drive EXCHANGES CONCURRENCY` runs a round.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import lender_app.app
import lsp_app.app
from shared.node.node import Node
from shared.node.process import calm_garbage_collector, run
from shared.node.settings import NodeSettings, load_settings
from shared.node.telemetry import configure_logging
from shared.protocol.phases import VerifiedMessage
from shared.protocol.signing import SigningKey, VerificationKey

PROGRESS_SECONDS = 0.25


class RsaMeter:
    """Adds up the thread time of the raw RSA operations, by standing in for the two methods that do them."""

    def __init__(self) -> None:
        self.nanoseconds = 0
        SigningKey.sign = self._timed(SigningKey.sign)  # type: ignore[method-assign]
        VerificationKey.verify = self._timed(VerificationKey.verify)  # type: ignore[method-assign]

    def usage(self) -> dict[str, float]:
        """Return what this process has used: CPU seconds, and of these the thread time inside RSA operations."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {"cpu": used.ru_utime + used.ru_stime, "rsa": self.nanoseconds / 1e9}

    def _timed(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begun = time.thread_time_ns()
            try:
                return operation(*arguments)
            finally:
                self.nanoseconds += time.thread_time_ns() - begun

        return timed


class Driver:
    """Keeps a number of exchanges in flight; an exchange ends when its callback has been accepted."""

    def __init__(self, node: Node, message: str, receiver: str, content: dict[str, Any]) -> None:
        self._node = node
        self._request = message, receiver, content
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._ack_ms: list[float] = []
        self._callback_ms: list[float] = []
        node.reception.listeners.append(self._arrived)
        node.courier.listeners.append(lambda attempt: self._ack_ms.append(attempt.milliseconds))

    async def drive(self, exchanges: int, concurrency: int) -> dict[str, Any]:
        """Run a round, telling of its progress; return its seconds, and milliseconds of each ack and each callback."""
        self._ack_ms, self._callback_ms = [], []
        todo = iter(range(exchanges))
        ticker = asyncio.create_task(self._tell_progress())
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(self._work(todo))
        seconds = time.perf_counter() - begun
        ticker.cancel()
        return {"seconds": seconds, "ack_ms": self._ack_ms, "callback_ms": self._callback_ms}

    async def _work(self, todo: Iterator[int]) -> None:
        loop = asyncio.get_running_loop()
        for _ in todo:
            begun = time.perf_counter()
            entry = await self._node.sender.send(*self._request)
            arrived = self._waiting[entry.outgoing.request_id] = loop.create_future()
            await arrived
            self._callback_ms.append((time.perf_counter() - begun) * 1000)

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            answer({"progress": len(self._callback_ms)})

    def _arrived(self, message: VerifiedMessage) -> None:
        arrived = self._waiting.pop(message.request_id, None)
        if arrived is not None:
            arrived.set_result(None)


def answer(what: dict[str, Any]) -> None:
    """Write one answer."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def obey(node: Node, meter: RsaMeter, request: str) -> None:
    """Start the node and carry out commands until standard input ends; one with a request can drive."""
    await node.start()
    calm_garbage_collector()
    driver = Driver(node, *json.loads(request)) if request else None
    answer({"ready": True})
    loop = asyncio.get_running_loop()
    while command := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        if command[0] == "drive" and driver is not None:
            answer(await driver.drive(int(command[1]), int(command[2])))
        else:
            answer(meter.usage())
    await node.stop()


def main(side: str, request: str = "") -> None:
    """Be one side of the pair."""
    settings: NodeSettings
    if side == "lender":
        settings = load_settings(lender_app.app.LenderSettings)
        application = lender_app.app.application(settings)
    else:
        settings = load_settings(NodeSettings)
        application = lsp_app.app.application(settings)
    configure_logging(settings.log_format, settings.log_level)
    run(obey(Node(settings, application), RsaMeter(), request))


if __name__ == "__main__":
    main(*sys.argv[1:])
