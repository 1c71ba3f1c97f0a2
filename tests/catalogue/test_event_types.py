"""The types of the heartbeat's events are those that are published, irregular names included."""

import re
from pathlib import Path

from shared.catalogue.bodies.v4.event_types import EventType


def test_there_are_103_types_of_events() -> None:
    assert len(EventType) == 103
    assert all(one.name == one.value for one in EventType)


def test_the_types_of_events_are_those_that_are_published(documents: Path) -> None:
    lines = (documents / "enums.md").read_text("utf-8").splitlines()
    (row,) = (line for line in lines if line.endswith("| hb.Event.eventType |"))
    assert re.findall(r"`([A-Z_]+)`", row) == list(EventType)
