"""Attacks of strangers, who need no certificate: what they do before a TLS handshake is complete."""

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

from tests.attack.good_client import GoodClient
from tests.attack.victim import Victim
from tests.attack.wire import ANOTHER_HOST, OURSELVES, Address, connect

PATIENCE = 2.0
"""Seconds for a TCP connection of a stranger; one that is not taken by then waits in a full backlog."""


def finite_field_groups(victim: Victim, _: float) -> Mapping[str, str]:
    """A recorded ClientHello for ffdhe8192 alone, replayed 20 times a second for 8 s."""
    hello = _hello_for("ffdhe8192")
    good = GoodClient(victim, limit=8.0)
    with _arriving(victim.address, 20, hello), good.calling(anew=True):
        Event().wait(8)
    return {"new good connection, median": good.median, "longest": good.longest}


def silent_connections(victim: Victim, _: float) -> Mapping[str, str]:
    """1,000 TCP connections that say nothing."""
    return _next_good_client(victim, 1000, b"")


def half_handshakes(victim: Victim, _: float) -> Mapping[str, str]:
    """600 TLS handshakes that end after the ClientHello."""
    return _next_good_client(victim, 600, _ordinary_hello())


def stream_of_silent_connections(victim: Victim, seconds: float) -> Mapping[str, str]:
    """70 new silent TCP connections a second, for 30 s (--long: 45 s)."""
    good = GoodClient(victim, limit=5.0)
    with _arriving(victim.address, 70, b""), good.calling(anew=True, pause=1.0):
        Event().wait(seconds)
    return {"good clients without an answer in 5 s": good.failed, "longest": good.longest}


def _next_good_client(victim: Victim, number: int, first_words: bytes) -> Mapping[str, str]:
    good = GoodClient(victim, limit=20.0)
    with ExitStack() as stack:
        for _ in range(number):
            _open(stack, victim.address, first_words)
        good.try_anew()
    return {"next good client": good.longest}


@contextmanager
def _arriving(target: Address, per_second: int, first_words: bytes) -> Iterator[None]:
    """Open so many connections a second for as long as this lasts."""
    over = Event()

    def open_one_after_another() -> None:
        with ExitStack() as stack:
            while not over.wait(1 / per_second):
                _open(stack, target, first_words)

    thread = Thread(target=open_one_after_another)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _open(stack: ExitStack, target: Address, first_words: bytes) -> None:
    with contextlib.suppress(OSError):  # the node takes no more, or has dropped it already
        connection = stack.enter_context(connect(target, ANOTHER_HOST, PATIENCE))
        connection.sendall(first_words)


def _ordinary_hello() -> bytes:
    """The ClientHello of Python's own TLS."""
    outgoing = ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=OURSELVES)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def _hello_for(group: str) -> bytes:
    """The ClientHello of openssl for one group, recorded by a listener of ours."""
    openssl = shutil.which("openssl")
    assert openssl, "the program openssl is needed"
    with socket.create_server((OURSELVES, 0)) as listener:
        listener.settimeout(20)
        command = [openssl, "s_client", "-groups", group, "-connect", f"{OURSELVES}:{listener.getsockname()[1]}"]
        client = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(20)
                head = connection.recv(5, socket.MSG_WAITALL)
                return head + connection.recv(int.from_bytes(head[3:]), socket.MSG_WAITALL)
        finally:
            client.kill()
            client.wait()
