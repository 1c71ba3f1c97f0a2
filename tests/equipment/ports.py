"""Ports that nobody has, for a server of a test."""

import socket


def free_ports(count: int) -> list[int]:
    """Return so many ports of loopback that nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
