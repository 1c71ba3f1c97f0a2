"""Runs calls that may hang, each in a thread of its own that nothing has to wait for."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def run_in_daemon_thread(call: Callable[[], T], name: str) -> Future[T]:
    """Make a blocking call in a new thread with this name. The result, or Exception, comes through the Future.

    The call cannot be cancelled: who gives up waiting for `asyncio.wrap_future` of it leaves other waiters as they are.
    The thread is a daemon, and none of the event loop's own: a process that ends would have to wait for those.
    """
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()
    threading.Thread(target=_run, args=(call, outcome), name=name, daemon=True).start()
    return outcome


def _run(call: Callable[[], T], outcome: Future[T]) -> None:
    try:
        outcome.set_result(call())
    except Exception as error:
        outcome.set_exception(error)
        del outcome  # which has the error, whose traceback has this frame
