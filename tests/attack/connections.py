"""Attacks and foreign clients with a certificate: what they do with their connections."""

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.attack.good_client import GoodClient
from tests.attack.victim import ATTACKER, Victim
from tests.attack.wire import answered_with, ask, connect, connect_tls
from tests.live.pair import LSP

MOST_CONNECTIONS = 256
RESETS = 20
STILL_OPEN = 2.0
"""So many seconds after close_notify we look no longer whether TCP is closed too."""


def connections_of_one_certificate(victim: Victim, _: float) -> Mapping[str, str]:
    """257 connections that show one certificate."""
    tls = victim.tls(ATTACKER)
    with ExitStack() as stack:
        kept = [stack.enter_context(connect_tls(victim.address, tls)) for _ in range(MOST_CONNECTIONS)]
        beyond = answered_with(
            lambda: ask(stack.enter_context(connect_tls(victim.address, tls)), victim.message(ATTACKER))
        )
        within = answered_with(lambda: ask(kept[-1], victim.message(ATTACKER)))
        good = GoodClient(victim)
        good.try_anew()
    return {"message on the 256th": within, "on the 257th": beyond, "next good client": good.longest}


def idle_connection(victim: Victim, _: float) -> Mapping[str, str]:
    """A connection that is kept idle, as the JDK's client does: a POST after close_notify hangs while TCP is open."""
    with connect_tls(victim.address, victim.tls(LSP), seconds=40) as tls:
        ask(tls, victim.message())
        began = time.monotonic()
        assert tls.recv(1) == b""
        closed = time.monotonic()
        with socket.socket(fileno=tls.detach()) as tcp:
            tcp.settimeout(STILL_OPEN)
            try:
                with contextlib.suppress(ConnectionError):
                    tcp.recv(1)
                open_for = f"{time.monotonic() - closed:.2f} s"
            except TimeoutError:
                open_for = f"more than {STILL_OPEN:.0f} s"
    return {"close_notify after": f"{closed - began:.1f} s", "TCP open after it for": open_for}


def resets(victim: Victim, _: float) -> Mapping[str, str]:
    """20 clients that reset the connection right after their request, and 1 that sends CONNECT."""
    tls = victim.tls(ATTACKER)
    for message in [victim.message(ATTACKER) for _ in range(RESETS)]:
        with connect(victim.address) as connection:
            connection.sendall(_with_the_end_of_the_handshake(connection, tls, message))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close resets
    with connect_tls(victim.address, tls) as connection:
        connected = answered_with(lambda: ask(connection, b"CONNECT /path HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    good = GoodClient(victim)
    good.try_anew()
    tracebacks = Path(victim.pair.lender.log).read_text().count("Traceback")
    return {"tracebacks in the log": str(tracebacks), "CONNECT": connected}


def _with_the_end_of_the_handshake(connection: socket.socket, context: ssl.SSLContext, message: bytes) -> bytes:
    """Shake hands up to our last words, and return these with the message: the node reads them when we are gone."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(65536))
        else:
            tls.write(message)
            return outgoing.read()
