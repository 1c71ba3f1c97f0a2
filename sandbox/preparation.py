"""What has to be there before a sandbox can start: folders, keys and certificates, the ops token, free ports."""

import contextlib
import itertools
import os
import secrets
import socket
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from sandbox.errors import SandboxError
from sandbox.pair_settings import PairSettings
from sandbox.pki.folder import initialise, registry_leaf
from sandbox.pki.organisation import LOOPBACK
from sandbox.settings import LENDERS, Folders, NodeName, OcenVersion

_BASES: Final = range(20_000, 31_000, 13)
"""Below the ports that outgoing connections get, one of which could take a port before its service does."""

# Processes on one machine begin far from each other, and none takes a base port twice.
_UNTRIED: Final = itertools.islice(itertools.cycle(_BASES), os.getpid() * 97 % len(_BASES), None)


def temporary_settings(
    folder: Path, version: OcenVersion = OcenVersion.V3, database_urls: Mapping[NodeName, str] | None = None
) -> PairSettings:
    """Return the settings of a sandbox that keeps keys and databases in `folder`, on ports that are free now.

    Raises SandboxError if no ports are free.
    """
    folders, urls = Folders(folder, folder / "certs"), database_urls or {}
    return PairSettings(folders, free_base_port(), database_urls=urls, version=version)


def free_base_port() -> int:
    """Return a base port all of whose ports, of registry and further lenders too, are free now.

    Raises SandboxError if there is none.
    """
    for base in itertools.islice(_UNTRIED, len(_BASES)):
        with contextlib.suppress(SandboxError):
            check_ports(PairSettings(base_port=base, version=OcenVersion.V4, lenders=len(LENDERS)))
            return base
    raise SandboxError(f"no ports are free from {_BASES.start} to {_BASES.stop}: end programs that hold them")


def prepare(settings: PairSettings, now: datetime) -> None:
    """Make what is missing; what is there stays as it is. `now` is aware.

    Raises:
        SandboxError: a folder cannot be used, or a port is taken.
        PkiError: keys or certificates cannot be made or do not fit together.
    """
    check_ports(settings)
    make_data_folder(settings.folders)
    certs = settings.folders.certs
    initialise(certs, [settings.organisation(name) for name in settings.nodes], (), now)
    if NodeName.REGISTRY in settings.services:
        registry_leaf(certs, ["localhost", *LOOPBACK, settings.host], now)


def make_data_folder(folders: Folders) -> None:
    """Make the data folder, for this user's eyes only, and the ops token in it.

    Raises SandboxError if the folder cannot be used, or others may know the token in it.
    """
    try:
        folders.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        folders.log(NodeName.LENDER).parent.mkdir(exist_ok=True)
        if folders.token_file.exists():
            _refuse_if_known_to_others(folders.token_file)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(folders.token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(secrets.token_urlsafe(32))
    except OSError as error:
        raise SandboxError(
            f"the data folder {folders.data} cannot be used ({error.strerror}): name another with --data-dir"
        ) from error


def _refuse_if_known_to_others(file: Path) -> None:
    """Refuse a token that another user may know: in /tmp, say, anybody can have made the folder first."""
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise SandboxError(f"{file} is not this user's alone: delete it for a new token, and look who else was here")


def check_ports(settings: PairSettings) -> None:
    """Make sure that nobody listens on the ports yet.

    Raises SandboxError if somebody does, or the system does not let us.
    """
    places = [(settings.listen_address, settings.port(name)) for name in settings.services]
    places += [("127.0.0.1", settings.ops_port(name)) for name in settings.services]
    for address, port in places:
        try:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            socket.create_server((address, port), family=family).close()
        except OSError as error:
            raise SandboxError(
                f"port {port} cannot be used ({os.strerror(error.errno or 0)}): end the program that holds it, "
                "or give another --base-port, or set OCEN_BASE_PORT"
            ) from error
