"""What the HTTP request and the TLS connection under it have to be."""

from collections.abc import Mapping

from shared.protocol.phases import MAX_BODY_BYTES, Identified, Opened
from shared.protocol.problems import Problem
from shared.protocol.verification import Finding, Need, check

MOST_LENGTH_DIGITS = 20
"""Of a Content-Length; one with more is far beyond any limit with so many, too."""


def declared_size(headers: Mapping[str, str]) -> int:
    """Return the size in bytes that a body is to have; 0 where the head does not tell it (RFC 9112 s6.3)."""
    declared = headers.get("content-length", "").lstrip("0")
    return int(declared[:MOST_LENGTH_DIGITS]) if declared.isdecimal() else 0


@check(Problem.NO_SUCH_PATH, Need.REQUEST)
def path_is_known(message: Opened) -> Finding:
    """The path is one at which a message is taken here (seed 002, base URL plus path)."""
    return Finding(message.message_type is not None, "the path of a message taken here", message.wire.path[:200])


@check(Problem.METHOD_NOT_ALLOWED, Need.REQUEST)
def method_is_allowed(message: Opened) -> Finding:
    """The HTTP method is the one of the message (RFC 9110 s15.5.6; seed 002, curl -X POST)."""
    method = message.wire.method
    return Finding(method == message.expected.method, message.expected.method, method[:32])


@check(Problem.MEDIA_TYPE, Need.REQUEST)
def media_type_is_json(message: Opened) -> Finding:
    """The body is application/json and not compressed (RFC 9110 s8.3, s8.4; seed 002, curl -H Content-Type)."""
    media_type = message.wire.headers.get("content-type", "")
    coding = message.wire.headers.get("content-encoding", "identity")
    essence = media_type.partition(";")[0].strip().lower()
    found = media_type[:100] if coding == "identity" else f"{media_type[:100]} with encoding {coding[:32]}"
    passed = essence == "application/json" and coding.strip().lower() == "identity"
    return Finding(passed, "application/json", found or "no Content-Type")


@check(Problem.TOO_LARGE, Need.REQUEST)
def body_is_within_size(message: Opened) -> Finding:
    """The body is not larger than accepted (RFC 9110 s15.5.14)."""
    size = max(len(message.body), declared_size(message.wire.headers))
    is_within = size <= MAX_BODY_BYTES
    return Finding(is_within, f"at most {MAX_BODY_BYTES} bytes", lambda: f"{size} bytes" if is_within else "more")


@check(Problem.SIGNATURE, Need.CONNECTION, Need.DIRECTORY)
def certificate_is_registered(message: Identified) -> Finding:
    """The TLS certificate is one that the holder of the key has registered (seed 002, Two-way TLS; RFC 8705 s3)."""
    # The code is that of an unknown kid: which kids exist at other participants is nobody else's business.
    holder, certificate = message.holder, message.opened.peer.certificate
    return Finding(
        certificate in holder.certificates,
        lambda: f"a certificate registered for {holder.organisation_id}",
        lambda: f"sha256 {certificate[:16]}...",
    )


@check(Problem.SENDER, Need.CONNECTION, Need.DIRECTORY, Need.HISTORY)
def source_address_is_listed(message: Identified) -> Finding:
    """The call comes from an address that the holder of the key has listed (seed 002, Onboarding Process 5)."""
    holder, address = message.holder, message.opened.peer.address
    if holder.calls_from(address):
        return Finding(True, lambda: f"an address of {holder.organisation_id}", address)
    return Finding(False, ", ".join(str(network) for network in holder.networks), address)
