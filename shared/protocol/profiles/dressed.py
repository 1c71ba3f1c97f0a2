"""What goes into a message that a profile dresses, and what comes out."""

from collections.abc import Mapping
from typing import NamedTuple

from shared.protocol.participants import Dialect, EnvelopeMember

Style = EnvelopeMember | Dialect
"""What differs between two messages of one profile: how v3 spells the signed header, how a v4 peer signs."""


class Dressed(NamedTuple):
    """A payload as it travels: the exact bytes of the body, and the HTTP headers that belong to it."""

    body: bytes
    headers: Mapping[str, str]


class Originator(NamedTuple):
    """Who a message is from: the id that is judged, and in v4 the organisation whose role that is."""

    participant_id: str
    organisation_id: str = ""


class Claimed(NamedTuple):
    """What a message that was not verified says of itself: to find it again and to answer it, never to act on it."""

    request_id: str
    trace_id: str
    style: Style
