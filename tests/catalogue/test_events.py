"""The heartbeat's events are those that are published, irregular names included."""

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.catalogue.events import EVENT_TYPES, EventType
from shared.catalogue.table import CATALOGUE

READER: TypeAdapter[str] = TypeAdapter(EventType)


def test_there_are_103_events_and_none_twice() -> None:
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES) == 103


def test_the_events_are_those_that_are_published(documents: Path) -> None:
    lines = (documents / "enums.md").read_text("utf-8").splitlines()
    (row,) = (line for line in lines if line.endswith("| hb.Event.eventType |"))
    assert set(re.findall(r"`([A-Z_]+)`", row)) == set(EVENT_TYPES)


def test_every_event_of_the_catalogue_is_one_that_is_published() -> None:
    events = {event for message in CATALOGUE for event in (message.event, message.event_of_receiver) if event}
    assert events <= set(EVENT_TYPES)


def test_messages_of_v3_have_no_event() -> None:
    assert {message.event for message in CATALOGUE if message.version == "v3"} == {None}


@pytest.mark.parametrize("event", ["GRANT_LOAN_REQUEST", "CONFIRM_REPAYMENT_REQUEST_ACK", "LOAN_REPAYMENT_RESP_ACK"])
def test_an_event_of_a_message_that_we_do_not_carry_is_read(event: str) -> None:
    assert READER.validate_python(event) == event


@pytest.mark.parametrize("event", ["", "NONE", "grant_loan_request", "CONFIRM_REPAYMENT_RESPONSE", "CONSENT_HANDLE"])
def test_an_event_that_is_not_published_is_refused_as_no_member_of_the_enumeration(event: str) -> None:
    with pytest.raises(ValidationError, match="Input should be 'CREATE_LOAN_APPLICATION_REQUEST'") as refusal:
        READER.validate_python(event)
    assert refusal.value.errors()[0]["type"] == "enum"


def test_the_schema_of_an_event_lists_all() -> None:
    assert READER.json_schema() == {"type": "string", "enum": list(EVENT_TYPES)}
