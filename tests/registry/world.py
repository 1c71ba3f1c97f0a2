"""A registry without sockets: everything is real but TLS and the time. And who registers there."""

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from jwcrypto.jwk import JWKSet
from jwcrypto.jwt import JWT
from sqlalchemy import Engine, select

from registry_app.service import RegistryService
from registry_app.settings import RegistrySettings
from registry_app.store.tables import METADATA
from tests.equipment.clock import FrozenClock
from tests.equipment.records import public_pem
from tests.node.certificates import Authority, rsa_key

OPS_TOKEN = "the-operator-token-of-the-tests"
ISSUER = "https://localhost:8443/realms/dev"
TOKEN_PATH = "/realms/dev/protocol/openid-connect/token"
KEYS_PATH = "/realms/dev/protocol/openid-connect/certs"


@dataclass(frozen=True)
class Client:
    """A participant's client of the Auth Service."""

    participant_id: str
    client_id: str
    client_secret: str

    @property
    def form(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }


class World:
    """A registry, its operator (`ops`) and a caller without a token (`caller`)."""

    def __init__(self, service: RegistryService, clock: FrozenClock, folder: Path) -> None:
        self.service = service
        self.clock = clock
        self.folder = folder
        self._certificates: dict[str, str] = {}
        self.engine: Engine = service.components.database.engine
        plane = httpx.ASGITransport(app=service.api, raise_app_exceptions=False)
        ops = httpx.ASGITransport(app=service.ops, raise_app_exceptions=False)
        headers = {"authorization": f"Bearer {OPS_TOKEN}"}
        self.caller = httpx.AsyncClient(transport=plane, base_url="https://localhost:8443")
        self.ops = httpx.AsyncClient(transport=ops, base_url="http://127.0.0.1:9443", headers=headers)

    def form(self, name: str = "Sandbox Lender", role: str = "LENDER", **changes: Any) -> dict[str, Any]:
        """A registration form; the certificate and the key are those of the name."""
        return {
            "name": name,
            "role": role,
            "base_url": "https://localhost:8444/credit",
            "tls_certificates": [self.certificate(name)],
            "public_key": public_pem(name),
            "kid": f"{name}-kid",
            "ip_addresses": ["192.0.2.7"],
            "spoc_email": "ocen@bank.example",
            "spoc_phone": "+91 22 5550 0100",
        } | changes

    def certificate(self, name: str) -> str:
        """The TLS certificate of that name, for localhost."""
        if name not in self._certificates:
            issued = Authority().issue(self.folder / name, name or "nobody", key=rsa_key(f"{name} tls"))
            self._certificates[name] = issued.pem
        return self._certificates[name]

    async def register(self, name: str = "Sandbox Lender", role: str = "LENDER", **changes: Any) -> Client:
        """Register a participant, who is not approved yet."""
        answer = await self.ops.post("/participants", json=self.form(name, role, **changes))
        assert answer.status_code == 201, answer.text
        told = answer.json()
        return Client(told["participant"]["id"], told["client_id"], told["client_secret"])

    async def act(self, client: Client, step: str, **body: str) -> httpx.Response:
        """Let the operator do something with a participant."""
        return await self.ops.post(f"/participants/{client.participant_id}/{step}", json=body)

    async def admit(self, name: str = "Sandbox Lender", role: str = "LENDER", **changes: Any) -> Client:
        """Register a participant and approve it."""
        client = await self.register(name, role, **changes)
        assert (await self.act(client, "approve", approved_by="SRO")).status_code == 200
        return client

    async def token(self, client: Client) -> str:
        """The client's access token."""
        answer = await self.caller.post(TOKEN_PATH, data=client.form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def bearer(self, client: Client) -> dict[str, str]:
        """The header that opens the registry."""
        return {"authorization": f"Bearer {await self.token(client)}"}

    async def verified(self, token: str) -> dict[str, Any]:
        """The token's claims, if another library can verify it by the published keys alone."""
        keys = JWKSet.from_json((await self.caller.get(KEYS_PATH)).text)
        opened = JWT(algs=["RS256"], check_claims={})
        opened.leeway = 10**12  # the clock of the tests stands in another year
        opened.deserialize(token, keys)
        claims: dict[str, Any] = json.loads(opened.claims)
        return claims

    def contents(self) -> dict[str, list[Any]]:
        """All rows of all tables."""
        with self.engine.begin() as connection:
            tables = METADATA.sorted_tables
            return {table.name: sorted(map(repr, connection.execute(select(table)).all())) for table in tables}

    async def aclose(self) -> None:
        await self.caller.aclose()
        await self.ops.aclose()


def registry_settings(folder: Path, database_url: str, **changes: Any) -> RegistrySettings:
    """Settings of a registry with its files in `folder`."""
    leaf = Authority().issue(folder, "registry.example")
    token_file = folder / "ops-token"
    token_file.write_text(OPS_TOKEN)
    stated = {
        "database_url": database_url,
        "ops_token_file": token_file,
        "tls_certificate": leaf.certificate,
        "tls_private_key": leaf.private_key,
        "keys_folder": folder / "token-keys",
    }
    return RegistrySettings(**stated | changes)


@asynccontextmanager
async def registry_in(
    folder: Path, database_url: str, clock: FrozenClock | None = None, **changes: Any
) -> AsyncIterator[World]:
    """A registry that serves, without listening."""
    clock = clock or FrozenClock()
    service = RegistryService(registry_settings(folder, database_url, **changes), clock)
    world = World(service, clock, folder)
    await service.components.database.start()
    yield world
    await world.aclose()
    await service.stop()


def token_keys() -> Any:
    """A maker of private keys that makes each once in a run, as making takes time."""
    numbers = itertools.count()
    return lambda: rsa_key(f"token key {next(numbers)}")
