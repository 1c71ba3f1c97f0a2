"""Sockets to a node on loopback, and HTTP written by hand over them: also what no honest client would send."""

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias

OURSELVES = "127.0.0.1"
ANOTHER_HOST = "127.0.0.2"
"""Stands for a host of somebody else."""

Address: TypeAlias = tuple[str, int]


class NotLoopbackError(Exception):
    """An attack was aimed at an address that is not of this machine alone."""


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def connect(target: Address, source: str = OURSELVES, seconds: float = 20.0) -> socket.socket:
    """Open a TCP connection to a loopback address; `seconds` is its timeout, from now on.

    Raises:
        NotLoopbackError: `target` is an address of another machine, or a name.
        OSError: it cannot be opened.
    """
    try:
        is_loopback = ip_address(target[0]).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise NotLoopbackError(f"{target[0]} is not a loopback address: only nodes on this machine are attacked")
    return socket.create_connection(target, timeout=seconds, source_address=(source, 0))


def connect_tls(target: Address, tls: ssl.SSLContext, source: str = OURSELVES, seconds: float = 20.0) -> ssl.SSLSocket:
    """Open a connection and do the TLS handshake.

    Raises:
        NotLoopbackError, OSError: as `connect`; ssl.SSLError is an OSError.
    """
    connection = connect(target, source, seconds)
    try:
        return tls.wrap_socket(connection, server_hostname=target[0])
    except OSError:
        connection.close()
        raise


def post(path: str, body: bytes, *further_headers: bytes) -> bytes:
    """Write a POST of JSON, with these header lines added."""
    lines = [
        f"POST {path} HTTP/1.1".encode(),
        b"host: localhost",
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        *further_headers,
    ]
    return b"\r\n".join([*lines, b"", body])


def ask(connection: socket.socket, request: bytes) -> Answer:
    """Send a request and read the answer.

    Raises:
        OSError, http.client.HTTPException: there is none.
    """
    connection.sendall(request)
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def answered_with(act: Callable[[], Answer]) -> str:
    """Say what came of a request: the status of the answer, or that there is none."""
    try:
        return f"answer {act().status}"
    except (OSError, http.client.HTTPException):
        return "dropped"


def seconds_of(act: Callable[[], object]) -> float:
    """Measure how long something takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began
