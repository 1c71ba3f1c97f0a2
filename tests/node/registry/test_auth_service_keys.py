"""The Auth Service's public keys: cached, followed when they change, and no flood of tokens makes us ask for them."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.registry.auth_service import MOST_TOKEN_KEYS, AuthServiceKeys, token_kid
from shared.node.registry.service import RegistryClient
from tests.equipment.clock import FrozenClock
from tests.equipment.scripted_registry import ISSUER, JWKS_PATH, URL, ScriptedRegistry, jwk_of, rs256


@pytest.fixture
def keys(registry: ScriptedRegistry, clock: FrozenClock) -> AuthServiceKeys:
    return AuthServiceKeys(RegistryClient(URL, registry.transport), clock)


async def test_they_are_fetched_once_without_a_token(keys: AuthServiceKeys, registry: ScriptedRegistry) -> None:
    issuers = await asyncio.gather(*(keys.issuer(registry.key.kid) for _ in range(50)))
    assert {issuer.url for issuer in issuers} == {ISSUER}
    assert registry.asked(JWKS_PATH) == 1
    assert "authorization" not in registry.requests[0].headers


async def test_of_a_jwks_without_end_the_beginning_is_read(keys: AuthServiceKeys, registry: ScriptedRegistry) -> None:
    registry.jwks += [jwk_of(registry.key, f"further-{number}") for number in range(1_000)]
    assert len((await keys.issuer(registry.key.kid)).keys) == MOST_TOKEN_KEYS


async def test_cookies_are_neither_kept_nor_sent(registry: ScriptedRegistry) -> None:
    service = RegistryClient(URL, registry.transport)
    registry.replies[JWKS_PATH] = lambda _: httpx.Response(
        200, json={"keys": registry.jwks}, headers=[("set-cookie", f"c{number}={'x' * 3000}") for number in range(50)]
    )
    for _ in range(2):
        await service.jwks()
    assert "cookie" not in registry.requests[-1].headers
    await service.aclose()


@pytest.mark.check("OCEN-TOK-06")
async def test_two_hundred_tokens_of_random_kids_lead_to_five_fetches_at_most(
    keys: AuthServiceKeys, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    await keys.issuer(registry.key.kid)
    for number in range(200):
        clock.advance(0.1)
        await keys.issuer(f"random-{number}")
    assert registry.asked(JWKS_PATH) <= 5


@pytest.mark.check("OCEN-TOK-06")
async def test_a_new_key_counts_within_a_minute_without_a_restart_also_in_a_flood(
    keys: AuthServiceKeys, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    await keys.issuer(registry.key.kid)
    for number in range(20):
        await keys.issuer(f"random-{number}")
    registry.jwks.append(jwk_of(rs256("auth service 2")))
    seconds = 0
    while "auth service 2-kid" not in (await keys.issuer("auth service 2-kid")).keys:
        clock.advance(1)
        seconds += 1
    assert seconds <= 30


async def test_a_key_that_is_taken_away_counts_no_longer_than_an_hour(
    keys: AuthServiceKeys, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    await keys.issuer(registry.key.kid)
    registry.jwks = [jwk_of(rs256("auth service 2"))]
    clock.advance(30 * 60 + 1)
    assert set((await keys.issuer("auth service 2-kid")).keys) == {"auth service 2-kid"}


async def test_while_the_auth_service_is_down_known_keys_count_for_an_hour_and_then_none(
    keys: AuthServiceKeys, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    await keys.issuer(registry.key.kid)
    registry.is_down = True
    clock.advance(3600)
    assert registry.key.kid in (await keys.issuer(registry.key.kid)).keys
    assert "unknown" not in (await keys.issuer("unknown")).keys
    clock.advance(31)
    with pytest.raises(CounterpartiesUnavailable, match=r"no answer from .*/certs"):
        await keys.issuer(registry.key.kid)
    registry.is_down = False
    clock.advance(2)
    assert registry.key.kid in (await keys.issuer(registry.key.kid)).keys


async def test_keys_of_other_kinds_are_passed_over(keys: AuthServiceKeys, registry: ScriptedRegistry) -> None:
    good = jwk_of(registry.key)
    registry.jwks += [
        {**good, "kid": "for encryption", "use": "enc"},
        {**good, "kid": "of another algorithm", "alg": "RSA-OAEP"},
        {**good, "kid": 7},
        {"kty": "EC", "kid": "elliptic", "crv": "P-256", "x": "AA", "y": "AA"},
        {**good, "kid": "small", "n": "AQAB"},
        {**good, "kid": "private", "d": "AQAB"},
        "no key at all",  # type: ignore[list-item]
    ]
    assert set((await keys.issuer("")).keys) == {registry.key.kid}


@pytest.mark.parametrize("document", [{"keys": []}, {"keys": "none"}, {}])
async def test_a_key_set_without_any_key_does_not_take_the_place_of_a_good_one(
    keys: AuthServiceKeys, registry: ScriptedRegistry, clock: FrozenClock, document: Any
) -> None:
    await keys.issuer(registry.key.kid)
    registry.replies[JWKS_PATH] = lambda _: httpx.Response(200, json=document)
    await keys.issuer("unknown")
    assert registry.key.kid in (await keys.issuer(registry.key.kid)).keys


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "..", "e30.e30.AA", "x" * 9000])
def test_what_is_no_token_names_no_kid(text: str) -> None:
    assert token_kid(text) == ""
