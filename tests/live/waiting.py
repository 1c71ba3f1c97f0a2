"""The only way in which these tests wait: they look again and again, until a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PAUSE_SECONDS = 0.03


def eventually(look: Callable[[], Found | None], within: float) -> Found:
    """What `look` finds, as soon as it finds anything; an AssertionError if that takes more than `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {found!r} after {within} s")
        time.sleep(PAUSE_SECONDS)
    return found
