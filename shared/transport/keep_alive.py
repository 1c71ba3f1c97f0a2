"""Reads from an answer how long its connection stays open, or that it is closed."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

MARGIN_SECONDS = 5
"""Seconds by which a client that obeys our header stops using an idle connection before we close it: its last request
would otherwise arrive while we close."""

Application = Callable[[Any, Any, Any], Awaitable[None]]


@cache
def announcement(idle_seconds: float) -> Sequence[tuple[bytes, bytes]]:
    """The header fields that announce how long a connection may be idle (RFC 2068 s19.7.1.1); none if hardly at all."""
    announced = int(idle_seconds) - MARGIN_SECONDS
    return [(b"connection", b"keep-alive"), (b"keep-alive", b"timeout=%d" % announced)] if announced > 0 else []


def announcing(app: Application, cycle: RequestResponseCycle, idle_seconds: float) -> Application:
    """Wrap `app` for the request of that cycle: its answer gets the `announcement` where it may.

    Not where the connection ends with the answer. It also ends where a client waits for our word before it sends the
    body, and the answer comes instead: whether the body still follows is for the client to choose (RFC 9110 s10.1.1).
    """
    fields = announcement(idle_seconds)

    # Plain functions that hand on what is awaited: each coroutine more would cost some microseconds per request.
    def answer(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        def announce(message: Any) -> Awaitable[None]:
            if message["type"] == "http.response.start" and cycle.keep_alive:
                if cycle.waiting_for_100_continue:
                    cycle.keep_alive = False
                elif (b"connection", b"close") not in message["headers"]:
                    message["headers"] = [*message["headers"], *fields]
            sent: Awaitable[None] = send(message)
            return sent

        return app(scope, receive, announce)

    return answer
