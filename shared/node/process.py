"""Runs a node or the registry as a process: its event loop, its signals, and its message if it cannot run."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, cast

from shared.node.identity import IdentityError
from shared.node.node import Application, Node
from shared.node.onboarding.record import OnboardingError
from shared.node.settings import NodeSettings, ServiceSettings, SettingsError, load_settings
from shared.node.telemetry import configure_logging
from shared.storage.database import DatabaseError, StorageUnavailable
from shared.transport.server import CannotListenError
from shared.transport.tls_files import TlsConfigurationError

UNUSABLE = (
    SettingsError,
    IdentityError,
    OnboardingError,
    DatabaseError,
    StorageUnavailable,
    TlsConfigurationError,
    CannotListenError,
)
"""What is wrong with a node's surroundings rather than with the node: told in one line, without a traceback."""

_log = logging.getLogger(__name__)

NodeKind = TypeVar("NodeKind", bound=NodeSettings)
ServiceKind = TypeVar("ServiceKind", bound=ServiceSettings)


class Service(Protocol):
    """What runs in a process of its own."""

    async def start(self) -> None:
        """Begin to serve."""

    async def stop(self) -> None:
        """Finish what is under way, and close everything."""

    async def crash(self) -> BaseException:
        """Return what has made it impossible to go on, once anything has."""


class ServiceCrashedError(Exception):
    """The service cannot go on; the message is one sentence with what to do."""


def main(kind: type[NodeKind], compose: Callable[[NodeKind], Application]) -> None:
    """Run a node until SIGINT or SIGTERM; see `run_service`."""
    run_service(kind, lambda settings: Node(settings, compose(settings)))


def run_service(kind: type[ServiceKind], build: Callable[[ServiceKind], Service]) -> None:
    """Run a service until SIGINT or SIGTERM; exit with status 2 and one line if it cannot run as it is set up.

    If it cannot go on while it runs, it is stopped, and the exit status is 1: something outside has to start it again.
    """
    os.umask(0o077)  # databases hold messages; nobody else on this machine needs to read them
    try:
        settings = load_settings(kind)
        configure_logging(settings.log_format, settings.log_level)
        run(serve(build(settings)))
    except UNUSABLE as error:
        print(f"{error}", file=sys.stderr)
        sys.exit(2)
    except ServiceCrashedError as error:
        print(f"{error}", file=sys.stderr)
        sys.exit(1)


async def serve(service: Service) -> None:
    """Run a service until SIGINT or SIGTERM.

    Raises:
        ServiceCrashedError: it could not go on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await service.start()
    calm_garbage_collector()
    crash, asked = asyncio.create_task(service.crash()), asyncio.create_task(stop.wait())
    await asyncio.wait({crash, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    await service.stop()
    if crash.done():
        error = crash.result()
        _log.error("the thread that writes to the database has ended", exc_info=error)
        raise ServiceCrashedError(
            f"The thread that writes to the database has ended ({error!r}), so this process ends too: start it again."
        )
    crash.cancel()


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on uvloop's event loop where there is one (not on Windows), else on asyncio's."""
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(work)


def calm_garbage_collector() -> None:
    """Exempt the objects of a started node from garbage collection, and collect less often.

    Messages leave hardly any cycles behind, and searching for them at Python's pace costs a tenth of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not to be had on every platform
    except ImportError:
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)
