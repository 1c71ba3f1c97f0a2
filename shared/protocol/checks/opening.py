"""What the HTTP request, the envelope and its signed header have to be, judged before any key is looked for."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, TypeGuard

from shared.protocol.encoding import base64url_decode, error_in, kind_of
from shared.protocol.envelope import OpenedEnvelope
from shared.protocol.participants import EnvelopeMember
from shared.protocol.phases import MAX_BODY_BYTES, MAX_HEADER_BYTES, Opened
from shared.protocol.problems import Problem
from shared.protocol.verification import Finding, Need, check

HEADER_MEMBERS = frozenset({"alg", "kid", "typ", "cty"})
"""All that a v3 signed header may hold. Keys, key locations and critical extensions are thereby out."""

MAX_KID_LENGTH = 128

MOST_NAMED = 8
"""Members of a stranger's object that are listed by name at most."""

_MEMBERS = tuple(EnvelopeMember)
_ONLY_THESE = f"only {', '.join(sorted(HEADER_MEMBERS))}"


@check(Problem.NO_SUCH_PATH, Need.REQUEST)
def path_is_known(message: Opened) -> Finding:
    """The path is one at which a message is taken here (OCEN v3 Security, base URL plus path)."""
    return Finding(message.message_type is not None, "the path of a message taken here", message.wire.path[:200])


@check(Problem.METHOD_NOT_ALLOWED, Need.REQUEST)
def method_is_allowed(message: Opened) -> Finding:
    """The HTTP method is the one of the message (RFC 9110 s15.5.6; OCEN v3 Security, curl -X POST)."""
    method = message.wire.method
    return Finding(method == message.expected.method, message.expected.method, method[:32])


@check(Problem.MEDIA_TYPE, Need.REQUEST)
def media_type_is_json(message: Opened) -> Finding:
    """The body is application/json and not compressed (RFC 9110 s8.3, s8.4; OCEN v3 Security, curl -H Content-Type)."""
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


@check(Problem.MALFORMED)
def body_is_a_json_object(message: OpenedEnvelope) -> Finding:
    """The body is one UTF-8 JSON object without repeated members (RFC 7515 s7.2.2, s10.12; RFC 8259 s8.1)."""
    return _is_object(message, message.body, message.outer, "one UTF-8 JSON object")


@check(Problem.MALFORMED)
def envelope_is_flattened(message: OpenedEnvelope) -> Finding:
    """The envelope is a flattened JWS, not a general one (OCEN v3 Security, Flattened JWS JSON Serialization)."""
    is_general = "signatures" in message.outer
    return Finding(not is_general, "no member signatures", "a member signatures" if is_general else "none")


@check(Problem.MALFORMED)
def one_signed_header(message: OpenedEnvelope) -> Finding:
    """Exactly one of header and protected is there, as a string (OCEN v3 Security, signed sample; RFC 7515 s7.2.2)."""
    names = [member for member in _MEMBERS if member in message.outer]
    expected = "header or protected, one of them, a string"
    if len(names) != 1:
        return Finding(False, expected, " and ".join(names) or "neither")
    header = message.outer[names[0]]
    return Finding(isinstance(header, str) and header != "", expected, lambda: f"{names[0]} ({kind_of(header)})")


@check(Problem.MALFORMED)
def parts_are_strings(message: OpenedEnvelope) -> Finding:
    """Payload and signature are there, as strings that are not empty (RFC 7515 s7.2.2, s5.2)."""
    payload, signature = message.outer.get("payload"), message.outer.get("signature")
    passed = isinstance(payload, str) and isinstance(signature, str) and "" not in (payload, signature)
    expected = "payload (string), signature (string)"
    return Finding(passed, expected, lambda: f"payload ({kind_of(payload)}), signature ({kind_of(signature)})")


@check(Problem.MALFORMED)
def parts_are_canonical_base64url(message: OpenedEnvelope) -> Finding:
    """Payload, header and signature are canonical base64url without padding (RFC 7515 s2; RFC 4648 s3.5)."""
    expected = "canonical base64url, no padding"
    if message.payload and message.header_bytes and message.signature:
        return Finding(True, expected, "three such parts")
    errors = {
        name: error_in(base64url_decode, message.outer[name]) for name in ("payload", message.member, "signature")
    }
    return Finding(False, expected, next(f"{name}: {error}" for name, error in errors.items() if error))


@check(Problem.MALFORMED)
def header_is_a_json_object(message: Opened) -> Finding:
    """The signed header is one small JSON object without repeated members (RFC 7515 s4, s5.2)."""
    return judge_signed_header(message)


def judge_signed_header(message: Opened) -> Finding:
    """Judge the header's bytes, as every profile does; what a header that is none is refused with is its own matter."""
    expected = f"one JSON object of at most {MAX_HEADER_BYTES} bytes"
    if len(message.header_bytes) > MAX_HEADER_BYTES:
        return Finding(False, expected, f"{len(message.header_bytes)} bytes")
    return _is_object(message, message.header_bytes, message.header, expected)


@check(Problem.MALFORMED)
def header_members_are_allowed(message: Opened) -> Finding:
    """The signed header holds no key, key location or critical extension (RFC 7515 s4.1, s10.3; RFC 8725 s3.10)."""
    return judge_members(message, HEADER_MEMBERS, _ONLY_THESE)


def judge_members(message: Opened, allowed: frozenset[str], expected: str) -> Finding:
    """Judge which members the signed header has."""
    surplus = message.header.keys() - allowed
    if not surplus:
        return Finding(True, expected, "none other")
    return Finding(False, expected, f"also {names_of({name: None for name in message.header if name in surplus})}")


@check(Problem.SIGNATURE, Need.SIGNATURE)
def algorithm_is_the_agreed_one(message: Opened) -> Finding:
    """The header's alg is the one algorithm of the profile (OCEN v3 Security, Encryption; RFC 8725 s3.1)."""
    algorithm = message.header.get("alg")
    return Finding(algorithm == message.algorithm, message.algorithm, lambda: _show(algorithm))


@check(Problem.SIGNATURE)
def kid_is_given(message: Opened) -> Finding:
    """The signed header names its key by a kid (OCEN v3 Security, kid; RFC 7515 s4.1.4)."""
    kid = message.header.get("kid")
    return Finding(is_kid(kid), f"a string of 1 to {MAX_KID_LENGTH} printable characters", lambda: _show(kid))


def is_kid(kid: Any) -> TypeGuard[str]:
    """Tell whether a value can be a kid."""
    return isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH and kid.isprintable()


def names_of(members: Mapping[str, Any]) -> str:
    """List the names of a stranger's members, cut to what a report can hold."""
    names = [name[:32] for name in islice(members, MOST_NAMED)]
    more = len(members) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "") or "none"


def _is_object(message: Opened, text: bytes, members: Mapping[str, Any], expected: str) -> Finding:
    error = "" if members else message.texts.error_in(text, MAX_BODY_BYTES)
    return Finding(not error, expected, error or (lambda: f"members {names_of(members)}"))


def _show(value: Any) -> str:
    return value[:100] if isinstance(value, str) and value else kind_of(value)
