"""Calls to the Auth Service and the registry (OCEN 4.0, auth and ocen-registry), and what is read of the answers."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import httpx

from shared.node.counterparties import CounterpartiesUnavailable
from shared.protocol.encoding import EncodingError, parse_json_object

REALM: Final = "/realms/dev"
TOKEN_PATH: Final = f"{REALM}/protocol/openid-connect/token"
JWKS_PATH: Final = f"{REALM}/protocol/openid-connect/certs"

TIMEOUT_SECONDS: Final = 3.0

MISSING: Final = 404
UNAUTHORIZED: Final = 401


class RegistryUnavailable(CounterpartiesUnavailable):
    """The Auth Service or the registry does not answer, or not as it should; the text says which call and how."""


class Credentials(NamedTuple):
    """What the Auth Service knows us by; the secret is nobody else's business."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"Credentials({self.client_id!r}, ...)"


class RegistryService:
    """One Auth Service and registry, behind one base URL.

    Raises (all methods): RegistryUnavailable when there is no answer that can be used.
    """

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport) -> None:
        """Call the services at `url` over `transport`."""
        self.url = url.rstrip("/")
        self.issuer = f"{self.url}{REALM}"
        self._http = httpx.AsyncClient(
            base_url=self.url, transport=transport, timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def issue_token(self, credentials: Credentials) -> dict[str, Any]:
        """Have a token issued by client credentials, in a form body (RFC 6749 s4.4; C16)."""
        form = {"grant_type": "client_credentials", **credentials._asdict()}
        response = await self._send("POST", TOKEN_PATH, data=form)
        if response.status_code != httpx.codes.OK:
            raise RegistryUnavailable(
                f"the Auth Service gives no token: HTTP {response.status_code} {_error(response)}"
            )
        return _object(response)

    async def jwks(self) -> dict[str, Any]:
        """Return the public keys of the Auth Service; they are open to all."""
        return _object(_right(await self._send("GET", JWKS_PATH)))

    async def get(self, path: str, token: str) -> Any:
        """Return what the registry has at a path; None if it has nothing there (404).

        Raises:
            TokenRefusedError: the registry does not take the token.
        """
        response = await self._send("GET", path, headers={"authorization": f"Bearer {token}"})
        if response.status_code == MISSING:
            return None
        if response.status_code == UNAUTHORIZED:
            raise TokenRefusedError(f"the registry does not take our token at {path}")
        return _json(_right(response))

    async def post(self, path: str, token: str, document: Mapping[str, Any]) -> int:
        """Post a document; return the status of the answer."""
        headers = {"authorization": f"Bearer {token}"}
        return (await self._send("POST", path, json=dict(document), headers=headers)).status_code

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, **request)
        except httpx.TransportError as error:
            place = f"{self.url}{path}"
            raise RegistryUnavailable(f"no answer from {place}: {type(error).__name__}: {error}"[:300]) from error


class TokenRefusedError(RegistryUnavailable):
    """Our token does not count at the registry, at least no longer."""


def _right(response: httpx.Response) -> httpx.Response:
    if response.status_code != httpx.codes.OK:
        raise RegistryUnavailable(f"{response.request.url} answers with HTTP {response.status_code}")
    return response


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        return parse_json_object(response.content)
    except EncodingError as error:
        raise RegistryUnavailable(f"{response.request.url} answers with no JSON object: {error}") from error


def _json(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except ValueError as error:
        raise RegistryUnavailable(f"{response.request.url} answers with no JSON") from error


def _error(response: httpx.Response) -> str:
    try:
        return str(parse_json_object(response.content).get("error", ""))[:64]
    except EncodingError:
        return ""
