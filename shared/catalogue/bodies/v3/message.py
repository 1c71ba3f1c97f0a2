"""What the bodies of v3 messages share (OCEN v3 metadata, response, credBlock)."""

from shared.catalogue.bodies.body import Body, Identifier


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
