"""What the access token of an OCEN 4.0 call has to be: first its form, then its signature, then its claims."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from shared.protocol.encoding import EncodingError, base64url_encode, format_timestamp, kind_of
from shared.protocol.problems import Problem
from shared.protocol.tokens import TOKEN_ALGORITHM, TOKEN_LEEWAY, TOKEN_TYPES, open_token
from shared.protocol.verification import Examination, Finding, Need, check

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)

MANDATORY_CLAIMS = ("exp", "iat", "iss", "sub", "participantId")


@check(Problem.TOKEN, Need.REQUEST)
def bearer_token_is_given(examination: Examination) -> Finding:
    """The HTTP header Authorization is there once and holds a bearer token (RFC 6750 s2.1; OCEN 4.0 access token)."""
    expected = "Authorization: Bearer <token>"
    given = examination.headers.get("authorization", "")
    token = _token_in(given)
    if not token:
        scheme, separator, _ = given.strip().partition(" ")
        # Without a scheme the first word may be the very secret: it goes into the list of refusals and the answer.
        shown = scheme[:20] if separator else "something without a scheme" if scheme else "nothing"
        return Finding(False, expected, f"{shown} in Authorization")
    examination.token_text = token
    return Finding(True, expected, f"a token of {len(token)} characters")


@check(Problem.TOKEN, Need.ISSUER)
def token_is_a_signed_jwt(examination: Examination) -> Finding:
    """The token is an access token in three parts, signed with RS256 by a key it names (RFC 7519 s7.2; RFC 8725 s3)."""
    expected = f"a JWT with alg {TOKEN_ALGORITHM}, a kid, and of typ JWT or at+jwt if any"
    try:
        token = open_token(examination.token_text)
    except EncodingError as error:
        return Finding(False, expected, str(error))
    examination.token = token
    alg, kind = token.header.get("alg"), str(token.header.get("typ", "JWT"))
    surplus = token.header.keys() - {"alg", "kid", "typ"}
    if alg != TOKEN_ALGORITHM or not token.kid or surplus or kind.lower() not in TOKEN_TYPES:
        found = f"alg {str(alg)[:20]}, {'a kid' if token.kid else 'no kid'}, typ {kind[:20]}"
        return Finding(False, expected, found + (f", and {min(surplus)[:20]}" if surplus else ""))
    return Finding(True, expected, f"kid {token.kid[:64]}")


@check(Problem.TOKEN, Need.ISSUER)
def token_key_is_the_auth_services(examination: Examination) -> Finding:
    """The token's kid is that of a key in the Auth Service's JWKS (OCEN 4.0 access token, step 2; RFC 7517 s4.5)."""
    token, issuer = examination.token, examination.issuer
    assert token is not None
    assert issuer is not None
    return Finding(token.kid in issuer.keys, f"a kid of the JWKS of {issuer.url}", token.kid[:64])


@check(Problem.TOKEN, Need.ISSUER)
def token_signature_verifies(examination: Examination) -> Finding:
    """The token's signature is that key's; nothing of the token counts before (OCEN 4.0 access token, step 2)."""
    token, issuer = examination.token, examination.issuer
    assert token is not None
    assert issuer is not None
    verifies = issuer.has_signed(token)
    return Finding(verifies, "a signature of the Auth Service", "one that verifies" if verifies else "none of that key")


@check(Problem.TOKEN, Need.ISSUER)
def token_has_its_claims(examination: Examination) -> Finding:
    """The token has exp, iat, iss, sub and participantId, of their types; a typ is Bearer (OCEN 4.0 access token)."""
    assert examination.token is not None
    claims = examination.token.claims
    bad = [name for name in MANDATORY_CLAIMS if not _fits(name, claims.get(name))]
    bad += [name for name in ("nbf", "typ") if name in claims and not _fits(name, claims[name])]
    found = ", ".join(f"{name} ({kind_of(claims.get(name))})" for name in bad)
    return Finding(not bad, f"{', '.join(MANDATORY_CLAIMS)}", f"missing or of another type: {found}" if bad else "all")


@check(Problem.TOKEN, Need.ISSUER)
def token_is_of_our_auth_service(examination: Examination) -> Finding:
    """The token's iss is the Auth Service that we rely on, to the letter (RFC 8725 s3.8; OCEN 4.0 access token)."""
    assert examination.token is not None
    assert examination.issuer is not None
    found = examination.token.claims["iss"]
    return Finding(found == examination.issuer.url, examination.issuer.url, found[:120])


@check(Problem.TOKEN, Need.ISSUER, Need.CLOCK)
def token_is_in_force(examination: Examination) -> Finding:
    """The token expires after it was issued and after now, and its nbf has come (OCEN 4.0 access token, step 3)."""
    assert examination.token is not None
    assert examination.now is not None
    claims, now = examination.token.claims, examination.now
    exp, nbf = claims["exp"], claims.get("nbf", 0)
    expected = f"exp after iat and after our {format_timestamp(now)}"
    if exp <= claims["iat"]:
        return Finding(False, expected, "an exp that is not after iat")
    if _moment(exp) + TOKEN_LEEWAY <= now:
        return Finding(False, expected, f"expired at {_date(exp)}")
    if _moment(nbf) - TOKEN_LEEWAY > now:
        return Finding(False, expected, f"not before {_date(nbf)}")
    return Finding(True, expected, f"until {_date(exp)}")


@check(Problem.TOKEN, Need.ISSUER, Need.CONNECTION)
def token_is_for_this_connection(examination: Examination) -> Finding:
    """A token that is bound to a certificate, or to whatever by cnf, is bound to this connection's (RFC 8705 s3)."""
    assert examination.token is not None
    assert examination.peer is not None
    claims = examination.token.claims
    if "cnf" not in claims:
        return Finding(True, "a bearer token", "bound to nothing")
    thumbprint = base64url_encode(bytes.fromhex(examination.peer.certificate))
    passed = claims["cnf"] == {"x5t#S256": thumbprint}
    found = "bound to it" if passed else "bound to something else"
    return Finding(passed, f"a token bound to the certificate {thumbprint[:16]}..., if to any", found)


@check(Problem.SENDER, Need.DIRECTORY)
def token_holder_takes_part(examination: Examination) -> Finding:
    """The token's participantId is one that the registry serves as approved (OCEN 4.0 registry, isApproved)."""
    assert examination.token is not None
    holder, found = examination.holder, examination.token.participant_id
    passed = holder is not None and holder.organisation_id == found
    return Finding(passed, "an approved participant of the registry", found[:64] + ("" if passed else ", who is not"))


@check(Problem.SENDER, Need.CONNECTION, Need.DIRECTORY)
def certificate_is_the_token_holders(examination: Examination) -> Finding:
    """The TLS certificate is registered for the token's participant or, where none is, for nobody else (G14)."""
    holder, peer = examination.holder, examination.peer
    assert holder is not None
    assert peer is not None
    is_anothers = examination.shown_by not in ("", holder.organisation_id)
    found = f"sha256 {peer.certificate[:16]}..."
    if holder.certificates:
        passed = peer.certificate in holder.certificates
        expected = f"a certificate registered for {holder.organisation_id}"
    else:
        passed, expected = not is_anothers, "a certificate of nobody else, as the registry names none"
    owner = f", which is {examination.shown_by}'s" if is_anothers and not passed else ""
    return Finding(passed, expected, found + owner)


@check(Problem.SENDER, Need.DIRECTORY)
def token_party_is_its_holder(examination: Examination) -> Finding:
    """The token's azp, where it has one, is the client that the registry knows the participant by (RFC 7519; S55)."""
    assert examination.token is not None
    assert examination.holder is not None
    azp, client = examination.token.claims.get("azp"), examination.holder.client_id
    passed = azp is None or not client or azp == client
    return Finding(passed, client or "any client", str(azp)[:64] if azp is not None else "no azp")


def _fits(name: str, value: Any) -> bool:
    if name in ("exp", "iat", "nbf"):  # a NumericDate: seconds, maybe with a fraction (RFC 7519 s2)
        return isinstance(value, int | Decimal) and not isinstance(value, bool) and 0 <= value < 1 << 40
    if name == "typ":  # the Auth Service also signs tokens that only say here that they are for something else
        return isinstance(value, str) and value.lower() == "bearer"
    return isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable()


@lru_cache(maxsize=256)
def _token_in(authorization: str) -> str:
    """Return the token in a header's value, remembered as in `open_token`; empty where there is none."""
    found = _BEARER.fullmatch(authorization.strip(" \t"))
    return found[1] if found is not None else ""


@lru_cache(maxsize=256)
def _moment(seconds: int | Decimal) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(min(seconds, 1 << 36)))


@lru_cache(maxsize=256)
def _date(seconds: int | Decimal) -> str:
    return format_timestamp(_moment(seconds))
