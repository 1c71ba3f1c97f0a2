"""A token at the registry comes from its participant: a certificate that is shown with it has to be one of his.

So a participant that shows one of its certificates is told from whoever guesses its secret.
"""

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.catalogue.bodies.v4.heartbeat import EVENT_PATH
from shared.transport.peer_protocol import PEER_EXTENSION
from shared.transport.tls import PeerCertificate
from tests.node.certificates import Authority
from tests.registry.test_heartbeat import event
from tests.registry.world import TOKEN_PATH, Client, World, registry_in


class Showing:
    """The plane as a connection with that certificate sees it; without one where it is empty."""

    def __init__(self, plane: ASGIApp, pem: str) -> None:
        self._plane = plane
        peer = {PEER_EXTENSION: PeerCertificate.read(ssl.PEM_cert_to_DER_cert(pem))} if pem else {}
        self._extensions: dict[str, Any] = {"tls": {}, **peer}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._plane({**scope, "extensions": self._extensions}, receive, send)


def connected(world: World, pem: str) -> httpx.AsyncClient:
    """A caller whose connection shows a certificate."""
    transport = httpx.ASGITransport(app=Showing(world.service.api, pem))
    return httpx.AsyncClient(transport=transport, base_url="https://localhost:8443")


async def call(world: World, client: Client, pem: str) -> httpx.Response:
    """Report an event with the token of a client, over a connection that shows a certificate."""
    headers = await world.bearer(client)
    async with connected(world, pem) as caller:
        return await caller.post(EVENT_PATH, json=event(), headers=headers)


async def tries(world: World, client: Client, pem: str, *secrets: str) -> list[int]:
    """The statuses of requests for a token, one for each secret, over a connection that shows a certificate."""
    async with connected(world, pem) as caller:
        forms = [{**client.form, "client_secret": secret} for secret in secrets]
        return [(await caller.post(TOKEN_PATH, data=form)).status_code for form in forms]


@pytest.mark.parametrize("owner", ["Sandbox LSP", "nobody who is registered"])
async def test_a_token_is_refused_with_a_certificate_of_another(world: World, lender: Client, owner: str) -> None:
    await world.admit("Sandbox LSP", "LOAN_AGENT")
    pem, before = world.certificate(owner), world.contents()
    refused = await call(world, lender, pem)
    assert (refused.status_code, refused.json()["errorCode"]) == (401, "AUTH1005")
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert world.contents() == before


async def test_a_token_counts_with_each_certificate_of_its_participant_until_that_is_taken_out(
    world: World, tmp_path: Path
) -> None:
    renewed = Authority().issue(tmp_path / "renewed", "lsp.example").pem
    former = world.certificate("Sandbox Lender")
    lender = await world.admit(tls_certificates=[former, renewed])
    assert [(await call(world, lender, pem)).status_code for pem in (former, renewed)] == [200, 200]
    changed = await world.ops.patch(f"/participants/{lender.participant_id}", json={"tls_certificates": [renewed]})
    assert changed.status_code == 200
    assert [(await call(world, lender, pem)).status_code for pem in (former, renewed)] == [401, 200]


@pytest.mark.parametrize(("is_needed", "status"), [(False, 200), (True, 401)])
async def test_without_a_certificate_a_token_counts_unless_the_settings_demand_one(
    tmp_path: Path, is_needed: bool, status: int
) -> None:
    database = f"sqlite:///{tmp_path / 'registry.db'}"
    async with registry_in(tmp_path, database, token_needs_certificate=is_needed) as world:
        lender = await world.admit()
        assert (await call(world, lender, "")).status_code == status
        assert (await call(world, lender, world.certificate("Sandbox Lender"))).status_code == 200


@pytest.mark.parametrize("guesser", ["", "Sandbox LSP", "nobody who is registered"])
async def test_who_shows_its_own_certificate_gets_its_token_while_another_guesses_from_the_same_address(
    world: World, lender: Client, guesser: str
) -> None:
    await world.admit("Sandbox LSP", "LOAN_AGENT")
    theirs, own = world.certificate(guesser) if guesser else "", world.certificate("Sandbox Lender")
    assert await tries(world, lender, theirs, *["a guess"] * 6, lender.client_secret) == [401] * 5 + [429] * 2
    assert await tries(world, lender, own, lender.client_secret) == [200]
    assert await tries(world, lender, theirs, lender.client_secret) == [429]


async def test_who_shows_its_own_certificate_may_not_guess_either(world: World, lender: Client) -> None:
    own = world.certificate("Sandbox Lender")
    assert await tries(world, lender, own, *["a guess"] * 6, lender.client_secret) == [401] * 5 + [429] * 2
    assert await tries(world, lender, "", lender.client_secret) == [200]
    world.clock.advance(61)
    assert await tries(world, lender, own, lender.client_secret) == [200]
