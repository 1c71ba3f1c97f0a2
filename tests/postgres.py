"""A private PostgreSQL server for the tests: its own folder, loopback only, durable as in production."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import NullPool, create_engine, make_url, text


def find_binaries() -> Path | None:
    """Find the folder with initdb, pg_ctl and postgres; the newest where there are several."""
    on_path = shutil.which("pg_ctl")
    folders = [Path(on_path).resolve().parent] if on_path else []
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(installed, key=lambda folder: int(folder.parent.name), reverse=True)
    return next((f for f in folders if all((f / name).exists() for name in ("initdb", "pg_ctl", "postgres"))), None)


class Server:
    """A server with its data in a folder of its own, as a user that PostgreSQL accepts; nothing runs yet."""

    def __init__(self, binaries: Path, folder: Path, name: str = "data") -> None:
        self.binaries = binaries
        self.folder = folder
        self.data = folder / name
        self.port = free_port()
        self._user = _unprivileged_user()
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)

    @property
    def url(self) -> str:
        """The URL of its maintenance database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run one of PostgreSQL's programs."""
        subprocess.run(
            [self.binaries / program, *arguments],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            user=self._user.pw_uid if self._user else None,
            group=self._user.pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
        )

    def initialise(self) -> None:
        """Make an empty cluster."""
        options = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        self.run("initdb", "-D", self.data, *options)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder}"
        self.run("pg_ctl", "start", "-D", self.data, "-w", "-l", f"{self.data}.log", "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """End it, and wait for that."""
        self.run("pg_ctl", "stop", "-D", self.data, "-w", "-m", mode)


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder for servers; not below pytest's, for that is closed to the user whom they run as."""
    folder = Path(tempfile.mkdtemp(prefix="ocen-pg-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def private_server(binaries: Path) -> Iterator[str]:
    """Run a server in a temporary folder and give the URL of its maintenance database."""
    with server_folder() as folder:
        server = Server(binaries, folder)
        server.initialise()
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def create_database(server_url: str) -> str:
    """Create an empty database on the server and give its URL; it goes when the server goes."""
    name = f"test_{uuid4().hex}"
    administer(server_url, f"CREATE DATABASE {name}")
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def empty_database(url: str) -> None:
    """Remove everything from a database, which costs a tenth of what another one would."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    end = f"SELECT pg_terminate_backend(pid, 5000) {others}"
    administer(url, end, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def administer(server_url: str, *statements: str) -> None:
    """Execute statements outside of any transaction."""
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def free_port() -> int:
    """Find a port of loopback that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Choose whom the server runs as where we are root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]
