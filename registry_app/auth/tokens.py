"""Access tokens as JWTs: making them, and opening those that callers of the registry show (RFC 7519, RFC 8725)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, RSAKey

from registry_app.auth.errors import TokenRefused
from registry_app.auth.signing_keys import TokenKey
from shared.catalogue.bodies.v4.registry import JsonWebKey
from shared.protocol.messages import Role
from shared.protocol.signing import load_public_key
from shared.protocol.tokens import MAX_TOKEN_LENGTH, TOKEN_ALGORITHM, TOKEN_LEEWAY


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """To whom a token is given, or whose a verified token is: the participant's role id, its client, what it is."""

    participant_id: int
    client_id: str
    role: Role


def claims_for(holder: TokenHolder, issuer: str, scope: str, now: datetime, life: timedelta) -> dict[str, Any]:
    """Return the claims of a token that begins at `now` (aware).

    `participantId` is what the official starter reads; the documents' table of claims lacks it.
    """
    begins = int(now.timestamp())
    return {
        "exp": begins + int(life.total_seconds()),
        "iat": begins,
        "nbf": begins,
        "jti": str(uuid4()),
        "iss": issuer,
        "sub": holder.client_id,
        "azp": holder.client_id,
        "typ": "Bearer",
        "scope": scope,
        "participantId": str(holder.participant_id),
        "clientId": holder.client_id,
        "roles": [holder.role.value],
    }


def sign_token(claims: Mapping[str, Any], kid: str, private: RSAKey) -> str:
    """Sign claims as a JWT."""
    return jwt.encode(
        {"alg": TOKEN_ALGORITHM, "kid": kid, "typ": "JWT"}, dict(claims), private, algorithms=[TOKEN_ALGORITHM]
    )


def verify_issued_token(text: str, keys: Sequence[TokenKey], issuer: str, now: datetime) -> tuple[str, str]:
    """Verify a token of ours at `now` (aware); return the ids of its participant and of its client.

    Raises:
        TokenRefused: it is none, is not signed by one of these keys, is another issuer's, or is not in force.
    """
    if len(text) > MAX_TOKEN_LENGTH:
        raise TokenRefused("The access token is too long to be one.")
    by_kid = {key.kid: key for key in keys}

    def find(token: GuestProtocol) -> RSAKey:
        return _imported(by_kid[token.headers()["kid"]].pem)

    try:
        claims = jwt.decode(text, find, algorithms=[TOKEN_ALGORITHM]).claims
    except (JoseError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise TokenRefused("The access token is no JWT that this Auth Service has signed.") from error
    _judge(claims, issuer, now)
    return claims["participantId"], claims["azp"]


def public_jwk(kid: str, pem: str) -> JsonWebKey:
    """Write a public key as a JWK for verifying RS256."""
    return JsonWebKey(kid=kid, **_numbers(pem))


@lru_cache(maxsize=10_000)
def _numbers(pem: str) -> dict[str, str]:
    """Read modulus and exponent once: the answer for a product network has the keys of all that take part."""
    numbers = load_public_key(pem, TOKEN_ALGORITHM).jwk.export_public(as_dict=True)
    return {name: numbers[name] for name in ("n", "e")}


def _judge(claims: Mapping[str, Any], issuer: str, now: datetime) -> None:
    times = [claims.get(name) for name in ("iat", "nbf", "exp")]
    texts = [claims.get(name) for name in ("iss", "azp", "participantId")]
    if not all(type(time) is int for time in times) or not all(isinstance(text, str) for text in texts):
        raise TokenRefused("The access token lacks a claim.")
    if claims["iss"] != issuer:
        raise TokenRefused("The access token is of another issuer.")
    if _moment(claims["nbf"]) - TOKEN_LEEWAY > now:
        raise TokenRefused("The access token is not valid yet.")
    if _moment(claims["exp"]) <= now:
        raise TokenRefused("The access token has expired; ask for a new one.")


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=64)
def _imported(pem: str) -> RSAKey:
    return RSAKey.import_key(pem)
