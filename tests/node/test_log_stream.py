"""The way of log lines out of the process."""

import os
import threading
from collections.abc import Iterator

import pytest

from shared.node.log_stream import LogStream

LINE = "x" * 999 + "\n"


class Pipe:
    """A pipe whose reader reads when the test says so."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.losses: list[int] = []
        self.told = threading.Event()

    def tell(self, lines: int) -> None:
        self.losses.append(lines)
        self.told.set()

    def read_to_end(self) -> str:
        with os.fdopen(self.reader, encoding="utf-8") as file:
            return file.read()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for descriptor in (pipe.reader, pipe.writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_lines_leave_in_their_order(pipe: Pipe) -> None:
    stream = LogStream(pipe.writer, pipe.tell)
    for number in range(1_000):
        stream.write(f"line {number} é \udcff\n")
    stream.close(seconds=20)
    os.close(pipe.writer)
    assert pipe.read_to_end().splitlines() == [f"line {number} é \\udcff" for number in range(1_000)]
    assert pipe.losses == []


def test_who_writes_does_not_wait_for_a_reader_that_hangs_and_what_is_lost_is_counted(pipe: Pipe) -> None:
    stream = LogStream(pipe.writer, pipe.tell, room=100)
    for _ in range(5_000):  # far more than the pipe, the thread and the room hold
        stream.write(LINE)
    received: list[str] = []
    reading = threading.Thread(target=lambda: received.append(pipe.read_to_end()))
    reading.start()
    assert pipe.told.wait(20)
    stream.write("the last line\n")
    stream.close(seconds=20)
    os.close(pipe.writer)
    reading.join(20)
    *lines, last = received[0].splitlines(keepends=True)
    assert set(lines) == {LINE}
    assert (len(lines) + sum(pipe.losses), last) == (5_000, "the last line\n")


def test_a_reader_that_hangs_does_not_hold_up_the_end(pipe: Pipe) -> None:
    stream = LogStream(pipe.writer, pipe.tell)
    stream.write(LINE * 1_000)
    stream.close(seconds=0.01)
    os.close(pipe.reader)  # ends the thread, too


def test_a_reader_that_has_gone_away_harms_nobody(pipe: Pipe) -> None:
    os.close(pipe.reader)
    stream = LogStream(pipe.writer, pipe.tell)
    stream.write(LINE)
    stream.close(seconds=20)
    assert pipe.losses == []
