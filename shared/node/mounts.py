"""The protocol plane as one application: each mount has its middleware, and thereby its profile."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class Mounts:
    """Hands a request to the middleware whose mount its path begins with; any other path to that of `default`."""

    def __init__(self, apps: Mapping[str, ASGIApp], default: str) -> None:
        """`apps` are by mount, such as `/v3`."""
        self._apps = [(f"{mount}/", app) for mount, app in apps.items()]
        self._default = apps[default]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        app = next((app for mount, app in self._apps if path.startswith(mount)), self._default)
        await app(scope, receive, send)
