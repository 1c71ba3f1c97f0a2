"""A PostgreSQL primary with a hot standby, and an address that leads to one of them and can be moved."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import make_url

from tests.postgres import Server, server_folder


class MovingAddress:
    """A port of loopback whose connections go to a port that can be changed; open ones stay where they are (as DNS)."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.taken = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Take no connections any more, and wait for the ends of those that there are."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            self.taken += 1
            self._threads.append(threading.Thread(target=_connect, args=(caller, self.target), daemon=True))
            self._threads[-1].start()


def _connect(caller: socket.socket, port: int) -> None:
    with caller, suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
        back = threading.Thread(target=_pump, args=(server, caller), daemon=True)
        back.start()
        _pump(caller, server)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(65_536):
            sink.sendall(received)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class Replicated:
    """Two servers, of which the second follows the first; `address` leads to the first."""

    def __init__(self, first: Server, second: Server, address: MovingAddress) -> None:
        self.first, self.second, self.address = first, second, address

    @property
    def url(self) -> str:
        """The URL of the maintenance database at the address."""
        return make_url(self.first.url).set(port=self.address.port).render_as_string(hide_password=False)

    def stop_first(self) -> None:
        """End the primary in good order: its standby has received all."""
        self.first.stop("fast")

    def promote_second(self) -> None:
        """Make the standby the primary, and wait until it is."""
        self.second.run("pg_ctl", "promote", "-D", self.second.data, "-w")

    def bring_back_first(self) -> None:
        """Start the old primary as a hot standby of the new one."""
        follow(self.first, self.second)
        self.first.start()

    def move_address(self) -> None:
        """Let the address lead to the second server, for connections that are made from now on."""
        self.address.target = self.second.port


def follow(standby: Server, primary: Server) -> None:
    """Set a stopped server up as a hot standby."""
    (standby.data / "standby.signal").touch()
    with (standby.data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"primary_conninfo = 'host=127.0.0.1 port={primary.port} user=postgres'\n")


@contextmanager
def replicated(binaries: Path) -> Iterator[Replicated]:
    """Run both servers."""
    with server_folder() as folder:
        first, second = Server(binaries, folder, "first"), Server(binaries, folder, "second")
        first.initialise()
        first.start()
        address = MovingAddress(first.port)
        try:
            source = f"host=127.0.0.1 port={first.port} user=postgres"
            second.run("pg_basebackup", "-D", second.data, "-R", "-X", "stream", "-c", "fast", "-d", source)
            second.start()
            yield Replicated(first, second, address)
        finally:
            for server in (first, second):
                if (server.data / "postmaster.pid").exists():
                    server.stop()
            address.close()
