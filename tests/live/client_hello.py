"""A ClientHello written by hand: offers what the OpenSSL of these tests may be too young to offer."""

import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from tests.equipment.deadline import DEADLINE

ALERT, HANDSHAKE = 21, 22

HANDSHAKE_FAILURE, PROTOCOL_VERSION = 40, 70
"""Descriptions of alerts (RFC 5246 s7.2)."""


class Reply(NamedTuple):
    """The first record that came back: its type, and of an alert the description."""

    kind: int
    description: int


def reply_to(address: tuple[str, int], version: int, suites: Sequence[int]) -> Reply:
    """Offer this version (0x0303 is TLS 1.2) and these suites to a server (RFC 5246 s7.4.1.2)."""
    with socket.create_connection(address, timeout=DEADLINE) as connection:
        connection.sendall(_record(_client_hello(version, suites)))
        head = _read(connection, 5)
        body = _read(connection, struct.unpack("!H", head[3:])[0])
    return Reply(head[0], body[1] if head[0] == ALERT else -1)


def _client_hello(version: int, suites: Sequence[int]) -> bytes:
    offered = b"".join(struct.pack("!H", suite) for suite in suites)
    extensions = b"".join(
        [
            _extension(10, _listed(b"\x00\x1d\x00\x17")),  # groups: x25519, secp256r1
            _extension(11, b"\x01\x00"),  # points: uncompressed
            _extension(13, _listed(b"\x08\x04\x04\x01\x02\x01")),  # signatures: RSA-PSS, PKCS 1 with SHA-256 and SHA-1
        ]
    )
    hello = struct.pack("!H", version) + os.urandom(32) + b"\x00" + _listed(offered) + b"\x01\x00" + _listed(extensions)
    return b"\x01" + struct.pack("!I", len(hello))[1:] + hello


def _record(body: bytes) -> bytes:
    return struct.pack("!BHH", HANDSHAKE, 0x0301, len(body)) + body


def _extension(number: int, body: bytes) -> bytes:
    return struct.pack("!H", number) + _listed(body)


def _listed(body: bytes) -> bytes:
    return struct.pack("!H", len(body)) + body


def _read(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        piece = connection.recv(size - len(received))
        assert piece, f"the server has hung up after {received!r}"
        received += piece
    return received
