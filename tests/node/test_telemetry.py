"""What a node tells of itself: a stranger's text in it begins no line and commands no terminal."""

import logging

import pytest
import structlog
from structlog.testing import capture_logs

from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.telemetry import MOST_TOLD, Telemetry, Troubles, _cut, _ToStructlog
from shared.storage.database import StorageUnavailable
from tests.equipment.clock import FrozenClock

HOSTILE = "a\x1b[31m\nb\x9b1m\u202e"
HARMLESS = "a?[31m?b?1m?"


def test_what_a_message_claims_commands_no_terminal() -> None:
    with capture_logs() as lines:
        Telemetry("LSP123").received(
            message="unknown", request_id=HOSTILE, trace_id=HOSTILE, peer="", verdict="GEN5008", seconds=0.1
        )
    assert [(line["request_id"], line["trace_id"]) for line in lines] == [(HARMLESS, HARMLESS)]


def test_what_a_library_says_of_a_stranger_is_one_line() -> None:
    record = logging.LogRecord("tls", logging.WARNING, "", 0, "refused: %s\n", (f"CN={HOSTILE}",), None)
    with capture_logs() as lines:
        _ToStructlog().emit(record)
    assert [line["event"] for line in lines] == [f"refused: CN={HARMLESS}"]


@pytest.mark.parametrize("outage", [StorageUnavailable("the disk is full"), CounterpartiesUnavailable("no registry")])
def test_an_outage_is_told_once_a_minute_for_each_event_and_without_a_traceback(outage: Exception) -> None:
    clock = FrozenClock()
    with capture_logs() as lines:
        troubles = Troubles(structlog.get_logger(), clock)
        for _ in range(60):
            for event in ("not available", "housekeeping failed"):
                troubles.tell(event, outage)
            clock.advance(0.99)
        assert [line["event"] for line in lines] == ["not available", "housekeeping failed"]
        clock.advance(1)
        troubles.tell("not available", outage)
    assert [line["repeated"] for line in lines] == [0, 0, 59]
    assert str(outage) in lines[-1]["error"]
    assert not any("exc_info" in line for line in lines)


def test_what_is_no_outage_is_told_each_time_and_with_its_traceback() -> None:
    bug = ZeroDivisionError()
    with capture_logs() as lines:
        troubles = Troubles(structlog.get_logger(), FrozenClock())
        for _ in range(3):
            troubles.tell("message not handled", bug)
    assert [line["exc_info"] for line in lines] == [bug] * 3


def test_an_error_that_quotes_a_whole_message_makes_a_short_line() -> None:
    with capture_logs() as lines:
        Telemetry("LSP123").trouble("message not judged", ValueError("x" * 1_000_000))
    assert len(lines[0]["error"]) < 1000
    assert len(_cut(None, "error", {"exception": "x" * 1_000_000})["exception"]) == MOST_TOLD
