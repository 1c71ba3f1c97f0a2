"""Connections without a network."""

import asyncio
from typing import Any

from shared.transport.connection import Connection


class MemoryTransport(asyncio.Transport):
    """Stands for an established TLS connection: keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.end = ""
        self.ended = asyncio.Event()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"ssl_object": self}[name]

    def getpeercert(self, *, binary_form: bool) -> bytes:
        return b"DER" if binary_form else b""

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.end = self.end or "closed"
        self.ended.set()

    def abort(self) -> None:
        self.end = self.end or "aborted"
        self.ended.set()


def connect(limit: int = 1000) -> tuple[Connection, MemoryTransport]:
    """A connection that takes responses of up to `limit` bytes."""
    connection, transport = Connection(limit), MemoryTransport()
    connection.connection_made(transport)
    return connection, transport
