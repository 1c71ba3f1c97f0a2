"""What the detached signature in an OCEN 4.0 HTTP header has to be, judged before the body is read."""

from collections.abc import Sequence

from shared.protocol.checks.envelope import MAX_KID_LENGTH, names_of, read_signed_header
from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER, signing_input
from shared.protocol.encoding import EncodingError, base64url_decode, kind_of
from shared.protocol.participants import Dialect, Participant, PublicKey
from shared.protocol.problems import Problem
from shared.protocol.verification import Examination, Finding, Need, check

DETACHED_HEADER_MEMBERS = frozenset({"alg", "kid", "typ", "cty", "b64", "crit"})

MOST_SHOWN = 5
"""Values that would have been right, told in a refusal at most."""

_ONLY_THESE = f"only {', '.join(sorted(DETACHED_HEADER_MEMBERS))}"
_FORMS = "RFC 7797 with crit, or RFC 7515 Appendix F"
_OF_STARTERS = f"only from a peer set to {Dialect.AUTHSTARTER}"
_NO_KID = f"none {_OF_STARTERS} that has one key"


@check(Problem.SIGNATURE, Need.SIGNATURE)
def signature_header_is_given_once(examination: Examination) -> Finding:
    """The HTTP header Signature, or x-jws-signature, is there once; if both, they are equal (OCEN 4.0 signing)."""
    given = [examination.headers[name] for name in (SIGNATURE_HEADER, STARTER_HEADER) if name in examination.headers]
    expected = "one detached JWS in the header Signature"
    if not given:
        return Finding(False, expected, "neither Signature nor x-jws-signature")
    if len(set(given)) > 1:
        return Finding(False, expected, "Signature and x-jws-signature, which differ")
    text = given[0].strip(" \t")
    if "," in text or not text:
        return Finding(False, expected, "several values" if text else "an empty value")
    examination.signature_text = text
    return Finding(True, expected, f"{len(text)} characters")


@check(Problem.SIGNATURE, Need.SIGNATURE)
def signature_is_detached(examination: Examination) -> Finding:
    """It is header, two dots, signature, in canonical base64url, with nothing between the dots (RFC 7515 App. F)."""
    expected = "header..signature in canonical base64url"
    parts = examination.signature_text.split(".")
    if len(parts) != 3:
        return Finding(False, expected, f"{len(parts)} parts")
    if parts[1]:
        return Finding(False, expected, "a payload between the dots")
    try:
        examination.header_bytes, examination.signature = base64url_decode(parts[0]), base64url_decode(parts[2])
    except EncodingError as error:
        return Finding(False, expected, str(error))
    examination.header_text = parts[0]
    return Finding(
        bool(parts[0] and parts[2]), expected, "header..signature" if parts[0] and parts[2] else "a part empty"
    )


@check(Problem.SIGNATURE, Need.SIGNATURE)
def detached_header_is_a_json_object(examination: Examination) -> Finding:
    """The signed header is one small JSON object without repeated members (RFC 7515 s4, s5.2)."""
    return read_signed_header(examination)


@check(Problem.SIGNATURE, Need.SIGNATURE)
def detached_header_members_are_allowed(examination: Examination) -> Finding:
    """The signed header holds no key, key location or other extension than b64 (RFC 7515 s4.1, s10.3; RFC 7797 s3)."""
    surplus = {name: None for name in examination.header if name not in DETACHED_HEADER_MEMBERS}
    found = f"also {names_of(surplus)}" if surplus else "none other"
    return Finding(not surplus, _ONLY_THESE, found)


@check(Problem.SIGNATURE, Need.SIGNATURE)
def b64_and_crit_are_right(examination: Examination) -> Finding:
    """A b64 is true or false, and a crit names b64 alone, which is there (RFC 7515 s4.1.11; RFC 7797 s3, s6)."""
    expected = "b64 true or false, crit absent or [b64]"
    header = examination.header
    if "b64" in header and not isinstance(header["b64"], bool):
        return Finding(False, expected, f"b64 ({kind_of(header['b64'])})")
    if "crit" in header and (header["crit"] != ["b64"] or "b64" not in header):
        return Finding(False, expected, "a crit that is something else")
    return Finding(True, expected, f"b64 {str(header.get('b64', 'absent')).lower()}")


@check(Problem.SIGNATURE, Need.KEY, Need.SIGNATURE)
def kid_selects_a_registered_key(examination: Examination) -> Finding:
    """The kid is that of a key which the registry holds for the token's participant (OCEN 4.0 signing; C6, C22)."""
    holder, kid = examination.holder, examination.header.get("kid")
    if holder is None:  # only without a token: with one it is known whose key it has to be
        return Finding(False, "the kid of a key that is given", kid if isinstance(kid, str) else kind_of(kid))
    expected = f"the kid of a registered key of {holder.organisation_id}"
    if kid is None and holder.dialect is Dialect.AUTHSTARTER and len(counting := _counting_keys(holder)) == 1:
        examination.key = counting[0]
        return Finding(True, expected, "none, as official starters do, and one key to choose from")
    if not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH and kid.isprintable()):
        others = f"{_kids_of(_counting_keys(holder))}; {_NO_KID if kid is None else 'a text'}"
        return Finding(False, f"{expected}: {others}", kind_of(kid))
    key = holder.key(kid)
    if key is None or not key.status.counts:
        return Finding(False, f"{expected}: {_kids_of(_counting_keys(holder))}", kid)
    examination.key = key
    return Finding(True, expected, kid)


@check(Problem.SIGNATURE, Need.KEY, Need.SIGNATURE)
def form_is_one_that_the_peer_may_use(examination: Examination) -> Finding:
    """A b64 that is false stands with its crit, but for peers that are official starters (RFC 7797 s6; C5)."""
    assert examination.holder is not None
    header = examination.header
    is_unencoded = header.get("b64") is False
    examination.signing_input = signing_input(examination.header_text, examination.body, is_unencoded)
    passed = not is_unencoded or "crit" in header or examination.holder.dialect is Dialect.AUTHSTARTER
    found = "the body as it is" if is_unencoded else "the body in base64url"
    if passed:
        return Finding(True, _FORMS, found)
    return Finding(False, f"{_FORMS}; b64 false without crit {_OF_STARTERS}", f"{found}, without crit")


def _counting_keys(holder: Participant) -> list[PublicKey]:
    return [key for key in holder.keys if key.status.counts]


def _kids_of(keys: Sequence[PublicKey]) -> str:
    return ", ".join(key.kid[:MAX_KID_LENGTH] for key in keys[:MOST_SHOWN]) or "there is none"
