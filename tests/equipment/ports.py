"""Ports that nobody has, for a sandbox of a test."""

import os

from sandbox.errors import SandboxError
from sandbox.preparation import check_ports
from sandbox.settings import OcenVersion, PairSettings

_BASES = range(20_000, 31_000, 13)
"""Below the ports that outgoing connections get, one of which could take a port before its service does."""


def free_base_port() -> int:
    """Return a base port all of whose ports, of registry and further lenders too, are free now."""
    first = os.getpid() % len(_BASES)  # so that two runs of the tests on a machine do not want the same ones
    for base in (*_BASES[first:], *_BASES[:first]):
        try:
            check_ports(PairSettings(base_port=base, version=OcenVersion.V4, lenders=3))
        except SandboxError:
            continue
        return base
    raise AssertionError("no ports are free")
