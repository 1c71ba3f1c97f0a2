"""Looking up the addresses of a host: a name whose lookup hangs holds up nobody but those who want to know it."""

import asyncio
import gc
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop

from shared.transport.dialing import AddressInfo, resolve
from tests.equipment.deadline import DEADLINE

FOUND: AddressInfo = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 443))
HANGS = "hangs.invalid"
UNKNOWN = "unknown.invalid"


class System:
    """Looks names up; for two of them, of which one is unknown, it takes until it is told to go on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.goes_on = threading.Event()

    def getaddrinfo(self, host: str, port: int, **options: Any) -> list[AddressInfo]:
        if "flags" in options:
            raise socket.gaierror("this is no address")
        self.asked.append(host)
        if host in (HANGS, UNKNOWN):
            assert self.goes_on.wait(DEADLINE)
        if host == UNKNOWN:
            raise socket.gaierror("name or service not known")
        return [FOUND]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    system = System()
    monkeypatch.setattr(socket, "getaddrinfo", system.getaddrinfo)
    yield system
    system.goes_on.set()
    end_lookups()


def end_lookups() -> None:
    for thread in lookup_threads():
        thread.join(DEADLINE)


def lookup_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lookup"]


async def begin(number: int, host: str) -> list[asyncio.Task[Any]]:
    waiting = [asyncio.create_task(resolve(host, 443)) for _ in range(number)]
    await asyncio.sleep(0)  # they ask
    return waiting


async def test_a_name_that_hangs_is_looked_up_once_and_holds_up_no_other_name(system: System) -> None:
    waiting = await begin(100, HANGS)
    async with asyncio.timeout(DEADLINE):
        assert await resolve("other.invalid", 443) == [FOUND]
        assert not any(task.done() for task in waiting)
        system.goes_on.set()
        assert await asyncio.gather(*waiting) == [[FOUND]] * 100
    assert system.asked == [HANGS, "other.invalid"]


async def test_who_gives_up_leaves_the_others_waiting(system: System) -> None:
    impatient, *others = await begin(3, HANGS)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    system.goes_on.set()
    async with asyncio.timeout(DEADLINE):
        assert await asyncio.gather(*others) == [[FOUND]] * 2
    assert system.asked == [HANGS]


async def test_a_failure_is_told_to_all_who_wait_and_the_next_who_comes_asks_again(system: System) -> None:
    for number in (1, 2):
        waiting = await begin(2, UNKNOWN)
        system.goes_on.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [socket.gaierror] * 2
        system.goes_on.clear()
        end_lookups()
        assert system.asked == [UNKNOWN] * number


async def test_a_failure_leaves_nothing_for_the_collector_of_garbage(system: System) -> None:
    system.goes_on.set()
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            with pytest.raises(socket.gaierror):
                await resolve(UNKNOWN, 443)
        end_lookups()
        await asyncio.sleep(0)  # the loop lets go of what woke us
        assert not [thing for thing in gc.get_objects() if isinstance(thing, socket.gaierror)]
    finally:
        gc.enable()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_an_event_loop_ends_though_a_lookup_hangs(
    system: System, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(begin(3, HANGS))
    assert [thread.daemon for thread in lookup_threads()] == [True]
    assert system.asked == [HANGS]
