"""What the envelope and its signed header have to be, judged before any key is looked for."""

from itertools import islice
from typing import Any

from shared.protocol.encoding import EncodingError, base64url_decode, kind_of, parse_json_object
from shared.protocol.envelope import Envelope
from shared.protocol.participants import EnvelopeMember
from shared.protocol.problems import Problem
from shared.protocol.verification import Examination, Finding, Need, check

HEADER_MEMBERS = frozenset({"alg", "kid", "typ", "cty"})
"""All that a v3 signed header may hold. Keys, key locations and critical extensions are thereby out."""

MAX_HEADER_BYTES = 4096
MAX_KID_LENGTH = 128

MOST_NAMED = 8
"""Members of a stranger's object that are listed by name at most."""

_ONLY_THESE = f"only {', '.join(sorted(HEADER_MEMBERS))}"


@check(Problem.MALFORMED)
def body_is_a_json_object(examination: Examination) -> Finding:
    """The body is one UTF-8 JSON object without repeated members (RFC 7515 s7.2.2, s10.12; RFC 8259 s8.1)."""
    expected = "one UTF-8 JSON object"
    try:
        examination.outer = examination.texts.read(examination.body)
    except EncodingError as error:
        return Finding(False, expected, str(error))
    return Finding(True, expected, f"members {names_of(examination.outer)}")


@check(Problem.MALFORMED)
def envelope_is_flattened(examination: Examination) -> Finding:
    """The envelope is a flattened JWS, not a general one (seed 002, Flattened JWS JSON Serialization Syntax)."""
    found = "a member signatures" if "signatures" in examination.outer else "none"
    return Finding("signatures" not in examination.outer, "no member signatures", found)


@check(Problem.MALFORMED)
def one_signed_header(examination: Examination) -> Finding:
    """Exactly one of header and protected is there, as a string (seed 002, signed sample; RFC 7515 s7.2.2)."""
    names = [member for member in EnvelopeMember if member in examination.outer]
    expected = "header or protected, one of them, a string"
    if len(names) != 1:
        return Finding(False, expected, " and ".join(names) or "neither")
    kind = kind_of(examination.outer[names[0]])
    return Finding(kind == "string", expected, f"{names[0]} ({kind})")


@check(Problem.MALFORMED)
def parts_are_strings(examination: Examination) -> Finding:
    """Payload and signature are there, as strings that are not empty (RFC 7515 s7.2.2, s5.2)."""
    outer = examination.outer
    found = ", ".join(f"{name} ({kind_of(outer.get(name))})" for name in ("payload", "signature"))
    passed = all(isinstance(outer.get(name), str) and outer[name] for name in ("payload", "signature"))
    return Finding(passed, "payload (string), signature (string)", found)


@check(Problem.MALFORMED)
def parts_are_canonical_base64url(examination: Examination) -> Finding:
    """Payload, header and signature are canonical base64url without padding (RFC 7515 s2; RFC 4648 s3.5)."""
    outer = examination.outer
    member = EnvelopeMember.HEADER if "header" in outer else EnvelopeMember.PROTECTED
    decoded = {}
    for name in ("payload", member, "signature"):
        try:
            decoded[name] = base64url_decode(outer[name])
        except EncodingError as error:
            return Finding(False, "canonical base64url, no padding", f"{name}: {error}")
    examination.payload, examination.header_bytes, examination.signature = decoded.values()
    examination.envelope = Envelope(outer["payload"], outer[member], outer["signature"], member)
    examination.signing_input = examination.envelope.signing_input
    return Finding(True, "canonical base64url, no padding", "three such parts")


@check(Problem.MALFORMED)
def header_is_a_json_object(examination: Examination) -> Finding:
    """The signed header is one small JSON object without repeated members (RFC 7515 s4, s5.2)."""
    return read_signed_header(examination)


def read_signed_header(examination: Examination) -> Finding:
    """Read the header's bytes, as every profile does; what a header that is none is refused with is its own matter."""
    expected = f"one JSON object of at most {MAX_HEADER_BYTES} bytes"
    if len(examination.header_bytes) > MAX_HEADER_BYTES:
        return Finding(False, expected, f"{len(examination.header_bytes)} bytes")
    try:
        examination.header = parse_json_object(examination.header_bytes)
    except EncodingError as error:
        return Finding(False, expected, str(error))
    return Finding(True, expected, f"members {names_of(examination.header)}")


@check(Problem.MALFORMED)
def header_members_are_allowed(examination: Examination) -> Finding:
    """The signed header holds no key, key location or critical extension (RFC 7515 s4.1, s10.3; RFC 8725 s3.10)."""
    surplus = {name: None for name in examination.header if name not in HEADER_MEMBERS}
    found = f"also {names_of(surplus)}" if surplus else "none other"
    return Finding(not surplus, _ONLY_THESE, found)


@check(Problem.SIGNATURE, Need.SIGNATURE)
def algorithm_is_the_agreed_one(examination: Examination) -> Finding:
    """The header's alg is the one algorithm of the profile (seed 002, Encryption specification; RFC 8725 s3.1)."""
    algorithm = examination.header.get("alg")
    return Finding(algorithm == examination.algorithm, examination.algorithm, _show(algorithm))


@check(Problem.SIGNATURE)
def kid_is_given(examination: Examination) -> Finding:
    """The signed header names its key by a kid (seed 002, kid; RFC 7515 s4.1.4)."""
    kid = examination.header.get("kid")
    passed = isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH and kid.isprintable()
    return Finding(passed, f"a string of 1 to {MAX_KID_LENGTH} printable characters", _show(kid))


def names_of(members: dict[str, Any]) -> str:
    """List the names of a stranger's members, cut to what a report can hold."""
    names = [name[:32] for name in islice(members, MOST_NAMED)]
    more = len(members) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "") or "none"


def _show(value: Any) -> str:
    return value[:100] if isinstance(value, str) and value else kind_of(value)
