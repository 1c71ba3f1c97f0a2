"""Writes log lines from a thread of its own: only that thread waits for a reader that is slow.

A write to a pipe that nobody reads from blocks. If the event loop made it, a log reader that hangs would stop the
whole node.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

ROOM: Final = 10_000
"""Log lines that may wait; those that come while there is no room are lost, and counted."""


class LogStream:
    """A stream for a logger: lines written to it go to a file descriptor from a thread of its own, in their order."""

    def __init__(self, descriptor: int, on_loss: Callable[[int], None], room: int = ROOM) -> None:
        """Begin to serve; `on_loss` is told how many lines were lost, from the thread, once there is room again."""
        self._descriptor = descriptor
        self._on_loss = on_loss
        self._room = room
        self._lines: deque[str] = deque()
        self._lost = self._told = 0
        self._is_closed = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> int:
        """Take a line; it never waits and never fails."""
        if len(self._lines) < self._room:
            self._lines.append(line)
            self._wake.set()
        else:
            self._lost += 1
        return len(line)

    def flush(self) -> None:
        """Do nothing: lines leave as soon as they can."""

    def close(self, seconds: float = 1.0) -> None:
        """Give the lines that wait so many seconds to leave."""
        self._is_closed = True
        self._wake.set()
        self._thread.join(seconds)

    def _serve(self) -> None:
        while self._lines or not self._is_closed:
            self._wake.wait()
            self._wake.clear()
            while self._lines:
                self._put("".join(self._lines.popleft() for _ in range(len(self._lines))))
            lost = self._lost
            if lost > self._told:
                self._on_loss(lost - self._told)
                self._told = lost

    def _put(self, text: str) -> None:
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        with suppress(OSError):  # a full disk, or a pipe that its reader has closed
            while rest:
                # Not through sys.stderr: while it waits, it would hold a lock that others and the process's end need.
                rest = rest[os.write(self._descriptor, rest) :]
