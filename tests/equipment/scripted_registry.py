"""The Auth Service and the registry of OCEN 4.0 as a node sees them over HTTP: both do what a test tells them."""

import asyncio
import functools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx

from shared.clock import Clock
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.signing import SigningKey, VerificationKey
from tests.equipment.parties import signing_key

URL = "https://registry.example"
ISSUER = f"{URL}/realms/dev"
SECRET = "the-client-secret-of-the-tests"
TOKEN_PATH = "/realms/dev/protocol/openid-connect/token"
JWKS_PATH = "/realms/dev/protocol/openid-connect/certs"
ROLES = "/service/participant-roles/"
ITEMS = f"{ROLES}server-whitelisting-items/"
NETWORKS = "/service/product-networks/"
EVENTS = "/ocen/v4/event"

Reply = Callable[[httpx.Request], httpx.Response]


@functools.cache
def rs256(owner: str, kid: str = "") -> SigningKey:
    """The key of an owner, bound to the algorithm of OCEN 4.0."""
    return signing_key(owner, kid).bound_to("RS256")


def jwk_of(key: SigningKey | VerificationKey, kid: str | None = None) -> dict[str, Any]:
    """The public half as a JWK; a kid of "" is left out."""
    public = key.public() if isinstance(key, SigningKey) else key
    name = (key.kid if isinstance(key, SigningKey) else "") if kid is None else kid
    numbers = json.loads(public.jwk.export_public())
    jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "n": numbers["n"], "e": numbers["e"]}
    return {**jwk, "kid": name} if name else jwk


class ScriptedRegistry:
    """Answers rightly, until a test changes what it holds or puts a reply of its own for a path."""

    def __init__(self, clock: Clock, own_id: str = "3050") -> None:
        self.clock = clock
        self.url = URL
        self.clients = {"client-1": own_id}
        self.key = rs256("auth service")
        self.jwks = [jwk_of(self.key)]
        self.life = 86_400
        self.claims: dict[str, Any] = {}
        self.roles: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, list[dict[str, Any]]] = {}
        self.addresses: dict[str, list[dict[str, Any]]] = {}
        self.networks: dict[str, Any] = {}
        self.replies: dict[str, Reply] = {}
        self.requests: list[httpx.Request] = []
        self.issued: list[str] = []
        self.refused: set[str] = set()
        self.is_down = False
        self.gate: asyncio.Event | None = None

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def asked(self, path: str) -> int:
        """How often something was asked for."""
        return sum(request.url.path == path for request in self.requests)

    def enrol(self, participant_id: str, role: str, key: SigningKey, **changes: Any) -> dict[str, Any]:
        """Serve an approved participant with that key, both ways; return its entry, for changes to it."""
        self.keys[participant_id] = [jwk_of(key)]
        self.roles[participant_id] = {
            "id": participant_id,
            "participantRole": role,
            "participantRoleStatus": "APPROVED",
            "isApproved": True,
            "publicKey": json.dumps(jwk_of(key)),
            "baseUrl": f"https://{participant_id}.example/ocen",
            "participant": {"id": 900 + int(participant_id[-1]), "participantName": f"Participant {participant_id}"},
            **changes,
        }
        return self.roles[participant_id]

    def token(self, participant_id: str, key: SigningKey | None = None, kid: str | None = None, **claims: Any) -> str:
        """A token of that participant, right unless claims say otherwise; None leaves a claim out."""
        now, signer = int(self.clock.now().timestamp()), key or self.key
        body = {
            "iss": f"{self.url}/realms/dev",
            "sub": f"client-{participant_id}",
            "participantId": participant_id,
            "iat": now,
            "exp": now + self.life,
            "jti": f"token-{len(self.issued)}",
            **claims,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": signer.kid if kid is None else kid}
        told = {name: value for name, value in body.items() if value is not None}
        signed = f"{base64url_encode(dump_json(header))}.{base64url_encode(dump_json(told))}"
        return f"{signed}.{base64url_encode(signer.sign(signed.encode()))}"

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request."""
        self.requests.append(request)
        if self.gate is not None:
            await self.gate.wait()
        if self.is_down:
            raise httpx.ConnectError("connection refused")
        path = request.url.path
        if path in self.replies:
            return self.replies[path](request)
        if path == TOKEN_PATH:
            return self._issue(request)
        if path == JWKS_PATH:
            return httpx.Response(200, json={"keys": self.jwks})
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.issued or token in self.refused:
            return httpx.Response(401)
        return self._look_up(path)

    def _issue(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl(request.content.decode()))
        participant_id = self.clients.get(form.get("client_id", ""))
        rest = (form.get("grant_type"), form.get("client_secret"))
        if participant_id is None or rest != ("client_credentials", SECRET):
            return httpx.Response(401, json={"error": "invalid_client"})
        token = self.token(participant_id, **self.claims)
        self.issued.append(token)
        return httpx.Response(200, json={"access_token": token, "token_type": "Bearer", "expires_in": self.life})

    def _look_up(self, path: str) -> httpx.Response:
        if path == EVENTS:
            return httpx.Response(200, json={"message": "taken", "timestamp": 0, "errorCode": "0"})
        if path.startswith(ITEMS):
            found: Any = self.addresses.get(path.removeprefix(ITEMS))
        elif path.endswith("/jwks"):
            jwks = self.keys.get(path.removeprefix(ROLES).removesuffix("/jwks"))
            found = None if jwks is None else {"keys": jwks}
        elif path.startswith(NETWORKS):
            found = self.networks.get(path.removeprefix(NETWORKS).removesuffix("/participants"))
        else:
            found = self.roles.get(path.removeprefix(ROLES))
        return httpx.Response(404) if found is None else httpx.Response(200, json=found)
