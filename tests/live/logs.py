"""What a process has written about itself."""

from pathlib import Path


def assert_nothing_failed(log: Path) -> None:
    """Find no traceback in a log; show the first one otherwise, for the file is gone after the tests."""
    said = log.read_text()
    at = said.find("Traceback")
    assert at < 0, f"{log.name} has\n{said[max(0, at - 500) : at + 4000]}"
