"""Access tokens of OCEN 4.0: JWTs that the Auth Service signs (OCEN 4.0 access token; RFC 7519, RFC 6750)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

from shared.protocol.encoding import EncodingError, base64url_decode, parse_json_object
from shared.protocol.problems import Problem
from shared.protocol.signing import RS256, VerificationKey

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)

TOKEN_ALGORITHM = RS256

TOKEN_TYPES = ("jwt", "at+jwt", "application/at+jwt")
"""What an access token may call itself (RFC 9068 s2.1), in small letters; its signer makes other kinds, too."""

TOKEN_LEEWAY = timedelta(seconds=60)
"""How far the Auth Service's clock may be from ours; the documents give no number."""

MAX_TOKEN_LENGTH = 8192

MOST_REMEMBERED = 1024
"""Tokens with a valid signature that are remembered at most, for each state of the Auth Service's keys."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that was taken apart; nothing of it is believed before its signature has been verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signing_input: bytes
    signature: bytes

    @property
    def kid(self) -> str:
        """The kid of its header; empty where there is none."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else ""

    @property
    def participant_id(self) -> str:
        """Whose token it is: the id of a participant role; empty where it does not say so."""
        claim = self.claims.get("participantId")
        return claim if isinstance(claim, str) else ""


@dataclass(frozen=True, slots=True)
class Issuer:
    """The Auth Service whose tokens count: its `iss`, and its public keys by kid.

    It remembers which tokens its keys have signed, for a party shows the same token with each of its calls. Keys that
    have changed make another issuer, which remembers nothing: a key that is withdrawn takes its tokens with it.
    """

    url: str
    keys: Mapping[str, VerificationKey] = field(default_factory=dict)
    _signed: dict[tuple[bytes, bytes], None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def has_signed(self, token: AccessToken) -> bool:
        """Tell whether the token's signature is that of the key it names, which has to be one of ours."""
        whole = (token.signing_input, token.signature)
        if whole in self._signed:
            return True
        key = self.keys[token.kid]
        if key.algorithm != TOKEN_ALGORITHM or not key.verify(*whole):
            return False  # not remembered, for anybody can make any number of these
        if len(self._signed) >= MOST_REMEMBERED:
            del self._signed[next(iter(self._signed))]
        self._signed[whole] = None
        return True


def challenge(problem: Problem, is_given: bool) -> str:
    """Return the WWW-Authenticate of a refusal where tokens are demanded; `is_given`: one was shown (RFC 6750 s3)."""
    if problem is Problem.TOKEN and is_given:
        return 'Bearer error="invalid_token"'
    return 'Bearer error="insufficient_scope"' if problem is Problem.SENDER else "Bearer"


@lru_cache(maxsize=256)
def bearer_token(authorization: str) -> str:
    """Return the token in the value of a header Authorization (RFC 6750 s2.1); empty where there is none."""
    found = _BEARER.fullmatch(authorization.strip(" \t"))
    return found[1] if found is not None else ""


@lru_cache(maxsize=256)
def parse_token(text: str) -> AccessToken:
    """Take a token apart: three parts in canonical base64url, header and claims strict JSON objects (RFC 7519 s7.2).

    The last ones are remembered, for a party shows the same token with each of its calls.

    Raises:
        EncodingError: it is something else.
    """
    parts = text.split(".")
    if len(text) > MAX_TOKEN_LENGTH or len(parts) != 3 or not all(parts):
        raise EncodingError(f"{len(parts)} parts, {len(text)} characters")
    header, claims, signature = (base64url_decode(part) for part in parts)
    signing_input = f"{parts[0]}.{parts[1]}".encode("ascii")
    return AccessToken(parse_json_object(header), parse_json_object(claims), signing_input, signature)
