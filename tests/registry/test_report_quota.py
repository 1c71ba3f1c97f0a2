"""The quota of reports: it slows down one participant and none of the others, and what is kept has an end."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

import registry_app.service
from registry_app.quota import PLACE, ReportQuota
from registry_app.settings import RegistrySettings
from registry_app.store.reports import purge_reports
from shared.catalogue.bodies.v4.heartbeat import EVENT_PATH, METRIC_PATH
from tests.equipment.clock import FrozenClock
from tests.equipment.deadline import DEADLINE
from tests.registry.test_heartbeat import event, metrics
from tests.registry.world import Client, World, registry_in

pytestmark = pytest.mark.on_both_databases


async def send(world: World, client: Client, path: str = EVENT_PATH, **changes: Any) -> httpx.Response:
    body = event(**changes) if path == EVENT_PATH else metrics(**changes)
    return await world.caller.post(path, json=body, headers=await world.bearer(client))


def test_a_bucket_fills_up_again_at_its_rate_and_no_higher_than_at_first() -> None:
    clock = FrozenClock()
    quota = ReportQuota(per_second=2, burst=3, clock=clock)
    assert [quota.take(1, 10) for _ in range(4)] == [0, 0, 0, 0.5]
    clock.advance(0.5)
    assert [quota.take(1, 10) for _ in range(2)] == [0, 0.5]
    clock.advance(3600)
    assert [quota.take(1, 10) for _ in range(4)] == [0, 0, 0, 0.5]


def test_who_reports_too_much_takes_nothing_from_the_others() -> None:
    quota = ReportQuota(per_second=1, burst=1, clock=FrozenClock())
    assert [quota.take(1, 10) for _ in range(3)] == [0, 1, 1]
    assert quota.take(2, 10) == 0


def test_a_large_report_counts_as_many_and_the_largest_passes_in_the_end() -> None:
    clock = FrozenClock()
    quota = ReportQuota(per_second=1, burst=4, clock=clock)
    assert quota.take(1, 2 * PLACE) == 0
    assert quota.take(1, PLACE) == 1
    assert quota.take(1, PLACE - 1) == 0
    assert quota.take(1, 60 * PLACE) == 4
    clock.advance(4)
    assert quota.take(1, 60 * PLACE) == 0


def test_by_default_a_busy_node_is_not_slowed_down() -> None:
    fields = RegistrySettings.model_fields
    clock = FrozenClock()
    quota = ReportQuota(fields["reports_per_second"].default, fields["reports_burst"].default, clock)
    for _ in range(600):
        clock.advance(0.1)
        assert [quota.take(1, 600) for _ in range(50)] == [0] * 50


@pytest.mark.parametrize("path", [EVENT_PATH, METRIC_PATH])
async def test_a_report_beyond_the_quota_is_to_come_again_and_leaves_nothing(tmp_path: Path, path: str) -> None:
    database = f"sqlite:///{tmp_path / 'registry.db'}"
    async with registry_in(tmp_path, database, reports_per_second=1, reports_burst=2) as world:
        lender, other = await world.admit(), await world.admit("Second Bank")
        assert [(await send(world, lender, path)).status_code for _ in range(2)] == [200, 200]
        before = world.contents()
        refused = await send(world, lender, path)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["errorCode"] == "GEN5004"
        assert world.contents() == before
        assert (await send(world, other, path)).status_code == 200
        world.clock.advance(1)
        assert (await send(world, lender, path)).status_code == 200


async def test_a_report_that_is_refused_counts_too(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'registry.db'}"
    async with registry_in(tmp_path, database, reports_per_second=1, reports_burst=2) as world:
        lender = await world.admit()
        statuses = [(await send(world, lender, eventType="GRANT_A_WISH")).status_code for _ in range(3)]
        assert statuses == [400, 400, 429]


async def test_what_is_kept_has_an_end_and_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_app.service, "REFRESH_SECONDS", 0)
    database = f"sqlite:///{tmp_path / 'registry.db'}"
    async with registry_in(tmp_path, database, reports_kept=2) as world:
        lender = await world.admit()
        for number in range(4):
            await send(world, lender, requestId=f"event-{number}")
        housekeeping = asyncio.create_task(world.service._keep_house())
        async with asyncio.timeout(DEADLINE):
            while len(world.contents()["reports"]) > 2:
                world.clock.advance(registry_app.service.PURGE_SECONDS)
                await asyncio.sleep(0)
        housekeeping.cancel()
        items = (await world.ops.get("/events")).json()["items"]
        assert [item["body"]["event"]["requestId"] for item in items] == ["event-3", "event-2"]


async def test_who_reports_much_drives_out_nothing_that_others_have_reported(world: World) -> None:
    quiet, busy = await world.admit("Quiet"), await world.admit("Busy")
    for member, number in ((quiet, 2), (busy, 9)):
        for turn in range(number):
            assert (await send(world, member, requestId=f"{member.participant_id}-{turn}")).status_code == 200
    assert await world.service.components.database.change(lambda connection: purge_reports(connection, kept=6)) == 5
    items = (await world.ops.get("/events")).json()["items"]
    kept = [f"{busy.participant_id}-{turn}" for turn in (8, 7, 6, 5)]
    kept += [f"{quiet.participant_id}-{turn}" for turn in (1, 0)]
    assert [item["body"]["event"]["requestId"] for item in items] == kept
