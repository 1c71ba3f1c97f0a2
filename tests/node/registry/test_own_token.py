"""Our own access token: had once, verified, renewed in good time, and told to nobody but those it is for."""

import asyncio
import logging
from typing import Any

import httpx
import pytest

from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.registry.member import Member
from shared.node.registry.service import ClientCredentials
from tests.equipment.clock import FrozenClock
from tests.equipment.scripted_registry import SECRET, TOKEN_PATH, ScriptedRegistry, rs256

pytestmark = pytest.mark.check("OCEN-TOK-07")


async def test_many_who_need_it_at_a_time_have_it_fetched_once(member: Member, registry: ScriptedRegistry) -> None:
    tokens = await asyncio.gather(*(member.access.token() for _ in range(50)))
    assert set(tokens) == {registry.issued[0]}
    assert registry.asked(TOKEN_PATH) == 1


async def test_it_is_asked_for_in_a_form_body_with_our_client_credentials(
    member: Member, registry: ScriptedRegistry
) -> None:
    await member.access.token()
    request = registry.requests[0]
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"participantId": "3051"}, "of participant 3051, and we are another"),
        ({"iss": "https://registry.example/realms/prod"}, "token_is_of_our_auth_service"),
        ({"participantId": None}, "token_has_its_claims"),
        ({"exp": 1}, "token_is_in_force"),
    ],
)
async def test_one_that_others_would_refuse_is_not_used(
    member: Member, registry: ScriptedRegistry, claims: dict[str, Any], sentence: str
) -> None:
    registry.claims = claims
    with pytest.raises(CounterpartiesUnavailable, match=sentence):
        await member.access.token()


async def test_one_that_somebody_else_has_signed_is_not_used(member: Member, registry: ScriptedRegistry) -> None:
    registry.claims = {"key": rs256("lsp"), "kid": registry.key.kid}
    with pytest.raises(CounterpartiesUnavailable, match="token_signature_verifies"):
        await member.access.token()


async def test_after_four_fifths_of_its_life_it_is_renewed(
    member: Member, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    first = await member.access.token()
    clock.advance(0.8 * 86_400)
    assert await member.access.token() == first
    clock.advance(1)
    assert await member.access.token() == registry.issued[1] != first


async def test_one_whose_times_have_a_fraction_is_used(
    member: Member, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    begun = int(clock.now().timestamp())
    registry.claims = {"iat": begun - 0.5, "exp": begun + 600.25}
    assert await member.access.token() == registry.issued[0]


async def test_its_life_is_the_shorter_of_what_the_answer_and_the_token_say(
    member: Member, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    registry.life = 1000
    now = int(clock.now().timestamp())
    registry.claims = {"exp": now + 50_000}
    first = await member.access.token()
    clock.advance(801)
    registry.claims = {"iat": now + 801, "exp": now + 801 + 500}
    second = await member.access.token()
    clock.advance(401)
    registry.claims = {}
    assert len({first, second, await member.access.token()}) == 3


async def test_while_the_auth_service_is_down_the_old_one_goes_on_as_long_as_it_lives_and_then_the_error_is_clear(
    member: Member, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    first = await member.access.token()
    registry.is_down = True
    clock.advance(86_000)
    assert [await member.access.token() for _ in range(5)] == [first] * 5
    assert registry.asked(TOKEN_PATH) == 2
    clock.advance(401)
    for _ in range(5):
        with pytest.raises(CounterpartiesUnavailable, match=r"no answer from .*/token"):
            await member.access.token()
    assert registry.asked(TOKEN_PATH) == 3
    registry.is_down = False
    clock.advance(2)
    assert await member.access.token() == registry.issued[-1] != first


async def test_one_that_was_refused_is_renewed_once_however_many_say_so(
    member: Member, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    first = await member.access.token()
    clock.advance(11)
    renewed = await asyncio.gather(*(member.access.renew(first) for _ in range(20)))
    assert set(renewed) == {registry.issued[1]}
    assert await member.access.renew(registry.issued[1]) == registry.issued[1]
    assert await member.access.renew(first) == registry.issued[1]
    assert registry.asked(TOKEN_PATH) == 2


async def test_who_refuses_all_tokens_gets_a_new_one_every_ten_seconds_at_most(
    member: Member, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    token = await member.access.token()
    for _ in range(100):
        clock.advance(1)
        token = await member.access.renew(token)
    assert registry.asked(TOKEN_PATH) == 11


async def test_while_no_other_can_be_had_a_refused_one_stays(
    member: Member, registry: ScriptedRegistry, clock: FrozenClock
) -> None:
    first = await member.access.token()
    registry.is_down = True
    clock.advance(11)
    assert await member.access.renew(first) == first
    clock.advance(86_400)
    assert await member.access.renew(first) == first


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (httpx.Response(401, json={"error": "invalid_client"}), "HTTP 401 invalid_client"),
        (httpx.Response(500, text="<html>"), "HTTP 500"),
        (httpx.Response(200, json={"token_type": "Bearer"}), "without an access_token"),
        (httpx.Response(200, json={"access_token": "a.b.c"}), "token_is_a_signed_jwt"),
        (httpx.Response(200, text="[]"), "no JSON object"),
        (httpx.Response(302, headers={"location": "http://elsewhere.example/"}), "HTTP 302"),
    ],
)
async def test_an_answer_without_a_token_is_told_as_what_it_is(
    member: Member, registry: ScriptedRegistry, reply: httpx.Response, sentence: str
) -> None:
    registry.replies[TOKEN_PATH] = lambda _: reply
    with pytest.raises(CounterpartiesUnavailable, match=sentence):
        await member.access.token()


async def test_neither_token_nor_secret_is_in_a_log_line_a_repr_or_an_error(
    member: Member, registry: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = await member.access.token()
    texts = [caplog.text, repr(member.access._kept.last), repr(ClientCredentials("client-1", SECRET))]
    registry.claims = {"participantId": "3051"}
    with pytest.raises(CounterpartiesUnavailable) as caught:
        await member.access._fetch()
    texts += [str(caught.value), repr(caught.value)]
    for secret in (token, registry.issued[-1], SECRET):
        assert not any(secret in text for text in texts)
