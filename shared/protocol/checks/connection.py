"""What the HTTP request and the TLS connection under it have to be."""

from collections.abc import Mapping

from shared.protocol.problems import Problem
from shared.protocol.verification import Examination, Finding, Need, check

MAX_BODY_BYTES = 1024 * 1024
"""The documents give no limit; 1 MiB holds a bulk request with inline documents of ordinary size."""

MOST_LENGTH_DIGITS = 20
"""Of a Content-Length; one with more is far beyond any limit with so many, too."""


def declared_size(headers: Mapping[str, str]) -> int:
    """Return the size in bytes that a body is to have; 0 where the head does not tell it (RFC 9112 s6.3)."""
    declared = headers.get("content-length", "").lstrip("0")
    return int(declared[:MOST_LENGTH_DIGITS]) if declared.isdecimal() else 0


@check(Problem.NO_SUCH_PATH, Need.REQUEST)
def path_is_known(examination: Examination) -> Finding:
    """The path is one at which a message is taken here (seed 002, base URL plus path)."""
    wire = examination.wire
    assert wire is not None
    known = examination.message_type is not None or bool(examination.allowed_methods)
    return Finding(known, "the path of a message taken here", wire.path[:200])


@check(Problem.METHOD_NOT_ALLOWED, Need.REQUEST)
def method_is_allowed(examination: Examination) -> Finding:
    """The HTTP method is the one of the message (RFC 9110 s15.5.6; seed 002, curl -X POST)."""
    wire = examination.wire
    assert wire is not None
    expected = ", ".join(examination.allowed_methods)
    return Finding(wire.method in examination.allowed_methods, expected, wire.method[:32])


@check(Problem.MEDIA_TYPE, Need.REQUEST)
def media_type_is_json(examination: Examination) -> Finding:
    """The body is application/json and not compressed (RFC 9110 s8.3, s8.4; seed 002, curl -H Content-Type)."""
    wire = examination.wire
    assert wire is not None
    media_type = wire.headers.get("content-type", "")
    coding = wire.headers.get("content-encoding", "identity")
    essence = media_type.partition(";")[0].strip().lower()
    found = media_type[:100] if coding == "identity" else f"{media_type[:100]} with encoding {coding[:32]}"
    passed = essence == "application/json" and coding.strip().lower() == "identity"
    return Finding(passed, "application/json", found or "no Content-Type")


@check(Problem.TOO_LARGE, Need.REQUEST)
def body_is_within_size(examination: Examination) -> Finding:
    """The body is not larger than accepted (RFC 9110 s15.5.14)."""
    wire = examination.wire
    assert wire is not None
    size = max(len(examination.body), declared_size(wire.headers))
    found = f"{size} bytes" if size <= MAX_BODY_BYTES else "more"
    return Finding(size <= MAX_BODY_BYTES, f"at most {MAX_BODY_BYTES} bytes", found)


@check(Problem.SIGNATURE, Need.CONNECTION, Need.DIRECTORY)
def certificate_is_registered(examination: Examination) -> Finding:
    """The TLS certificate is one that the holder of the key has registered (seed 002, Two-way TLS; RFC 8705 s3)."""
    # The code is that of an unknown kid: which kids exist at other participants is nobody else's business.
    holder, peer = examination.holder, examination.peer
    assert holder is not None
    assert peer is not None
    return Finding(
        peer.certificate in holder.certificates,
        f"a certificate registered for {holder.organisation_id}",
        f"sha256 {peer.certificate[:16]}...",
    )


@check(Problem.SENDER, Need.CONNECTION, Need.DIRECTORY)
def source_address_is_listed(examination: Examination) -> Finding:
    """The call comes from an address that the holder of the key has listed (seed 002, Onboarding Process 5)."""
    holder, peer = examination.holder, examination.peer
    assert holder is not None
    assert peer is not None
    if holder.calls_from(peer.address):
        return Finding(True, f"an address of {holder.organisation_id}", peer.address)
    return Finding(False, ", ".join(str(network) for network in holder.networks), peer.address)
