"""The register as tests use it: each act in a transaction of its own."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, Engine

from shared.node.onboarding.history import ParticipantHistory, load_history
from shared.node.onboarding.record import KeyRecord, ParticipantRecord
from shared.node.onboarding.register import load_record, load_records, offboard, save_record
from shared.protocol.participants import KeyStatus
from tests.equipment.clock import NOW

T = TypeVar("T")


class Registry:
    """The register in one database, as one process sees it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def act(self, work: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return work(connection)

    def save(self, record: ParticipantRecord, now: datetime = NOW, reason: str = "") -> None:
        self.act(lambda connection: save_record(connection, record, now, reason))

    def offboard(self, organisation_id: str, now: datetime = NOW, reason: str = "") -> None:
        self.act(lambda connection: offboard(connection, organisation_id, now, reason))

    def records(self) -> list[ParticipantRecord]:
        return self.act(load_records)

    def record(self, organisation_id: str = "LSP123") -> ParticipantRecord | None:
        return self.act(lambda connection: load_record(connection, organisation_id))

    def known(self, organisation_id: str = "LSP123") -> ParticipantRecord:
        record = self.record(organisation_id)
        assert record is not None
        return record

    def statuses(self, organisation_id: str = "LSP123") -> dict[str, str]:
        """What each key of a participant counts for, by kid."""
        return statuses(self.known(organisation_id))

    def history(self, organisation_id: str = "LSP123") -> ParticipantHistory:
        history = self.act(lambda connection: load_history(connection, organisation_id))
        assert history is not None
        return history

    def events(self, organisation_id: str = "LSP123") -> Mapping[str, list[tuple[datetime, str, str]]]:
        """What became of each key, by kid: when, what and why."""
        return {
            key.kid: [(event.at, event.status.value, event.reason) for event in key.events]
            for key in self.history(organisation_id).keys
        }


def statuses(record: ParticipantRecord) -> dict[str, str]:
    """What each key of a record counts for, by kid."""
    return {key.kid: key.status.value for key in record.keys}


def with_status(key: KeyRecord, status: KeyStatus) -> KeyRecord:
    return key.model_copy(update={"status": status})
