"""A node's log, one structured line per message, and its metrics. Never a payload, never a secret."""

import atexit
import contextlib
import json
import logging
import sys
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.clock import Clock
from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.log_stream import LogStream
from shared.node.send.outbox import DeliveryAttempt, OutboxState, storable
from shared.node.settings import LogFormat
from shared.once_a_minute import OnceAMinute
from shared.storage.database import StorageUnavailable

MOST_TOLD = 10_000
"""Characters of an error's text or traceback in a log line, which may quote a stranger; the last ones are kept."""

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


OUTAGES: Final = (StorageUnavailable, CounterpartiesUnavailable)
"""What every message meets as long as it lasts, and is no fault of the node's code."""


class Troubles:
    """Logs what should not happen: with a traceback, or an outage with one line a minute.

    A full disk must not be filled by the lines that tell of it. `repeated` is how often it was met and not told since.
    """

    def __init__(self, log: structlog.types.FilteringBoundLogger, clock: Clock | None = None) -> None:
        self._log = log
        self._outages: OnceAMinute[tuple[str, type[Exception]]] = OnceAMinute(clock)

    def tell(self, event: str, error: Exception) -> None:
        """Log it; never raises, because the caller is in trouble already: a full disk or a closed pipe, perhaps."""
        with contextlib.suppress(Exception):
            said = f"{type(error).__name__}: {str(error)[:500]}"
            if not isinstance(error, OUTAGES):
                self._log.error(event, error=said, exc_info=error)
                return
            if (repeated := self._outages.due((event, type(error)))) is not None:
                self._log.error(event, error=said, repeated=repeated)


class Telemetry:
    """Logs and counts."""

    def __init__(self, organisation_id: str) -> None:
        self.registry = CollectorRegistry()
        self._log = structlog.get_logger().bind(organisation_id=organisation_id)
        self._troubles = Troubles(self._log)
        received = Counter(
            "ocen_messages_received", "Messages answered", ("message", "verdict"), registry=self.registry
        )
        self._received = lru_cache(maxsize=1024)(received.labels)  # which looks longer for a counter than it counts
        self._received_seconds = Histogram(
            "ocen_message_seconds", "From the message to its ack", registry=self.registry, buckets=_SECONDS
        )
        sent = Counter("ocen_delivery_attempts", "Tries to deliver", ["message", "outcome"], registry=self.registry)
        self._sent = lru_cache(maxsize=1024)(sent.labels)
        self._sent_seconds = Histogram(
            "ocen_delivery_seconds", "From a try to its ack", registry=self.registry, buckets=_SECONDS
        )
        self._reported = Counter(
            "ocen_heartbeat_events", "Events for the heartbeat of OCEN 4.0", ["outcome"], registry=self.registry
        )
        self.unfinished = Gauge("ocen_outbox_unfinished", "Deliveries not finished", ["state"], registry=self.registry)

    def received(
        self, *, message: str, request_id: str, trace_id: str, peer: str, verdict: str, seconds: float, check: str = ""
    ) -> None:
        """Log and count a message that came in and was answered. `verdict` is the ack's `error`."""
        self._received(message, verdict).inc()
        self._received_seconds.observe(seconds)
        self._log.info(
            "received",
            message=message,
            request_id=storable(request_id),
            trace_id=storable(trace_id),
            peer=peer,
            verdict=verdict,
            ms=round(seconds * 1000, 1),
            **({"check": check} if check else {}),
        )

    def delivered(self, attempt: DeliveryAttempt, state: OutboxState) -> None:
        """Log and count an attempt to deliver, and its result."""
        outgoing = attempt.entry.outgoing
        self._sent(outgoing.message.full_name, attempt.outcome.value).inc()
        self._sent_seconds.observe(attempt.milliseconds / 1000)
        self._log.info(
            "sent",
            message=outgoing.message.full_name,
            request_id=outgoing.request_id,
            trace_id=attempt.trace_id,
            peer=outgoing.receiver,
            verdict=attempt.outcome.value,
            ms=attempt.milliseconds,
            state=state.value,
            **({"reason": storable(attempt.reason)} if state is not OutboxState.DELIVERED else {}),
        )

    def reported(self, outcome: str) -> None:
        """Count an event of the heartbeat: `taken` or `refused` by its service, or `dropped` because many waited."""
        self._reported.labels(outcome).inc()

    def trouble(self, event: str, error: Exception) -> None:
        """Log something that should not happen; never raises, see `Troubles`."""
        self._troubles.tell(event, error)

    def say(self, event: str, **facts: str | int | datetime) -> None:
        """Log an event of the node itself, such as its start."""
        self._log.info(event, **facts)


_JSON = json.JSONEncoder(ensure_ascii=False, default=repr)


def _cut(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if "exception" in line:
        line["exception"] = line["exception"][-MOST_TOLD:]
    return line


def _as_json(line: dict[str, Any], **_: Any) -> str:
    return _JSON.encode(line)


class _ToStructlog(logging.Handler):
    """Hands the lines of the standard library's loggers on, so that all lines look alike."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        # It may quote a stranger, such as the subject of a certificate, who is to begin no line and command no screen.
        structlog.get_logger().log(
            record.levelno, storable(record.getMessage().strip()), logger=record.name, exc_info=record.exc_info
        )


def _tell_of_loss(lines: int) -> None:
    structlog.get_logger().warning("log lines lost", lines=lines)


def configure_logging(log_format: LogFormat, level: str) -> None:
    """Write log lines to standard error, one line each, times in UTC; other libraries' lines from WARNING on.

    Nobody waits for standard error: lines that it does not take in time are lost, and their number is told.
    """
    stream = LogStream(sys.stderr.fileno(), _tell_of_loss)
    atexit.register(stream.close)
    renderer = (
        structlog.processors.JSONRenderer(_as_json)
        if log_format is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _cut,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", stream)),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=max(threshold, logging.WARNING))
    logging.getLogger("shared").setLevel(threshold)
