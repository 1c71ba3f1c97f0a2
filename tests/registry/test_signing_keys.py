"""The keys of the Auth Service: published, replaced without a gap, private in files alone, shared by processes."""

from pathlib import Path

import pytest

from registry_app.service import RegistryService
from registry_app.settings import LONGEST_LIFE
from shared.node.identity import IdentityError
from tests.equipment.clock import FrozenClock
from tests.equipment.records import public_pem
from tests.registry.world import KEYS_PATH, Client, World, registry_in, registry_settings


async def published(world: World) -> list[str]:
    return [key["kid"] for key in (await world.caller.get(KEYS_PATH)).json()["keys"]]


async def look_up(world: World, client: Client, token: str) -> int:
    path = f"/service/participant-roles/{client.participant_id}"
    return (await world.caller.get(path, headers={"authorization": f"Bearer {token}"})).status_code


async def test_the_key_set_is_open_to_all_and_may_be_cached(world: World) -> None:
    answer = await world.caller.get(KEYS_PATH)
    (key,) = answer.json()["keys"]
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert set(key) == {"kty", "kid", "use", "alg", "n", "e"}
    assert (key["kty"], key["use"], key["alg"], key["e"]) == ("RSA", "sig", "RS256", "AQAB")


async def test_a_replaced_key_stays_published_as_long_as_its_tokens_live(world: World, lender: Client) -> None:
    (first,) = await published(world)
    before = await world.token(lender)
    answer = await world.ops.post("/signing-keys/rotate")
    second = answer.json()["kid"]
    assert answer.status_code == 201
    assert await published(world) == [second, first]
    after = await world.token(lender)
    assert await world.verified(before)
    assert await world.verified(after)
    assert [await look_up(world, lender, token) for token in (before, after)] == [200, 200]
    world.clock.advance(LONGEST_LIFE.total_seconds() - 1)
    assert await published(world) == [second, first]
    assert await look_up(world, lender, before) == 200
    world.clock.advance(700)
    assert await published(world) == [second]
    assert await look_up(world, lender, before) == 401


async def test_the_operator_sees_which_key_signs(world: World) -> None:
    await world.ops.post("/signing-keys/rotate")
    new, old = (await world.ops.get("/signing-keys")).json()["items"]
    assert (new["retired_at"], new["published_until"]) == (None, None)
    assert old["retired_at"] == "2031-03-04T05:06:07.890Z"
    assert old["published_until"] == "2031-03-05T05:16:07.890Z"


async def test_private_keys_are_in_files_for_our_eyes_only(world: World) -> None:
    await world.ops.post("/signing-keys/rotate")
    files = sorted((world.folder / "token-keys").iterdir())
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    assert "PRIVATE" not in repr(world.contents())


@pytest.mark.on_both_databases
async def test_keys_survive_a_restart_and_are_shared_by_processes(tmp_path: Path, database_url: str) -> None:
    async with registry_in(tmp_path, database_url) as first, registry_in(tmp_path, database_url) as second:
        client = await first.admit()
        token = await first.token(client)
        assert await published(first) == await published(second)
        assert await look_up(second, client, token) == 200
        new = (await second.ops.post("/signing-keys/rotate")).json()["kid"]
        assert (await published(first))[0] == new
        assert await look_up(second, client, await first.token(client)) == 200
    async with registry_in(tmp_path, database_url) as third:
        assert (await published(third))[0] == new
        assert await look_up(third, client, token) == 200


async def test_a_registry_without_its_private_key_does_not_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    async with registry_in(tmp_path, url):
        pass
    (key,) = (tmp_path / "token-keys").iterdir()
    content = key.read_bytes()
    key.unlink()
    with pytest.raises(IdentityError, match=r"\.key holds no RSA key .* start once with OCEN_REPLACE_LOST_KEY=true"):
        RegistryService(registry_settings(tmp_path, url), FrozenClock())
    async with registry_in(tmp_path, f"sqlite:///{tmp_path / 'other.db'}"):
        pass
    (other,) = (tmp_path / "token-keys").iterdir()
    other.rename(key)
    with pytest.raises(IdentityError, match="put the right one back"):
        RegistryService(registry_settings(tmp_path, url), FrozenClock())
    for junk in ("no key at all", public_pem("token key 0")):
        key.write_text(junk)
        with pytest.raises(IdentityError, match="put the right one back"):
            RegistryService(registry_settings(tmp_path, url), FrozenClock())
    key.write_bytes(content)
    RegistryService(registry_settings(tmp_path, url), FrozenClock()).components.database.engine.dispose()


async def test_a_key_that_is_lost_is_replaced_if_the_operator_says_so_and_its_tokens_go_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    async with registry_in(tmp_path, url) as before:
        client = await before.admit()
        token, (lost,) = await before.token(client), await published(before)
    (tmp_path / "token-keys" / f"{lost}.key").unlink()
    settings = registry_settings(tmp_path, url).model_copy(update={"replace_lost_key": True})
    RegistryService(settings, FrozenClock()).components.database.engine.dispose()
    async with registry_in(tmp_path, url) as after:
        assert (await published(after))[1:] == [lost]
        assert await look_up(after, client, token) == 200
        assert await after.verified(await after.token(client))


async def test_a_key_that_cannot_be_written_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.contents()
    monkeypatch.setattr("registry_app.auth.signing_keys.new_id", lambda: "no/such/folder/\0")
    answer = await world.ops.post("/signing-keys/rotate")
    assert answer.status_code in (409, 500)
    assert world.contents() == before
