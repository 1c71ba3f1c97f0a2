"""Requests that are not what the path takes, or that come from elsewhere, whatever the profile."""

import gzip
from dataclasses import replace

from shared.protocol.checks.opening import (
    body_is_within_size,
    media_type_is_json,
    method_is_allowed,
    path_is_known,
)
from shared.protocol.checks.signature import source_address_is_listed
from shared.protocol.phases import MAX_BODY_BYTES
from shared.protocol.tampering.base import Good, OutgoingMessage
from shared.protocol.tampering.table import Rows

rows = Rows[Good]()


@rows.caught_by(both=path_is_known, requirement="OCEN-ERR-03")
def path_unknown(good: Good) -> OutgoingMessage:
    """The message is sent to a path at which nothing is taken."""
    return replace(good.send(), path=f"{good.path}Unknown")


@rows.each_caught_by("GET", "PUT", "DELETE", both=method_is_allowed, requirement="OCEN-ERR-03")
def method(good: Good, case: str) -> OutgoingMessage:
    """The message is sent by {}."""
    return replace(good.send(), method=case)


@rows.each_caught_by(
    "text/plain",
    "application/jose",
    "multipart/form-data",
    both=media_type_is_json,
    requirement="OCEN-ERR-03",
)
def media_type(good: Good, case: str) -> OutgoingMessage:
    """The Content-Type says {}."""
    message = good.send()
    return replace(message, headers={**message.headers, "content-type": case})


@rows.caught_by(both=media_type_is_json, requirement="OCEN-ERR-03")
def media_type_missing(good: Good) -> OutgoingMessage:
    """There is no Content-Type."""
    message = good.send()
    headers = {name: value for name, value in message.headers.items() if name != "content-type"}
    return replace(message, headers=headers)


@rows.caught_by(both=media_type_is_json, requirement="OCEN-DET-03")
def body_compressed(good: Good) -> OutgoingMessage:
    """The body is compressed, and Content-Encoding says gzip."""
    message = good.send()
    headers = {**message.headers, "content-encoding": "gzip"}
    return replace(message, headers=headers, body=gzip.compress(message.body, mtime=0))


@rows.caught_by(both=body_is_within_size, requirement="OCEN-JWS-23")
def body_too_large(good: Good) -> OutgoingMessage:
    """White space follows the good body, until the body is one byte too large."""
    return good.send(good.send().body.ljust(MAX_BODY_BYTES + 1))


@rows.caught_by(both=source_address_is_listed, requirement="OCEN-TLS-07")
def address_not_listed(good: Good) -> OutgoingMessage:
    """The good message comes from an address that the sender has not listed."""
    return replace(good.send(), from_listed_address=False)
