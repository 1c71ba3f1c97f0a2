"""Requests that are not what the path takes, and messages that come over a connection of somebody else."""

import gzip
from dataclasses import replace

from shared.protocol.checks.connection import (
    MAX_BODY_BYTES,
    body_is_within_size,
    certificate_is_registered,
    media_type_is_json,
    method_is_allowed,
    path_is_known,
    source_address_is_listed,
)
from shared.protocol.tampering.good import GoodMessage, OutgoingMessage, TlsIdentity
from shared.protocol.tampering.table import Rows

rows = Rows()


@rows.caught_by(path_is_known)
def path_unknown(good: GoodMessage) -> OutgoingMessage:
    """The message is sent to a path at which nothing is taken."""
    return replace(good.send(), path=f"{good.path}Unknown")


@rows.each_caught_by(method_is_allowed, "GET", "PUT", "DELETE")
def method(good: GoodMessage, case: str) -> OutgoingMessage:
    """The message is sent by {}."""
    return replace(good.send(), method=case)


@rows.each_caught_by(media_type_is_json, "text/plain", "application/jose", "multipart/form-data")
def media_type(good: GoodMessage, case: str) -> OutgoingMessage:
    """The Content-Type says {}."""
    return replace(good.send(), headers={**good.headers, "content-type": case})


@rows.caught_by(media_type_is_json)
def media_type_missing(good: GoodMessage) -> OutgoingMessage:
    """There is no Content-Type."""
    headers = {name: value for name, value in good.headers.items() if name != "content-type"}
    return replace(good.send(), headers=headers)


@rows.caught_by(media_type_is_json)
def body_compressed(good: GoodMessage) -> OutgoingMessage:
    """The body is compressed, and Content-Encoding says gzip."""
    message = good.send()
    headers = {**good.headers, "content-encoding": "gzip"}
    return replace(message, headers=headers, body=gzip.compress(message.body, mtime=0))


@rows.caught_by(body_is_within_size)
def body_too_large(good: GoodMessage) -> OutgoingMessage:
    """White space follows the good envelope, until the body is one byte too large."""
    return good.send(good.send().body.ljust(MAX_BODY_BYTES + 1))


@rows.caught_by(certificate_is_registered)
def certificate_of_another_participant(good: GoodMessage) -> OutgoingMessage:
    """Another participant forwards the good message over its own connection."""
    return replace(good.send(), identity=TlsIdentity.OTHER)


@rows.caught_by(certificate_is_registered)
def key_of_another_participant(good: GoodMessage) -> OutgoingMessage:
    """The sender's connection carries a message that another participant has signed."""
    header = {"kid": good.other.key.kid, "alg": good.other.key.algorithm}
    return good.send_header(header, good.other.key)


@rows.caught_by(source_address_is_listed)
def address_not_listed(good: GoodMessage) -> OutgoingMessage:
    """The good message comes from an address that the sender has not listed."""
    return replace(good.send(), from_listed_address=False)
