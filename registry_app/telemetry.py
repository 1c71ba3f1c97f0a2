"""The registry's log, one structured line per call, and its metrics. Never a secret, never a token."""

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from shared.node.telemetry import Troubles

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class RegistryTelemetry:
    """Logs and counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._log = structlog.get_logger().bind(service="registry")
        self._troubles = Troubles(self._log)
        self._calls = Counter(
            "ocen_registry_calls", "Calls of the protocol plane", ["operation", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "ocen_registry_call_seconds", "From a call to its answer", registry=self.registry, buckets=_SECONDS
        )

    def answered(self, operation: str, status: int, seconds: float, peer: str) -> None:
        """Log and count a call that was answered; `operation` is the path of its route, empty where there is none."""
        self._calls.labels(operation or "none", str(status)).inc()
        self._seconds.observe(seconds)
        self._log.info("answered", operation=operation, status=status, ms=round(seconds * 1000, 1), peer=peer)

    def trouble(self, event: str, error: Exception) -> None:
        """Log something that should not happen; never raises, see `Troubles`."""
        self._troubles.tell(event, error)

    def say(self, event: str, **facts: str | int) -> None:
        """Log an event of the registry itself, such as its start."""
        self._log.info(event, **facts)
