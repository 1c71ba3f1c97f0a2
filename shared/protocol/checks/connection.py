"""What the HTTP request has to be."""

from shared.protocol.phases import MAX_BODY_BYTES, Opened
from shared.protocol.problems import Problem
from shared.protocol.verification import Finding, Need, check


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
    size = max(len(message.body), message.declared_size)
    is_within = size <= MAX_BODY_BYTES
    return Finding(is_within, f"at most {MAX_BODY_BYTES} bytes", lambda: f"{size} bytes" if is_within else "more")
