"""Whom the registry lets in: holders of a token that this Auth Service has signed, is in force, and means somebody."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT
from sqlalchemy import Connection

from registry_app.auth.errors import TokenRefused
from registry_app.auth.signing_keys import TokenKey
from registry_app.auth.tokens import verify_issued_token
from registry_app.store.database import Database
from shared.storage.reader import read
from tests.equipment.clock import NOW
from tests.equipment.records import public_pem
from tests.node.certificates import private_pem, rsa_key
from tests.registry.world import ISSUER, KEYS_PATH, Client, World

BEGINS = int(NOW.timestamp())
PATHS = [
    ("GET", "/service/products/1"),
    ("GET", "/service/product-networks/1/participants"),
    ("GET", "/service/lender-network-filters/1"),
    ("GET", "/service/server-whitelisting-items/1"),
    ("GET", "/service/participant-roles/server-whitelisting-items/1"),
    ("GET", "/service/participant-roles/1"),
    ("GET", "/service/participant-roles/1/jwks"),
    ("POST", "/ocen/v4/event"),
    ("POST", "/ocen/v4/metrics/lender/loanDisbursementMetric"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_nothing_is_told_without_a_token(world: World, method: str, path: str) -> None:
    answer = await world.caller.request(method, path)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="dev"')


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer \xe9", "a.b.c"])
async def test_what_is_no_token_is_refused(world: World, authorization: str) -> None:
    headers = {"authorization": authorization.encode("latin-1")}
    answer = await world.caller.get("/service/products/1", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="dev", error="invalid_token", error_desc')
    assert set(answer.json()) == {"detail"}


def forged(client: Client, header: dict[str, Any], owner: str = "token key 0", **changes: Any) -> str:
    """A token as it might be, signed by the Auth Service's own key unless another owner's is named."""
    claims = {
        "iss": ISSUER,
        "iat": BEGINS,
        "nbf": BEGINS,
        "exp": BEGINS + 3600,
        "azp": client.client_id,
        "participantId": client.participant_id,
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    token = JWT(header=header, claims=claims, algs=["RS256", "RS512", "PS256"])
    token.make_signed_token(JWK.from_pem(private_pem(rsa_key(owner))))
    return str(token.serialize())


def part(members: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


async def answer_to(world: World, client: Client, token: str) -> int:
    path = f"/service/participant-roles/{client.participant_id}"
    return (await world.caller.get(path, headers={"authorization": f"Bearer {token}"})).status_code


async def kid_of(world: World) -> str:
    return str((await world.caller.get(KEYS_PATH)).json()["keys"][0]["kid"])


async def test_a_token_that_is_right_in_everything_opens(world: World, lender: Client) -> None:
    header = {"alg": "RS256", "kid": await kid_of(world)}
    assert await answer_to(world, lender, forged(lender, header)) == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example/realms/dev"},
        {"iss": None},
        {"exp": BEGINS},
        {"exp": None},
        {"exp": "never"},
        {"exp": True},
        {"nbf": BEGINS + 61},
        {"iat": None},
        {"azp": "another-client"},
        {"azp": None},
        {"participantId": "99"},
        {"participantId": "1e0"},
        {"participantId": "9" * 30},
        {"participantId": "\u0661"},
        {"participantId": 1},
        {"participantId": None},
    ],
    ids=repr,
)
async def test_a_token_that_is_wrong_in_one_claim_is_refused(world: World, changes: dict[str, Any]) -> None:
    lender = await world.admit()
    header = {"alg": "RS256", "kid": await kid_of(world)}
    assert await answer_to(world, lender, forged(lender, header, **changes)) == 401


async def test_a_token_of_another_signature_is_refused(world: World) -> None:
    lender = await world.admit()
    kid = await kid_of(world)
    good = forged(lender, {"alg": "RS256", "kid": kid})
    head, claims, signature = good.split(".")
    keyed = f"{part({'alg': 'HS256', 'kid': kid})}.{claims}"
    with_public_key = hmac.new(public_pem("token key 0").encode(), keyed.encode(), hashlib.sha256).digest()
    bad = [
        forged(lender, {"alg": "RS256", "kid": kid}, owner="a stranger"),
        forged(lender, {"alg": "RS256", "kid": "unknown"}),
        forged(lender, {"alg": "RS256"}),
        forged(lender, {"alg": "RS512", "kid": kid}),
        forged(lender, {"alg": "PS256", "kid": kid}),
        f"{part({'alg': 'none', 'kid': kid})}.{claims}.",
        f"{keyed}.{base64.urlsafe_b64encode(with_public_key).rstrip(b'=').decode()}",
        f"{head}.{claims}.",
        f"{head}.{claims[:-2]}.{signature}",
        f"{head}.{claims}.{signature[:-6]}AAAAAA",
        good + "x" * 8192,
    ]
    assert await answer_to(world, lender, good) == 200
    assert [await answer_to(world, lender, token) for token in bad] == [401] * len(bad)


@pytest.mark.parametrize("step", ["suspend", "offboard"])
async def test_a_token_of_somebody_who_takes_no_part_any_more_is_refused(world: World, step: str) -> None:
    client, other = await world.admit(), await world.admit("Sandbox LSP", "LOAN_AGENT")
    token = await world.token(client)
    assert await answer_to(world, other, token) == 200
    await world.act(client, step)
    assert await answer_to(world, other, token) == 401


async def test_two_authorization_headers_are_refused(world: World, lender: Client) -> None:
    (line,) = (await world.bearer(lender)).items()
    answer = await world.caller.get(f"/service/participant-roles/{lender.participant_id}", headers=[line, line])
    assert answer.status_code == 401


@given(st.text(max_size=200) | st.lists(st.binary(max_size=60), min_size=3, max_size=3).map(
    lambda parts: ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
))  # fmt: skip
def test_no_text_upsets_the_reader_of_tokens(text: str) -> None:
    key = TokenKey("kid", public_pem("token key 0"), NOW, None, None)
    with pytest.raises(TokenRefused):
        verify_issued_token(text, [key], ISSUER, NOW)


async def test_a_token_is_judged_in_one_visit_to_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = await world.bearer(await world.admit())
    visits: list[Any] = []

    async def counted(database: Database, query: Callable[[Connection], Any]) -> Any:
        visits.append(query)
        return await read(database.engine, query)

    monkeypatch.setattr(Database, "read", counted)
    answer = await world.caller.get("/service/participant-roles/1", headers=headers)
    assert (answer.status_code, len(visits)) == (200, 2)  # the other is the look-up itself
