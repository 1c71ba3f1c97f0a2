"""The simulated Account Aggregator: what it tells the lender of a consent, and when.

It has no state. What it tells depends on the borrower and on which attempt it is, counted from 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid5

from lender_app.loan import Event
from lender_app.personas import Persona

_NAMESPACE: Final = UUID("5c1f0d5e-0f0c-4f5c-9d0b-6a1d7c1d9a04")
_AT_ONCE = timedelta(milliseconds=1)
"""The borrower decides after the handle is there, and before anybody can ask."""

_GIVEN = ((Event.AA_HANDLE, timedelta(0)), (Event.AA_ACTIVE, _AT_ONCE))
_REFUSED = ((Event.AA_HANDLE, timedelta(0)), (Event.AA_REJECTED, _AT_ONCE))
_SLOW = ((Event.AA_HANDLE, timedelta(0)), (Event.AA_ACTIVE, timedelta(minutes=2)))
_AWAY = ((Event.AA_UNAVAILABLE, timedelta(0)),)

_FIRST_ATTEMPT: Final[Mapping[Persona, tuple[tuple[Event, timedelta], ...]]] = MappingProxyType(
    {
        Persona.CONSENT_REFUSED_ONCE: _REFUSED,
        Persona.CONSENT_SLOW: _SLOW,
        Persona.AGGREGATOR_AWAY_ONCE: _AWAY,
    }
)


@dataclass(frozen=True, slots=True)
class AggregatorFact:
    """What the Account Aggregator tells, and when, in business time; `due_at` is aware."""

    event: Event
    due_at: datetime


def facts_of_consent(
    persona: Persona, *, attempt: int, is_monitoring: bool, now: datetime
) -> tuple[AggregatorFact, ...]:
    """Return what the Account Aggregator tells after it has been asked for a consent, in the order of time.

    Stories are told by the first one-time consent; further ones, and the periodic one, are given at once.
    """
    is_told = attempt == 1 and not is_monitoring
    script = _FIRST_ATTEMPT.get(persona, _GIVEN) if is_told else _GIVEN
    return tuple(AggregatorFact(event, now + after) for event, after in script)


def consent_handle(application_keys: tuple[str, ...], *, attempt: int, is_monitoring: bool) -> str:
    """Return the handle of a consent: the same for the same applications and attempt."""
    kind = "PERIODIC" if is_monitoring else "ONETIME"
    return str(uuid5(_NAMESPACE, "\n".join([kind, str(attempt), *application_keys])))


def gives_data(persona: Persona) -> bool:
    """Tell whether the data of a consent that is given can be fetched."""
    return persona is not Persona.NO_DATA
