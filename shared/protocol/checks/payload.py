"""What the payload has to say, judged only after its signature has been found right."""

from typing import Any, TypeGuard

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.protocol.encoding import error_in, format_timestamp, kind_of, parse_timestamp
from shared.protocol.messages import one_of
from shared.protocol.phases import MAX_BODY_BYTES, MAX_IDENTIFIER_LENGTH, Identified
from shared.protocol.problems import Problem
from shared.protocol.verification import Finding, Need, check

METADATA_MEMBERS = ("version", "orgId", "timestamp", "traceId")
_IDENTIFIER = f"1 to {MAX_IDENTIFIER_LENGTH} printable characters"


@check(Problem.MALFORMED)
def payload_is_a_json_object(message: Identified) -> Finding:
    """The payload is one UTF-8 JSON object without repeated members (OCEN v3 Security, utf8 encode; RFC 7493 s2.3)."""
    payload = message.opened.payload
    error = "" if message.opened.claims.document else message.opened.texts.error_in(payload, MAX_BODY_BYTES)
    return Finding(not error, "one UTF-8 JSON object", error or (lambda: f"{len(payload)} bytes"))


@check(Problem.MANDATORY_MISSING)
def metadata_is_complete(message: Identified) -> Finding:
    """The payload's metadata has version, orgId, timestamp and traceId, texts of usable length (OCEN v3 metadata)."""
    metadata = message.opened.claims.metadata
    bad = [name for name in METADATA_MEMBERS if not is_usable(metadata.get(name))]
    expected = f"metadata with {', '.join(METADATA_MEMBERS)}"
    if not bad:
        return Finding(True, expected, "all four")
    missing = [name for name in bad if name not in metadata]
    problem = Problem.MANDATORY_MISSING if missing else problem_of(metadata[bad[0]])
    unusable = ", ".join(f"{name} ({kind_of(metadata.get(name))})" for name in bad)
    return Finding(False, expected, f"missing or unusable: {unusable}", problem)


@check(Problem.SENDER, Need.DIRECTORY)
def sender_is_the_key_holder(message: Identified) -> Finding:
    """The orgId in metadata is the organisation that holds the key (OCEN v3 metadata; RFC 8725 s3.8)."""
    holder_id, organisation_id = message.holder.id, message.opened.claims.metadata["orgId"]
    return Finding(organisation_id == holder_id, holder_id, organisation_id)


@check(Problem.SENDER, Need.DIRECTORY, Need.MESSAGE_TYPE, Need.HISTORY)
def sender_has_the_role(message: Identified) -> Finding:
    """The sender's role is the one that sends this message (OCEN API definitions, caller of the message)."""
    expected, found = message.opened.expected, message.holder.role
    return Finding(found in expected.senders, lambda: f"a {one_of(expected.senders)}, who sends {expected.name}", found)


@check(Problem.NOT_FRESH)
def timestamp_is_rfc3339(message: Identified) -> Finding:
    """The timestamp in metadata is a date-time with an offset (RFC 3339 s5.6)."""
    text = message.opened.claims.metadata["timestamp"]
    expected = "a date-time like 2018-12-06T11:39:57.153Z"
    if message.instant is not None:
        return Finding(True, expected, text)
    return Finding(False, expected, f"{text[:64]}: {error_in(parse_timestamp, text)}", Problem.VALUE)


@check(Problem.NOT_FRESH, Need.CLOCK)
def timestamp_is_fresh(message: Identified) -> Finding:
    """The timestamp is neither too old nor too far ahead by our clock (OCEN v3 Security, nonce; RFC 7515 s10.10)."""
    instant, window, now = message.instant, message.opened.window, message.opened.now
    assert instant is not None
    if now - window.past <= instant <= now + window.future:
        return Finding(True, "a timestamp near our clock", "near enough")
    past, future = window.past.total_seconds(), window.future.total_seconds()
    ahead = (instant - now).total_seconds()
    expected = f"at most {past:.0f} s behind and {future:.0f} s ahead of our {format_timestamp(now)}"
    return Finding(False, expected, f"{format_timestamp(instant)}, {ahead:+.0f} s by our clock")


@check(Problem.LENGTH, Need.MESSAGE_TYPE)
def request_id_is_usable(message: Identified) -> Finding:
    """The requestId is a text of 1 to 64 printable characters (OCEN v3 request; OCEN 4.0 API design, requestId)."""
    identified = message.opened.claims.identified
    request_id = identified.get("requestId")
    if is_usable(request_id):
        return Finding(True, _IDENTIFIER, request_id)
    problem = problem_of(request_id) if "requestId" in identified else Problem.MANDATORY_MISSING
    return Finding(False, _IDENTIFIER, request_id[:80] if isinstance(request_id, str) else kind_of(request_id), problem)


@check(Problem.VALUE, Need.MESSAGE_TYPE)
def content_fits_the_message(message: Identified) -> Finding:
    """The payload has the members of its message, with values of their types (OCEN schemas of the message)."""
    expected, content = f"a {message.opened.expected.name}", message.content
    if not isinstance(content, ValidationError):
        return Finding(True, expected, expected)
    first = content.errors(include_url=False, include_context=False, include_input=False)[0]
    return Finding(False, expected, _describe(first), _problem_for(first["type"]))


def is_usable(value: Any) -> TypeGuard[str]:
    """Tell whether a value can be an id: a text of 1 to 64 printable characters."""
    return isinstance(value, str) and 0 < len(value) <= MAX_IDENTIFIER_LENGTH and value.isprintable()


def problem_of(value: Any) -> Problem:
    """Return the code for a value that cannot be an id: its length, or whatever else."""
    return Problem.LENGTH if isinstance(value, str) and value.isprintable() else Problem.VALUE


def _describe(error: ErrorDetails) -> str:
    place = ".".join(str(part)[:64] for part in error["loc"][:8])
    return f"{place}: {error['msg']}"[:300]


def _problem_for(kind: str) -> Problem:
    if kind == "missing":
        return Problem.MANDATORY_MISSING
    if kind in ("enum", "literal_error"):
        return Problem.NOT_IN_ENUM
    if kind.endswith(("too_long", "too_short")):
        return Problem.LENGTH
    return Problem.VALUE
