"""The protocol plane as one application: each mount has its middleware, and thereby its profile."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class Mounts:
    """Hands a request to the middleware whose mount its path begins with; any other path to that of `default`."""

    def __init__(self, planes: Mapping[str, ASGIApp], default: str) -> None:
        """`planes` are by mount, such as `/v3`."""
        self._planes = [(f"{mount}/", plane) for mount, plane in planes.items()]
        self._default = planes[default]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        plane = next((plane for mount, plane in self._planes if path.startswith(mount)), self._default)
        await plane(scope, receive, send)
