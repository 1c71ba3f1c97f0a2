"""The token endpoint: who gets a token, what is in it, and who is sent away, how."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import pytest

from registry_app.api.request_limits import MAX_BODY_BYTES
from tests.equipment.clock import NOW
from tests.registry.world import ISSUER, TOKEN_PATH, Client, World, registry_in

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
GRANT = {"grant_type": "client_credentials"}


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{client_id}:{secret}'.encode()).decode()}"}


async def test_a_form_is_answered_with_a_token_that_another_library_verifies(world: World, lender: Client) -> None:
    answer = await world.caller.post(TOKEN_PATH, data=lender.form)
    told = answer.json()
    assert (answer.status_code, answer.headers["cache-control"], answer.headers["pragma"]) == (
        200,
        "no-store",
        "no-cache",
    )
    assert set(told) == {"access_token", "token_type", "expires_in", "scope"}
    assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 86_400, "openid")
    claims = await world.verified(told["access_token"])
    begins = int(NOW.timestamp())
    assert UUID(claims.pop("jti")).version == 4
    assert claims == {
        "exp": begins + 86_400,
        "iat": begins,
        "nbf": begins,
        "iss": ISSUER,
        "sub": lender.client_id,
        "azp": lender.client_id,
        "typ": "Bearer",
        "scope": "openid",
        "participantId": lender.participant_id,
        "clientId": lender.client_id,
        "roles": ["LENDER"],
    }
    header = json.loads(base64.urlsafe_b64decode(told["access_token"].split(".")[0] + "=="))
    assert (header["alg"], header["typ"], set(header)) == ("RS256", "JWT", {"alg", "typ", "kid"})


async def test_json_and_http_basic_are_taken_too(world: World, lender: Client) -> None:
    in_json = await world.caller.post(TOKEN_PATH, json=lender.form)
    in_header = await world.caller.post(TOKEN_PATH, data=GRANT, headers=basic(lender.client_id, lender.client_secret))
    named_twice = await world.caller.post(
        TOKEN_PATH,
        data={**GRANT, "client_id": lender.client_id, "scope": "openid"},
        headers=basic(lender.client_id, lender.client_secret),
    )
    for answer in (in_json, in_header, named_twice):
        assert (await world.verified(answer.json()["access_token"]))["participantId"] == lender.participant_id


async def test_two_tokens_are_never_the_same(world: World, lender: Client) -> None:
    assert await world.token(lender) != await world.token(lender)


async def test_how_long_a_token_lives_is_a_setting(tmp_path: Path) -> None:
    async with registry_in(tmp_path, f"sqlite:///{tmp_path / 'r.db'}", token_seconds=600) as world:
        answer = await world.caller.post(TOKEN_PATH, data=(await world.admit()).form)
        claims = await world.verified(answer.json()["access_token"])
    assert (answer.json()["expires_in"], claims["exp"] - claims["iat"]) == (600, 600)


@pytest.mark.parametrize(
    ("headers", "body", "status", "error"),
    [
        (FORM, "", 400, "invalid_request"),
        (FORM, "grant_type=", 400, "invalid_request"),
        (FORM, "grant_type=password&client_id=a&client_secret=b", 400, "unsupported_grant_type"),
        (FORM, "grant_type=client_credentials", 401, "invalid_client"),
        (FORM, "grant_type=client_credentials&client_id=a", 401, "invalid_client"),
        (FORM, "grant_type=client_credentials&client_id=a&client_secret=b", 401, "invalid_client"),
        (FORM, "grant_type=client_credentials&client_id=%00&client_secret=b", 401, "invalid_client"),
        (FORM, "grant_type=client_credentials&grant_type=client_credentials", 400, "invalid_request"),
        (FORM, "grant_type=client_credentials&client_id=a&client_secret=%FF", 400, "invalid_request"),
        (FORM, "&".join(f"p{number}=1" for number in range(51)), 400, "invalid_request"),
        (FORM, "grant_type=client_credentials&client_id=a&client_secret=b&scope=admin", 400, "invalid_scope"),
        (FORM, "grant_type=client_credentials&client_id=a&client_secret=b&scope=openid+admin", 400, "invalid_scope"),
        (JSON, "{", 400, "invalid_request"),
        (JSON, "[]", 400, "invalid_request"),
        (JSON, '{"grant_type":"client_credentials","grant_type":"client_credentials"}', 400, "invalid_request"),
        (JSON, '{"grant_type":["client_credentials"]}', 400, "invalid_request"),
        (JSON, '{"grant_type":"client_credentials","client_id":"a","client_secret":1}', 400, "invalid_request"),
        ({"content-type": "text/plain"}, "grant_type=client_credentials", 400, "invalid_request"),
        ({}, "grant_type=client_credentials", 400, "invalid_request"),
    ],
)
async def test_what_is_no_right_request_is_refused(
    world: World, headers: dict[str, str], body: str, status: int, error: str
) -> None:
    before = world.contents()
    answer = await world.caller.post(TOKEN_PATH, content=body.encode(), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"
    assert "www-authenticate" not in answer.headers
    assert world.contents() == before


@pytest.mark.parametrize(
    "authorization", ["Basic", "Basic !", "Basic YQ==", "Basic 4pi6Og==", "Bearer abc", "Basic YTpi"]
)
async def test_a_client_that_fails_by_the_header_is_challenged(world: World, authorization: str) -> None:
    answer = await world.caller.post(TOKEN_PATH, data=GRANT, headers={"authorization": authorization})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"] == 'Basic realm="dev"'


async def test_credentials_in_two_places_are_refused(world: World, lender: Client) -> None:
    headers = basic(lender.client_id, lender.client_secret)
    for body in (lender.form, {**GRANT, "client_id": "another"}):
        answer = await world.caller.post(TOKEN_PATH, data=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_repeated_header_is_refused(world: World, lender: Client) -> None:
    (name, value), *_ = basic(lender.client_id, lender.client_secret).items()
    answer = await world.caller.post(TOKEN_PATH, data=GRANT, headers=[(name, value), (name, value)])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_http_basic_is_form_encoded_within(world: World, lender: Client) -> None:
    encoded = "".join(f"%{ord(character):02X}" for character in lender.client_secret)
    answer = await world.caller.post(TOKEN_PATH, data=GRANT, headers=basic(lender.client_id, encoded))
    assert answer.status_code == 200


async def test_a_wrong_secret_and_an_unknown_client_are_answered_alike(world: World, lender: Client) -> None:
    forms = ({**lender.form, "client_secret": "wrong"}, {**lender.form, "client_id": "unknown"})
    answers = [await world.caller.post(TOKEN_PATH, data=form) for form in forms]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()


async def test_only_an_approved_participant_gets_a_token(world: World) -> None:
    client = await world.register()
    expected: list[tuple[str, int, str]] = [
        ("approve", 200, ""),
        ("suspend", 400, "unauthorized_client"),
        ("approve", 200, ""),
        ("offboard", 401, "invalid_client"),
    ]
    applied = await world.caller.post(TOKEN_PATH, data=client.form)
    assert (applied.status_code, applied.json()["error"]) == (400, "unauthorized_client")
    for step, status, error in expected:
        await world.act(client, step)
        answer = await world.caller.post(TOKEN_PATH, data=client.form)
        assert (answer.status_code, answer.json().get("error", "")) == (status, error)


async def test_a_new_secret_takes_the_place_of_the_former_one_at_once(world: World, lender: Client) -> None:
    answer = await world.ops.post(f"/participants/{lender.participant_id}/secret")
    renewed = Client(lender.participant_id, answer.json()["client_id"], answer.json()["client_secret"])
    assert renewed.client_id == lender.client_id
    assert (await world.caller.post(TOKEN_PATH, data=lender.form)).status_code == 401
    assert (await world.caller.post(TOKEN_PATH, data=renewed.form)).status_code == 200


async def test_secrets_are_stored_as_hashes_only(world: World, lender: Client) -> None:
    stored = repr(world.contents())
    assert lender.client_id in stored
    assert lender.client_secret not in stored
    assert "scrypt$" in stored


async def test_who_guesses_has_to_wait_and_nobody_else_with_him(world: World, lender: Client) -> None:
    other = await world.admit("Sandbox LSP", "LOAN_AGENT")
    wrong = {**lender.form, "client_secret": "a guess"}
    statuses = [(await world.caller.post(TOKEN_PATH, data=wrong)).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    world.clock.advance(59)
    for form in (wrong, lender.form):
        answer = await world.caller.post(TOKEN_PATH, data=form)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.json()["error"] == "temporarily_unavailable"
    assert (await world.caller.post(TOKEN_PATH, data=other.form)).status_code == 200
    world.clock.advance(2)
    assert (await world.caller.post(TOKEN_PATH, data=lender.form)).status_code == 200


async def test_nobody_can_keep_another_from_its_token_by_wrong_secrets_in_its_name(
    world: World, lender: Client
) -> None:
    elsewhere = httpx.ASGITransport(app=world.service.api, client=("198.51.100.1", 4444))
    wrong = {**lender.form, "client_secret": "a guess"}
    async with httpx.AsyncClient(transport=elsewhere, base_url="https://localhost:8443") as malicious:
        statuses = [(await malicious.post(TOKEN_PATH, data=wrong)).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert (await world.caller.post(TOKEN_PATH, data=lender.form)).status_code == 200


async def test_unknown_clients_are_slowed_down_alike(world: World) -> None:
    wrong = {**GRANT, "client_id": "unknown", "client_secret": "a guess"}
    statuses = [(await world.caller.post(TOKEN_PATH, data=wrong)).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


async def test_a_right_secret_forgets_the_wrong_ones(world: World, lender: Client) -> None:
    for _ in range(3):
        for _ in range(4):
            await world.caller.post(TOKEN_PATH, data={**lender.form, "client_secret": "a slip"})
        assert (await world.caller.post(TOKEN_PATH, data=lender.form)).status_code == 200


async def test_a_body_beyond_the_limit_is_refused(world: World, lender: Client) -> None:
    padded = urlencode({**lender.form, "padding": "x" * MAX_BODY_BYTES})
    answer = await world.caller.post(TOKEN_PATH, content=padded, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


async def test_another_method_is_refused_in_the_form_of_the_realm(world: World) -> None:
    answer = await world.caller.get(TOKEN_PATH)
    assert (answer.status_code, answer.headers["allow"], answer.json()["error"]) == (405, "POST", "invalid_request")


async def test_a_fault_of_ours_is_answered_without_its_cause(
    world: World, lender: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("division")

    monkeypatch.setattr("registry_app.auth.service.claims_for", fail)
    answer = await world.caller.post(TOKEN_PATH, data=lender.form)
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert "division" not in answer.text


async def test_discovery_names_the_issuer_and_where_everything_is(world: World) -> None:
    answer = await world.caller.get("/realms/dev/.well-known/openid-configuration")
    told = answer.json()
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert told["issuer"] == ISSUER
    assert told["token_endpoint"] == f"https://localhost:8443{TOKEN_PATH}"
    assert (await world.caller.get(told["jwks_uri"])).status_code == 200
