"""What a node tells of itself: a stranger's text in it begins no line and commands no terminal."""

import logging

from structlog.testing import capture_logs

from shared.node.telemetry import Telemetry, _ToStructlog

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
