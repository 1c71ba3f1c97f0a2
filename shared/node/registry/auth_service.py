"""The Auth Service as a node uses it: its public keys, to judge others' tokens, and our own token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from shared.clock import Clock
from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.registry.cache import USUAL_TIMES, Ages, CacheTimes, Kept, Pace
from shared.node.registry.service import ClientCredentials, RegistryClient, RegistryUnavailable
from shared.protocol.encoding import EncodingError, dump_json
from shared.protocol.phases import ShownToken
from shared.protocol.profiles import V4
from shared.protocol.signing import KeyMaterialError, VerificationKey, load_public_key
from shared.protocol.tokens import TOKEN_ALGORITHM, AccessToken, Issuer, parse_token
from shared.protocol.verification import Need, first_failure, judgeable

MOST_TOKEN_KEYS: Final = 64
"""Entries of the JWKS read at most: while a key is loaded nothing else happens, and an answer holds thousands."""

RENEWED_AT: Final = 0.8
"""The part of its life after which our token is renewed (P25)."""

_WITHOUT_CALLER: Final = frozenset({Need.ISSUER, Need.CLOCK})

TOKEN_PACE: Final = Pace(asks=1, per=timedelta(seconds=10))
"""A token that was refused is not replaced more often, whoever refuses it."""


class AuthServiceKeys:
    """The public keys of the Auth Service."""

    def __init__(self, service: RegistryClient, clock: Clock, times: CacheTimes = USUAL_TIMES) -> None:
        self._service = service
        self._kept = Kept(self._fetch, clock, times.auth_keys_pace, lambda _: times.auth_keys)

    async def issuer(self, kid: str) -> Issuer:
        """Return the Auth Service with its keys, looked up again if none of them has this kid.

        Raises:
            CounterpartiesUnavailable: its keys are not known, or no longer.
        """
        issuer = await self._kept.get()
        if kid and kid not in issuer.keys:
            await self._kept.refresh()
            issuer = await self._kept.get()
        return issuer

    async def _fetch(self) -> Issuer:
        document = await self._service.jwks()
        listed = document.get("keys")
        read = listed[:MOST_TOKEN_KEYS] if isinstance(listed, list) else ()
        keys = dict(found for key in read if (found := _usable(key)) is not None)
        if not keys:
            raise RegistryUnavailable(f"the JWKS of the Auth Service holds no {TOKEN_ALGORITHM} key that can be used")
        return Issuer(self._service.issuer, keys)


@dataclass(frozen=True, slots=True)
class _Token:
    """Our token, and for how long it is one."""

    text: str = field(repr=False)
    life: timedelta


class OwnToken:
    """Our own access token: fetched, verified, kept, renewed in good time. It is never logged."""

    def __init__(
        self,
        service: RegistryClient,
        keys: AuthServiceKeys,
        credentials: ClientCredentials,
        participant_id: str,
        clock: Clock,
    ) -> None:
        self._service = service
        self._keys = keys
        self._credentials = credentials
        self._participant_id = participant_id
        self._clock = clock
        self._kept = Kept(self._fetch, clock, TOKEN_PACE, lambda token: Ages(token.life * RENEWED_AT, token.life))

    async def token(self) -> str:
        """Return our token, renewed after 80 % of its life; while that fails the old one goes on, as long as it lives.

        Raises:
            CounterpartiesUnavailable: there is none.
        """
        return (await self._kept.get()).text

    async def renew(self, refused: str) -> str:
        """Return a new token in place of one that was refused; the same where one was fetched just now, or none is."""
        try:
            if (await self._kept.get()).text == refused:
                await self._kept.refresh()
            return (await self._kept.get()).text
        except CounterpartiesUnavailable:
            return refused

    async def _fetch(self) -> _Token:
        answer = await self._service.issue_token(self._credentials)
        text, expires_in = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(text, str):
            raise RegistryUnavailable("the Auth Service answers without an access_token")
        claims = (await self._verify(text)).claims
        life = float(claims["exp"] - claims["iat"])  # both by the clock of the Auth Service, however ours goes
        if type(expires_in) is int and 0 < expires_in < life:
            life = expires_in
        return _Token(text, timedelta(seconds=life))

    async def _verify(self, text: str) -> AccessToken:
        """Judge our own token as others will (OCEN 4.0 access token, "check its signature before storing")."""
        shown = ShownToken(text, await self._keys.issuer(token_kid(text)), self._clock.now())
        failure = first_failure(judgeable(V4.token_checks, _WITHOUT_CALLER), shown)
        if failure is not None:
            raise RegistryUnavailable(f"the token we were given is not valid: {failure.check.name}: {failure.found}")
        token = shown.token
        if token.participant_id != self._participant_id:
            found = token.participant_id[:64]
            raise RegistryUnavailable(f"the token we were given is of participant {found}, and we are another")
        return token


def token_kid(text: str) -> str:
    """Return the kid that a token names; empty where it is none."""
    try:
        return parse_token(text).kid
    except EncodingError:
        return ""


def _usable(key: Any) -> tuple[str, VerificationKey] | None:
    """Read one key of a JWKS; None for keys of another kind, which are passed over (RFC 7517 s5)."""
    if not isinstance(key, Mapping) or not isinstance(key.get("kid"), str):
        return None
    try:
        return key["kid"], load_public_key(dump_json(dict(key)).decode(), TOKEN_ALGORITHM, key["kid"])
    except (KeyMaterialError, EncodingError):
        return None
