"""What the payload has to say, judged only after its signature has been found right."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.protocol.encoding import EncodingError, format_timestamp, kind_of, parse_timestamp
from shared.protocol.messages import one_of
from shared.protocol.problems import Problem
from shared.protocol.verification import Examination, Finding, Need, check

METADATA_MEMBERS = ("version", "orgId", "timestamp", "traceId")
MAX_IDENTIFIER_LENGTH = 64


@check(Problem.MALFORMED)
def payload_is_a_json_object(examination: Examination) -> Finding:
    """The payload is one UTF-8 JSON object without repeated members (seed 002, utf8 encode; RFC 7493 s2.3)."""
    expected = "one UTF-8 JSON object"
    try:
        examination.document = examination.texts.read(examination.payload)
    except EncodingError as error:
        return Finding(False, expected, str(error))
    return Finding(True, expected, f"{len(examination.payload)} bytes")


@check(Problem.MANDATORY_MISSING)
def metadata_is_complete(examination: Examination) -> Finding:
    """The payload's metadata has version, orgId, timestamp and traceId, texts of usable length (OCEN v3 metadata)."""
    metadata = examination.metadata
    bad = [name for name in METADATA_MEMBERS if not is_usable(metadata.get(name))]
    missing = [name for name in bad if name not in metadata]
    problem = Problem.MANDATORY_MISSING if missing else problem_of(metadata[bad[0]]) if bad else None
    unusable = ", ".join(f"{name} ({kind_of(metadata.get(name))})" for name in bad)
    found = f"missing or unusable: {unusable}" if bad else "all four"
    return Finding(not bad, f"metadata with {', '.join(METADATA_MEMBERS)}", found, problem)


@check(Problem.SENDER, Need.DIRECTORY)
def sender_is_the_key_holder(examination: Examination) -> Finding:
    """The orgId in metadata is the organisation that holds the key (OCEN v3 metadata; RFC 8725 s3.8)."""
    assert examination.holder is not None
    organisation_id = examination.metadata["orgId"]
    return Finding(
        organisation_id == examination.holder.organisation_id,
        examination.holder.organisation_id,
        organisation_id,
    )


@check(Problem.SENDER, Need.DIRECTORY, Need.MESSAGE_TYPE)
def sender_has_the_role(examination: Examination) -> Finding:
    """The sender's role is the one that sends this message (OCEN API definitions, caller of the message)."""
    assert examination.holder is not None
    assert examination.message_type is not None
    roles, name = examination.message_type.senders, examination.message_type.name
    found = examination.holder.role
    return Finding(found in roles, f"a {one_of(roles)}, who sends {name}", found)


@check(Problem.NOT_FRESH)
def timestamp_is_rfc3339(examination: Examination) -> Finding:
    """The timestamp in metadata is a date-time with an offset (RFC 3339 s5.6)."""
    text = examination.metadata["timestamp"]
    expected = "a date-time like 2018-12-06T11:39:57.153Z"
    try:
        examination.instant = parse_timestamp(text)
    except EncodingError as error:
        return Finding(False, expected, f"{text[:64]}: {error}", Problem.VALUE)
    return Finding(True, expected, text)


@check(Problem.NOT_FRESH, Need.CLOCK)
def timestamp_is_fresh(examination: Examination) -> Finding:
    """The timestamp is neither older nor further ahead than allowed by our clock (seed 002, nonce; RFC 7515 s10.10)."""
    assert examination.instant is not None
    assert examination.now is not None
    window, now = examination.window, examination.now
    if window.holds(examination.instant, now):
        return Finding(True, "a timestamp near our clock", "near enough")
    past, future = window.past.total_seconds(), window.future.total_seconds()
    ahead = (examination.instant - now).total_seconds()
    expected = f"at most {past:.0f} s behind and {future:.0f} s ahead of our {format_timestamp(now)}"
    return Finding(False, expected, f"{format_timestamp(examination.instant)}, {ahead:+.0f} s by our clock")


@check(Problem.LENGTH, Need.MESSAGE_TYPE)
def request_id_is_usable(examination: Examination) -> Finding:
    """The requestId is a text of 1 to 64 printable characters (OCEN v3 request; OCEN 4.0 API design, requestId)."""
    request_id = examination.request_id
    problem = problem_of(request_id) if "requestId" in examination.identified else Problem.MANDATORY_MISSING
    found = request_id[:80] if isinstance(request_id, str) else kind_of(request_id)
    return Finding(is_usable(request_id), f"1 to {MAX_IDENTIFIER_LENGTH} printable characters", found, problem)


@check(Problem.VALUE, Need.MESSAGE_TYPE)
def content_fits_the_message(examination: Examination) -> Finding:
    """The payload has the members of its message, with values of their types (OCEN schemas of the message)."""
    assert examination.message_type is not None
    expected = f"a {examination.message_type.name}"
    try:
        examination.content = examination.message_type.body.model_validate(examination.document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return Finding(False, expected, _describe(first), _problem_for(first["type"]))
    return Finding(True, expected, expected)


def is_usable(value: Any) -> bool:
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
