"""The Auth Service as a node uses it: its public keys, to judge others' tokens, and our own token."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.node.clock import Clock
from shared.node.registry.cache import Kept, Lifetime
from shared.node.registry.service import Credentials, RegistryService, RegistryUnavailable
from shared.protocol.encoding import EncodingError, dump_json
from shared.protocol.profiles import V4
from shared.protocol.signing import KeyMaterialError, VerificationKey, load_public_key
from shared.protocol.tokens import TOKEN_ALGORITHM, Issuer, open_token
from shared.protocol.verification import Examination, Need, examine

KEYS_LIFETIME: Final = Lifetime(
    soft=timedelta(minutes=30), hard=timedelta(hours=1), refreshes=4, per=timedelta(minutes=1)
)
"""JWKS are kept for an hour (G11), and asked for out of turn for an unknown kid a few times a minute at most."""

RENEWED_AT: Final = 0.8
"""The part of its life after which our token is renewed (C25)."""

RENEWALS_PAUSE: Final = timedelta(seconds=10)
"""A token that was refused is not replaced more often, whoever refuses it."""

SHORTEST_LIFE: Final = 30
LONGEST_LIFE: Final = 366 * 86_400


class AuthServiceKeys:
    """The public keys of the Auth Service."""

    def __init__(self, service: RegistryService, clock: Clock) -> None:
        self._service = service
        self._kept = Kept(self._fetch, clock, KEYS_LIFETIME)

    async def issuer(self, kid: str) -> Issuer:
        """Return the Auth Service with its keys, looked up again if none of them has this kid.

        Raises:
            RegistryUnavailable: its keys are not known, or no longer.
        """
        issuer = await self._kept.get()
        if kid and kid not in issuer.keys:
            await self._kept.refresh()
            issuer = await self._kept.get()
        return issuer

    async def _fetch(self) -> Issuer:
        document = await self._service.jwks()
        keys = document.get("keys")
        if not isinstance(keys, list):
            raise RegistryUnavailable("the JWKS of the Auth Service has no keys")
        return Issuer(self._service.issuer, dict(found for key in keys if (found := _usable(key)) is not None))


class OwnToken:
    """Our own access token: fetched, verified, kept, renewed in good time. It is never logged."""

    def __init__(
        self,
        service: RegistryService,
        keys: AuthServiceKeys,
        credentials: Credentials,
        participant_id: str,
        clock: Clock,
    ) -> None:
        self._service = service
        self._keys = keys
        self._credentials = credentials
        self._participant_id = participant_id
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at = self._expires_at = self._fetched_at = float("-inf")

    async def token(self) -> str:
        """Return our token, renewed after 80 % of its life; while that fails the old one goes on, as long as it lives.

        Raises:
            RegistryUnavailable: there is none.
        """
        if self._clock.elapsed() < self._renew_at:
            return self._token
        async with self._lock:
            if self._clock.elapsed() >= self._renew_at:
                try:
                    await self._fetch()
                except RegistryUnavailable:
                    if self._clock.elapsed() >= self._expires_at:
                        raise
        return self._token

    async def renew(self, refused: str) -> str:
        """Return a new token in place of one that was refused; the same where one was fetched just now."""
        async with self._lock:
            pause = RENEWALS_PAUSE.total_seconds()
            if self._token == refused and self._clock.elapsed() - self._fetched_at >= pause:
                await self._fetch()
        return self._token

    async def _fetch(self) -> None:
        answer = await self._service.issue_token(self._credentials)
        token, life = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str):
            raise RegistryUnavailable("the Auth Service answers without an access_token")
        await self._verify(token)
        life = life if isinstance(life, int) and SHORTEST_LIFE <= life <= LONGEST_LIFE else SHORTEST_LIFE
        self._token, self._fetched_at = token, self._clock.elapsed()
        self._renew_at = self._fetched_at + life * RENEWED_AT
        self._expires_at = self._fetched_at + life

    async def _verify(self, text: str) -> None:
        """Judge our own token as others will (OCEN 4.0 access token, "check its signature before storing")."""
        examination = Examination(
            body=b"", algorithm=V4.algorithm, now=self._clock.now(), provided=frozenset({Need.ISSUER, Need.CLOCK})
        )
        examination.token_text = text
        examination.issuer = await self._keys.issuer(token_kid(text))
        examine(examination, V4.token_checks)
        if examination.problem is not None:
            failed = examination.steps[-1]
            raise RegistryUnavailable(f"the token we were given is not valid: {failed.check.name}: {failed.found}")
        found = examination.token.participant_id if examination.token else ""
        if found != self._participant_id:
            raise RegistryUnavailable(f"the token we were given is of participant {found}, and we are another")


def token_kid(text: str) -> str:
    """Return the kid that a token names; empty where it is none."""
    try:
        return open_token(text).kid
    except EncodingError:
        return ""


def _usable(key: Any) -> tuple[str, VerificationKey] | None:
    """Read one key of a JWKS; None for keys of another kind, which are passed over (RFC 7517 s5)."""
    if not isinstance(key, Mapping) or not isinstance(key.get("kid"), str) or key.get("use", "sig") != "sig":
        return None
    try:
        return key["kid"], load_public_key(dump_json(dict(key)).decode(), TOKEN_ALGORITHM, key["kid"])
    except (KeyMaterialError, EncodingError):
        return None
