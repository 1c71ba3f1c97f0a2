"""Calls to the Auth Service and the registry (OCEN 4.0, auth and ocen-registry), and what is read of the answers."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, NamedTuple

import httpx

from shared.catalogue.bodies.v4.registry import JWKS_PATH, REALM, TOKEN_PATH
from shared.node.counterparties import CounterpartiesUnavailable
from shared.protocol.encoding import MAX_VALUES, EncodingError, parse_json_object
from shared.transport.transport import HEAD_BYTES, PooledTransport


class Bounds(NamedTuple):
    """How large one answer may be, and how many seconds it is waited for."""

    size: int
    values: int
    seconds: float


USUAL: Final = Bounds(size=1024 * 1024, values=MAX_VALUES, seconds=3.0)
"""Bounds of all answers but one: as for messages of counterparties."""

NETWORK: Final = Bounds(size=16 * 1024 * 1024, values=400_000, seconds=10.0)
"""Bounds of the participants of a product network, which come without paging: a KiB and 30 values each from our own
registry. Whoever needs them does not wait as long, for the answer is awaited for all (`Kept`)."""

SignPath = Callable[[str], Mapping[str, str]]
"""Makes the headers that sign a request without a body, from its path as sent."""


class RegistryUnavailable(CounterpartiesUnavailable):
    """The Auth Service or the registry does not answer, or not as it should; the text says which call and how."""


class TokenRefusedError(RegistryUnavailable):
    """Our token does not count at the registry, at least no longer."""


class QueryRejectedError(RegistryUnavailable):
    """What was asked for cannot be there (HTTP 400): asking again would not change that."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Our credentials at the Auth Service; the secret is never logged or shown."""

    client_id: str
    client_secret: str = field(repr=False)


def registry_transport(ssl_context: ssl.SSLContext | Callable[[], ssl.SSLContext]) -> PooledTransport:
    """Make the transport of calls to a registry: of its answers, more is read than of a counterparty's."""
    return PooledTransport(ssl_context, max_response_bytes=NETWORK.size + HEAD_BYTES)


class RegistryClient:
    """One Auth Service and registry, behind one base URL.

    Raises (all methods): RegistryUnavailable when there is no answer that can be used.
    """

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport, sign_path: SignPath | None = None) -> None:
        """Call the services at `url` over `transport`; `sign_path` signs what is asked, where that is demanded."""
        self.url = url.rstrip("/")
        self.issuer = f"{self.url}{REALM}"
        self._sign_path = sign_path
        self._http = httpx.AsyncClient(
            base_url=self.url,
            transport=transport,
            timeout=USUAL.seconds,
            trust_env=False,
            follow_redirects=False,
            # Not compressed: the size of an answer has to be known before anything is done with it.
            headers={"accept": "application/json", "accept-encoding": "identity"},
        )
        # None is kept: a heap of cookies would make every later request larger than a server reads.
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def issue_token(self, credentials: ClientCredentials) -> dict[str, Any]:
        """Have a token issued by client credentials, in a form body (RFC 6749 s4.4; P14)."""
        form = {"grant_type": "client_credentials", **asdict(credentials)}
        response = await self._send(self._http.build_request("POST", TOKEN_PATH, data=form))
        if response.status_code != httpx.codes.OK:
            raise RegistryUnavailable(
                f"the Auth Service gives no token: HTTP {response.status_code} {_error(response)}"
            )
        return _read(response)

    async def jwks(self) -> dict[str, Any]:
        """Return the public keys of the Auth Service; they are open to all."""
        return _read(_right(await self._send(self._http.build_request("GET", JWKS_PATH))))

    async def get(self, path: str, token: str, bounds: Bounds = USUAL) -> Any:
        """Return what the registry has at a path, within bounds; None if it has nothing there (404).

        Raises:
            TokenRefusedError: the registry does not take the token.
            QueryRejectedError: there can be nothing at such a path.
        """
        headers = {"authorization": f"Bearer {token}"}
        request = self._http.build_request("GET", path, headers=headers, timeout=bounds.seconds)
        if self._sign_path is not None:
            request.headers.update(self._sign_path(request.url.raw_path.decode("ascii")))
        response = await self._send(request, bounds)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise TokenRefusedError(f"the registry does not take our token at {path}")
        if bounds is USUAL:
            return _read_any(_right(response), bounds.values)
        return await asyncio.to_thread(_read_any, _right(response), bounds.values)

    async def post(self, path: str, token: str, document: Mapping[str, Any]) -> int:
        """Post a document; return the status of the answer."""
        headers = {"authorization": f"Bearer {token}"}
        response = await self._send(self._http.build_request("POST", path, json=dict(document), headers=headers))
        return response.status_code

    async def _send(self, request: httpx.Request, bounds: Bounds = USUAL) -> httpx.Response:
        try:
            response = await self._http.send(request)
        except httpx.HTTPError as error:
            raise RegistryUnavailable(f"no answer from {request.url}: {type(error).__name__}: {error}"[:300]) from error
        if len(response.content) > bounds.size:
            raise RegistryUnavailable(f"{request.url} answers with more than {bounds.size} bytes")
        return response


def _right(response: httpx.Response) -> httpx.Response:
    if response.status_code != httpx.codes.OK:
        kind = QueryRejectedError if response.status_code == httpx.codes.BAD_REQUEST else RegistryUnavailable
        raise kind(f"{response.request.url} answers with HTTP {response.status_code}")
    return response


def _read(response: httpx.Response) -> dict[str, Any]:
    try:
        return parse_json_object(response.content)
    except EncodingError as error:
        raise RegistryUnavailable(f"{response.request.url} answers with no JSON object: {error}") from error


def _read_any(response: httpx.Response, most_values: int) -> Any:
    """Read an answer that may be an array: by the same strict parser, inside an object that is put round it."""
    try:
        return parse_json_object(b'{"answer":%b}' % response.content, most_values=most_values)["answer"]
    except EncodingError as error:
        raise RegistryUnavailable(f"{response.request.url} answers with no JSON: {error}") from error


def _error(response: httpx.Response) -> str:
    try:
        return str(parse_json_object(response.content).get("error", ""))[:64]
    except EncodingError:
        return ""
