"""What the bodies of v3 messages share (OCEN v3 metadata, response, credBlock)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel


class Body(BaseModel):
    """A part of a payload. Unknown members are kept, never refused; member names are camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x20-\x7E]+$")]
"""An opaque id: 1 to 64 printable ASCII characters, compared as it is."""

ShortText = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00]*$")]


class Metadata(Body):
    """The head of every payload. `timestamp` is an RFC 3339 date-time with an offset."""

    version: Identifier
    timestamp: Identifier
    trace_id: Identifier
    org_id: Identifier


class Message(Body):
    """What every v3 payload begins with."""

    metadata: Metadata
    request_id: Identifier


class Response(Body):
    """The outcome that a callback reports: `error` "0" or a code."""

    error: Identifier
