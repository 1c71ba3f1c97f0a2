"""A track is one application of a borrower at one lender; a journey is what the tracks of one loan share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter

from lsp_app.borrower import OfferSeen, Preference
from shared.node.rules import Record, Records, find_records

TRACK, JOURNEY = "track", "journey"
"""Kinds of record."""


class Stage(StrEnum):
    """How far a track has come. OFFERED, ENDED and STOPPED are where nothing more is asked.

    ENDED: the lender or the borrower has said no. STOPPED: something went wrong, and somebody has to look at it.
    """

    APPLIED = "APPLIED"
    CONSENT = "CONSENT"
    OFFERS = "OFFERS"
    OFFERED = "OFFERED"
    ENDED = "ENDED"
    STOPPED = "STOPPED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more is asked."""
        return self in (Stage.OFFERED, Stage.ENDED, Stage.STOPPED)


@dataclass(frozen=True, slots=True)
class Track:
    """One application at one lender.

    Attributes:
        request_id: of the request whose callback is awaited; empty while nothing is asked.
        exchange, content: what was asked last, and with what, so that it can be asked again.
        handle: of the consent that the borrower was sent to his Account Aggregator for.
        give_up_at: business time at which polling ends.
        consent_rounds: how many consents have been asked for.
        errors: how often in a row the lender could not do what was asked.
        is_repeated: whether it was asked again because no callback came.
        outcome: why it has ended or stopped, for people.
        offers: those of the lender.
    """

    journey: str
    lender: str
    application_id: str
    vua: str
    stage: Stage = Stage.APPLIED
    request_id: str = ""
    exchange: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    handle: str = ""
    give_up_at: datetime | None = None
    consent_rounds: int = 0
    errors: int = 0
    is_repeated: bool = False
    outcome: str = ""
    offers: Sequence[OfferSeen] = ()

    @property
    def id(self) -> str:
        """The id of its record; no id of a lender or an application holds a line break."""
        return f"track\n{self.lender}\n{self.application_id}"


@dataclass(frozen=True, slots=True)
class Journey:
    """What a borrower wants: one application, at several lenders, and at last the best offer.

    `tracks` are the ids of their records; `chosen` is the offer that the borrower takes, None until then.
    """

    id: str
    tracks: Sequence[str]
    preference: Preference
    is_closed: bool = False
    chosen: OfferSeen | None = None

    @property
    def record_id(self) -> str:
        """The id of its record."""
        return f"journey\n{self.id}"


_TRACK: Final = TypeAdapter(Track)
_JOURNEY: Final = TypeAdapter(Journey)


def track_record(track: Track) -> Record:
    """Write a track as its record, which is also found by the requestId that it waits for."""
    awaited = [_awaiting(track.request_id)] if track.request_id else []
    return Record(track.id, TRACK, track.lender, _TRACK.dump_python(track, mode="json"), other_ids=awaited)


def journey_record(journey: Journey) -> Record:
    """Write a journey as its record."""
    return Record(journey.record_id, JOURNEY, "", _JOURNEY.dump_python(journey, mode="json"))


def awaiting_track(records: Records, lender: str, request_id: str) -> Track | None:
    """Return the track that waits for the callback under this requestId; None if none does, or another lender's."""
    record = records.get(_awaiting(request_id))
    track = None if record is None else _TRACK.validate_python(record.state)
    return track if track and (track.request_id, track.lender) == (request_id, lender) else None


def track_of(records: Records, id_: str) -> Track:
    """Return the track of this record id. Raises KeyError."""
    return _TRACK.validate_python(records[id_].state)


def journey_of(records: Records, id_: str) -> Journey:
    """Return the journey of this id. Raises KeyError."""
    return _JOURNEY.validate_python(records[f"journey\n{id_}"].state)


def tracks_of(records: Records, journey: Journey) -> list[Track]:
    """Return all tracks of a journey."""
    return [_TRACK.validate_python(found.state) for found in find_records(records, journey.tracks) if found]


def _awaiting(request_id: str) -> str:
    return f"awaiting\n{request_id}"
