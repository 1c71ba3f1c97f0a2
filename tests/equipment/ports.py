"""Ports that nobody has, for a sandbox of a test."""

from sandbox.errors import SandboxError
from sandbox.preparation import check_ports
from sandbox.settings import OcenVersion, PairSettings


def free_base_port() -> int:
    """Return a base port all of whose ports, of registry and further lenders too, are free now."""
    for base in range(30000, 60000, 13):
        try:
            check_ports(PairSettings(base_port=base, version=OcenVersion.V4, lenders=3))
        except SandboxError:
            continue
        return base
    raise AssertionError("no ports are free")
