"""A TLS server on loopback which does what a test's script tells it: also what no honest server would do."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Self

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Line:
    """One accepted connection, as a script sees it."""

    def __init__(self, peer: "ScriptedPeer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = peer.connected
        self._peer, self._reader, self._writer = peer, reader, writer

    async def request(self) -> bytes:
        """The next request, body included; the script ends here when the client is gone."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        request = head + await self._reader.readexactly(int(length[0]) if length else 0)
        self._peer.requests.append(request)
        self._peer.arrived.put_nowait(request)
        return request

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def abort(self) -> None:
        """Reset the connection, without a word of TLS."""
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


Script = Callable[[Line], Awaitable[None]]


class ScriptedPeer:
    """Runs `script` for each connection; `arrived` has each request once it is read, `ended` each connection's end."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None) -> None:
        self.port = 0
        self.connected = 0
        self.requests: list[bytes] = []
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended: asyncio.Queue[int] = asyncio.Queue()
        self._script = script
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/v3/LoanRequest"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        self._tasks.add(asyncio.create_task(self._run(Line(self, reader, writer))))

    async def _run(self, line: Line) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                await self._script(line)
        finally:
            self.ended.put_nowait(line.number)
            line.abort()
            await line.close()


def answering(*answers: bytes) -> Script:
    """Answer the requests of each connection with these, the last one again and again."""

    async def script(line: Line) -> None:
        for answer in answers:
            await line.request()
            line.send(answer)
        while True:
            await line.request()
            line.send(answers[-1])

    return script


async def silence(line: Line) -> None:
    """Read requests and answer none."""
    while True:
        await line.request()
