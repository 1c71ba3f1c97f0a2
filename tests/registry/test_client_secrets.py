"""Client secrets: slow hashes with a salt, in threads of their own, and no more of them than can be worked off."""

import asyncio

import pytest

from registry_app.auth.client_secrets import (
    MOST_STRANGERS,
    MOST_WAITING,
    SecretHasher,
    hash_secret,
    is_secret,
    new_secret,
)
from registry_app.auth.errors import OAuthError


def test_a_secret_is_hashed_with_a_salt_of_its_own() -> None:
    secret = new_secret()
    first, second = hash_secret(secret), hash_secret(secret)
    assert first != second
    assert is_secret(secret, first)
    assert is_secret(secret, second)
    assert not is_secret(new_secret(), first)


async def test_nobody_is_let_in_without_a_hash() -> None:
    hasher = SecretHasher()
    assert await hasher.matches("secret", await hasher.hash("secret"))
    assert not await hasher.matches("secret", None)
    hasher.close()


async def test_beyond_what_can_be_worked_off_callers_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry_app.auth.client_secrets.is_secret", lambda *_: True)
    hasher = SecretHasher()
    answers = await asyncio.gather(
        *(hasher.matches("secret", "hash") for _ in range(MOST_WAITING + 3)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, OAuthError)]
    assert [(answer.status, answer.headers) for answer in refused] == [(503, {"retry-after": "2"})] * 3
    assert await hasher.matches("secret", "hash")
    hasher.close()


async def test_clients_that_nobody_registered_do_not_crowd_out_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry_app.auth.client_secrets.is_secret", lambda *_: True)
    hasher = SecretHasher()
    strangers = (hasher.matches("secret", None) for _ in range(MOST_WAITING + 1))
    *answers, known = await asyncio.gather(*strangers, hasher.matches("secret", "hash"), return_exceptions=True)
    assert known is True
    refused = [answer for answer in answers if isinstance(answer, OAuthError)]
    assert [answer.status for answer in refused] == [503] * (MOST_WAITING + 1 - MOST_STRANGERS)
    hasher.close()
