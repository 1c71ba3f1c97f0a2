"""What the detached signature in an OCEN 4.0 HTTP header has to be, judged before the body is read."""

from collections.abc import Sequence

from shared.protocol.checks.opening import (
    MAX_KID_LENGTH,
    is_kid,
    judge_members,
    judge_signed_header,
)
from shared.protocol.detached import OpenedCall
from shared.protocol.encoding import base64url_decode, error_in, kind_of
from shared.protocol.participants import Dialect, PublicKey
from shared.protocol.phases import Identified, Opened
from shared.protocol.problems import Problem
from shared.protocol.verification import Finding, Need, check

DETACHED_HEADER_MEMBERS = frozenset({"alg", "kid", "typ", "cty", "b64", "crit"})

MOST_SHOWN = 5
"""Values that would have been right, told in a refusal at most."""

_ONLY_THESE = f"only {', '.join(sorted(DETACHED_HEADER_MEMBERS))}"
_FORMS = "RFC 7797 with crit, or RFC 7515 Appendix F"
_OF_STARTERS = f"only from a peer set to {Dialect.AUTHSTARTER}"
_NO_KID = f"none {_OF_STARTERS} that has one key"


@check(Problem.SIGNATURE, Need.SIGNATURE)
def signature_header_is_given_once(message: OpenedCall) -> Finding:
    """The HTTP header Signature, or x-jws-signature, is there once; if both, they are equal (OCEN 4.0 signing)."""
    given, expected = message.signatures, "one detached JWS in the header Signature"
    if message.signature_text:
        return Finding(True, expected, lambda: f"{len(message.signature_text)} characters")
    if not given:
        return Finding(False, expected, "neither Signature nor x-jws-signature")
    if len(set(given)) > 1:
        return Finding(False, expected, "Signature and x-jws-signature, which differ")
    return Finding(False, expected, "several values" if "," in given[0] else "an empty value")


@check(Problem.SIGNATURE, Need.SIGNATURE)
def signature_is_detached(message: OpenedCall) -> Finding:
    """It is header, two dots, signature, in canonical base64url, with nothing between the dots (RFC 7515 App. F)."""
    expected, parts = "header..signature in canonical base64url", message.parts
    if len(parts) != 3:
        return Finding(False, expected, f"{len(parts)} parts")
    if parts[1]:
        return Finding(False, expected, "a payload between the dots")
    if message.header_bytes and message.signature:
        return Finding(True, expected, "header..signature")
    errors = (error_in(base64url_decode, part) for part in parts)
    return Finding(False, expected, next(filter(None, errors), "a part empty"))


@check(Problem.SIGNATURE, Need.SIGNATURE)
def detached_header_is_a_json_object(message: Opened) -> Finding:
    """The signed header is one small JSON object without repeated members (RFC 7515 s4, s5.2)."""
    return judge_signed_header(message)


@check(Problem.SIGNATURE, Need.SIGNATURE)
def detached_header_members_are_allowed(message: Opened) -> Finding:
    """The signed header holds no key, key location or other extension than b64 (RFC 7515 s4.1, s10.3; RFC 7797 s3)."""
    return judge_members(message, DETACHED_HEADER_MEMBERS, _ONLY_THESE)


@check(Problem.SIGNATURE, Need.SIGNATURE)
def b64_and_crit_are_right(message: Opened) -> Finding:
    """A b64 is true or false, and a crit names b64 alone, which is there (RFC 7515 s4.1.11; RFC 7797 s3, s6)."""
    expected = "b64 true or false, crit absent or [b64]"
    header = message.header
    if "b64" in header and not isinstance(header["b64"], bool):
        return Finding(False, expected, f"b64 ({kind_of(header['b64'])})")
    if "crit" in header and (header["crit"] != ["b64"] or "b64" not in header):
        return Finding(False, expected, "a crit that is something else")
    return Finding(True, expected, lambda: f"b64 {str(header.get('b64', 'absent')).lower()}")


@check(Problem.SIGNATURE, Need.KEY, Need.SIGNATURE)
def kid_selects_a_registered_key(message: Identified) -> Finding:
    """The kid is that of a key which the registry holds for the token's participant (OCEN 4.0 signing; P21)."""
    kid, key = message.opened.header.get("kid"), message.key
    if message.sender.holder is None:  # only without a token: with one it is known whose key it has to be
        return Finding(False, "the kid of a key that is given", kid if isinstance(kid, str) else kind_of(kid))
    holder = message.holder
    expected = f"the kid of a registered key of {holder.id}"
    if key is not None and key.status.counts:
        return Finding(True, expected, key.kid if kid else "none, as official starters do, and one key to choose from")
    if not is_kid(kid):
        others = f"{_kids_of(holder.counting_keys)}; {_NO_KID if kid is None else 'a text'}"
        return Finding(False, f"{expected}: {others}", kind_of(kid))
    return Finding(False, f"{expected}: {_kids_of(holder.counting_keys)}", kid)


@check(Problem.SIGNATURE, Need.KEY, Need.SIGNATURE)
def form_is_one_that_the_peer_may_use(message: Identified) -> Finding:
    """A b64 that is false stands with its crit, but for peers that are official starters (RFC 7797 s6; P19)."""
    header = message.opened.header
    is_unencoded = header.get("b64") is False
    found = "the body as it is" if is_unencoded else "the body in base64url"
    if not is_unencoded or "crit" in header or message.holder.dialect is Dialect.AUTHSTARTER:
        return Finding(True, _FORMS, found)
    return Finding(False, f"{_FORMS}; b64 false without crit {_OF_STARTERS}", f"{found}, without crit")


def _kids_of(keys: Sequence[PublicKey]) -> str:
    return ", ".join(key.kid[:MAX_KID_LENGTH] for key in keys[:MOST_SHOWN]) or "there is none"
