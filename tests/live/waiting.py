"""The only way in which these tests wait: they look again and again, until a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.equipment.deadline import DEADLINE

Found = TypeVar("Found")

PAUSE_SECONDS = 0.03


def eventually(look: Callable[[], Found | None]) -> Found:
    """What `look` finds, as soon as it finds anything; an AssertionError if it never does."""
    deadline = time.monotonic() + DEADLINE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {found!r} after {DEADLINE} s")
        time.sleep(PAUSE_SECONDS)
    return found
