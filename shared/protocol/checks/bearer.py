"""What the access token of an OCEN 4.0 call has to be: first its form, then its signature, then its claims."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from shared.protocol.detached import OpenedCall
from shared.protocol.encoding import EncodingError, base64url_encode, format_timestamp, kind_of
from shared.protocol.phases import Identified, ShownToken
from shared.protocol.problems import Problem
from shared.protocol.tokens import TOKEN_ALGORITHM, TOKEN_LEEWAY, TOKEN_TYPES
from shared.protocol.verification import Finding, Need, check

MANDATORY_CLAIMS = ("exp", "iat", "iss", "sub", "participantId")


@check(Problem.TOKEN, Need.REQUEST)
def bearer_token_is_given(message: OpenedCall) -> Finding:
    """The HTTP header Authorization is there once and holds a bearer token (RFC 6750 s2.1; OCEN 4.0 access token)."""
    expected = "Authorization: Bearer <token>"
    if message.token_text:
        return Finding(True, expected, lambda: f"a token of {len(message.token_text)} characters")
    scheme, separator, _ = message.wire.headers.get("authorization", "").strip().partition(" ")
    # Without a scheme the first word may be the very secret: it goes into the list of refusals and the answer.
    shown = scheme[:20] if separator else "something without a scheme" if scheme else "nothing"
    return Finding(False, expected, f"{shown} in Authorization")


@check(Problem.TOKEN, Need.ISSUER)
def token_is_a_signed_jwt(shown: ShownToken) -> Finding:
    """The token is an access token in three parts, signed with RS256 by a key it names (RFC 7519 s7.2; RFC 8725 s3)."""
    expected = f"a JWT with alg {TOKEN_ALGORITHM}, a kid, and of typ JWT or at+jwt if any"
    try:
        token = shown.token
    except EncodingError as error:
        return Finding(False, expected, str(error))
    alg, kind = token.header.get("alg"), str(token.header.get("typ", "JWT"))
    surplus = token.header.keys() - {"alg", "kid", "typ"}
    if alg != TOKEN_ALGORITHM or not token.kid or surplus or kind.lower() not in TOKEN_TYPES:
        found = f"alg {str(alg)[:20]}, {'a kid' if token.kid else 'no kid'}, typ {kind[:20]}"
        return Finding(False, expected, found + (f", and {min(surplus)[:20]}" if surplus else ""))
    return Finding(True, expected, lambda: f"kid {token.kid[:64]}")


@check(Problem.TOKEN, Need.ISSUER)
def token_key_is_the_auth_services(shown: ShownToken) -> Finding:
    """The token's kid is that of a key in the Auth Service's JWKS (OCEN 4.0 access token, step 2; RFC 7517 s4.5)."""
    kid, issuer = shown.token.kid, shown.issuer
    return Finding(kid in issuer.keys, lambda: f"a kid of the JWKS of {issuer.url}", kid[:64])


@check(Problem.TOKEN, Need.ISSUER)
def token_signature_verifies(shown: ShownToken) -> Finding:
    """The token's signature is that key's; nothing of the token counts before (OCEN 4.0 access token, step 2)."""
    verifies = shown.issuer.has_signed(shown.token)
    return Finding(verifies, "a signature of the Auth Service", "one that verifies" if verifies else "none of that key")


@check(Problem.TOKEN, Need.ISSUER)
def token_has_its_claims(shown: ShownToken) -> Finding:
    """The token has exp, iat, iss, sub and participantId, of their types; a typ is Bearer (OCEN 4.0 access token)."""
    claims = shown.token.claims
    bad = [name for name in MANDATORY_CLAIMS if not _fits(name, claims.get(name))]
    bad += [name for name in ("nbf", "typ") if name in claims and not _fits(name, claims[name])]
    found = ", ".join(f"{name} ({kind_of(claims.get(name))})" for name in bad)
    return Finding(not bad, f"{', '.join(MANDATORY_CLAIMS)}", f"missing or of another type: {found}" if bad else "all")


@check(Problem.TOKEN, Need.ISSUER)
def token_is_of_our_auth_service(shown: ShownToken) -> Finding:
    """The token's iss is the Auth Service that we rely on, to the letter (RFC 8725 s3.8; OCEN 4.0 access token)."""
    found = shown.token.claims["iss"]
    return Finding(found == shown.issuer.url, shown.issuer.url, found[:120])


@check(Problem.TOKEN, Need.ISSUER, Need.CLOCK)
def token_is_in_force(shown: ShownToken) -> Finding:
    """The token expires after it was issued and after now, and its nbf has come (OCEN 4.0 access token, step 3)."""
    claims, now = shown.token.claims, shown.now
    exp, nbf = claims["exp"], claims.get("nbf", 0)

    def expected() -> str:
        return f"exp after iat and after our {format_timestamp(now)}"

    if exp <= claims["iat"]:
        return Finding(False, expected, "an exp that is not after iat")
    if _moment(exp) + TOKEN_LEEWAY <= now:
        return Finding(False, expected, f"expired at {_date(exp)}")
    if _moment(nbf) - TOKEN_LEEWAY > now:
        return Finding(False, expected, f"not before {_date(nbf)}")
    return Finding(True, expected, lambda: f"until {_date(exp)}")


@check(Problem.TOKEN, Need.ISSUER, Need.CONNECTION)
def token_is_for_this_connection(shown: ShownToken) -> Finding:
    """A token that is bound to a certificate, or to whatever by cnf, is bound to this connection's (RFC 8705 s3)."""
    claims = shown.token.claims
    if "cnf" not in claims:
        return Finding(True, "a bearer token", "bound to nothing")
    thumbprint = base64url_encode(bytes.fromhex(shown.peer.certificate))
    passed = claims["cnf"] == {"x5t#S256": thumbprint}
    found = "bound to it" if passed else "bound to something else"
    return Finding(passed, f"a token bound to the certificate {thumbprint[:16]}..., if to any", found)


@check(Problem.SENDER, Need.DIRECTORY, Need.HISTORY)
def token_holder_takes_part(message: Identified) -> Finding:
    """The token's participantId is one that the registry serves as approved (OCEN 4.0 registry, isApproved)."""
    holder, found = message.sender.holder, message.token.participant_id
    passed = holder is not None and holder.id == found
    return Finding(passed, "an approved participant of the registry", found[:64] + ("" if passed else ", who is not"))


@check(Problem.SENDER, Need.CONNECTION, Need.DIRECTORY, Need.HISTORY)
def certificate_is_the_token_holders(message: Identified) -> Finding:
    """The TLS certificate is registered for the token's participant or, where none is, for nobody else (P24)."""
    holder, certificate, owner = message.holder, message.opened.peer.certificate, message.sender.certificate_of
    is_anothers = owner not in ("", holder.id)
    found = f"sha256 {certificate[:16]}..."
    if holder.certificates:
        passed = certificate in holder.certificates
        expected = f"a certificate registered for {holder.id}"
    else:
        passed, expected = not is_anothers, "a certificate of nobody else, as the registry names none"
    return Finding(passed, expected, found + (f", which is {owner}'s" if is_anothers and not passed else ""))


@check(Problem.SENDER, Need.DIRECTORY, Need.HISTORY)
def token_party_is_its_holder(message: Identified) -> Finding:
    """The token's azp, where it has one, is the client that the registry knows the participant by (RFC 7519; P23)."""
    azp, client = message.token.claims.get("azp"), message.holder.client_id
    passed = azp is None or not client or azp == client
    return Finding(passed, client or "any client", str(azp)[:64] if azp is not None else "no azp")


def _fits(name: str, value: Any) -> bool:
    if name in ("exp", "iat", "nbf"):  # a NumericDate: seconds, maybe with a fraction (RFC 7519 s2)
        return isinstance(value, int | Decimal) and not isinstance(value, bool) and 0 <= value < 1 << 40
    if name == "typ":  # the Auth Service also signs tokens that only say here that they are for something else
        return isinstance(value, str) and value.lower() == "bearer"
    return isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable()


@lru_cache(maxsize=256)
def _moment(seconds: int | Decimal) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(min(seconds, 1 << 36)))


@lru_cache(maxsize=256)
def _date(seconds: int | Decimal) -> str:
    return format_timestamp(_moment(seconds))
