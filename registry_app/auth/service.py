"""The Auth Service: issues tokens to approved participants, and tells whose token a caller shows."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from registry_app.auth.attempts import FailedAttempts
from registry_app.auth.client_secrets import SecretHasher
from registry_app.auth.errors import OAuthError, TokenRefused, invalid_client
from registry_app.auth.signing_keys import SigningKeys, TokenKey, current_key, published_keys
from registry_app.auth.token_request import TokenRequest
from registry_app.auth.tokens import TokenHolder, claims_for, public_jwk, sign_token, verify_issued_token
from registry_app.settings import RegistrySettings
from registry_app.store.database import Database
from registry_app.store.roles import ClientRow, client_of, client_of_role
from shared.catalogue.bodies.v4.registry import JsonWebKeySet, RoleStatus
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and how many seconds it lives."""

    access_token: str
    expires_in: int
    scope: str


class AuthService:
    """Issues and verifies access tokens."""

    def __init__(
        self, settings: RegistrySettings, database: Database, keys: SigningKeys, hasher: SecretHasher, clock: Clock
    ) -> None:
        self.issuer = settings.issuer
        self.keys = keys
        self._database = database
        self._clock = clock
        self._hasher = hasher
        self._needs_certificate = settings.token_needs_certificate
        self._life = timedelta(seconds=settings.token_seconds)
        self._attempts = FailedAttempts(settings.failed_attempts, settings.failed_attempts_seconds, clock)

    async def issue(self, request: TokenRequest, address: str, certificate: str = "") -> IssuedToken:
        """Give a client its token; `address` is where the request comes from, `certificate` what it shows, if anything.

        Raises:
            OAuthError: the client is not known, its secret is another one, or its participant is not approved.
        """
        client = await self._authenticated(request, address, certificate)
        if client.status is not RoleStatus.APPROVED:
            sentence = f"Participant {client.participant_id} is {client.status}; it gets tokens when it is approved."
            raise OAuthError("unauthorized_client", sentence)
        holder = TokenHolder(client.participant_id, client.client_id, client.role)
        claims = claims_for(holder, self.issuer, request.scope, self._clock.now(), self._life)
        key = await self._database.read(current_key)
        token = await asyncio.to_thread(lambda: sign_token(claims, key.kid, self.keys.private(key)))
        return IssuedToken(token, claims["exp"] - claims["iat"], request.scope)

    async def holder(self, token: str, certificate: str = "") -> TokenHolder:
        """Return whose token this is; `certificate` is what its connection shows (SHA-256, hex), empty for none.

        The documents demand no certificate here, so one that shows none holds its token like any bearer, unless the
        settings say otherwise. Whoever shows one has to be whom the token names (RFC 8705 s3 answers likewise).

        Raises:
            TokenRefused: it is not valid, its participant is not approved any more, or the certificate is another's.
        """
        query = partial(self._holder, token=token, certificate=certificate, now=self._clock.now())
        return await self._database.read(query)

    async def key_set(self) -> JsonWebKeySet:
        """Return the public keys that tokens are verified with."""
        return JsonWebKeySet(keys=[public_jwk(key.kid, key.pem) for key in await self._published()])

    async def rotate(self) -> TokenKey:
        """Make a new key and sign with it from now on.

        Raises:
            IdentityError: the file of the key cannot be written.
        """
        kid = await asyncio.to_thread(self.keys.make_file)
        now = self._clock.now()

        def replace(connection: Connection) -> TokenKey:
            self.keys.replace(connection, kid, now)
            return current_key(connection)

        return await self._database.change(replace)

    async def _authenticated(self, request: TokenRequest, address: str, certificate: str) -> ClientRow:
        client = await self._database.read(partial(client_of, client_id=request.client_id))
        caller = certificate if client is not None and certificate in client.certificates else address
        attempts = self._attempts.of(request.client_id, caller, is_known=client is not None)
        async with attempts.turn:
            attempts.admit()
            held = None if client is None else client.secret_hash
            matches = await self._hasher.matches(request.client_secret, held)
            if client is None or not matches:
                attempts.failed()
                sentence = "The client is not known, or the secret is another one."
                raise invalid_client(sentence, by_header=request.by_header)
            attempts.succeeded()
        return client

    def _holder(self, connection: Connection, token: str, certificate: str, now: datetime) -> TokenHolder:
        # One query: every call of a participant waits for it.
        participant_id, client_id = verify_issued_token(token, published_keys(connection, now), self.issuer, now)
        client = client_of_role(connection, participant_id)
        if client is None or client.client_id != client_id or client.status is not RoleStatus.APPROVED:
            raise TokenRefused("The holder of the access token takes no part any more.")
        if not self._may_come(client, certificate):
            raise TokenRefused(
                "The connection does not show a certificate that the holder of the token has registered."
            )
        return TokenHolder(client.participant_id, client.client_id, client.role)

    def _may_come(self, client: ClientRow, certificate: str) -> bool:
        if not client.certificates or not certificate:
            return not self._needs_certificate
        return certificate in client.certificates

    async def _published(self) -> list[TokenKey]:
        now = self._clock.now()
        return await self._database.read(lambda connection: published_keys(connection, now))
