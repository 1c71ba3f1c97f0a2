"""What is kept for a time: one question at a time, at most so often, and nobody waits for ever or for others."""

import asyncio
from datetime import timedelta

import pytest

from shared.node.counterparties import CounterpartiesUnavailable
from shared.node.registry.cache import Ages, CacheTimes, Kept, Pace
from tests.equipment.clock import FrozenClock
from tests.equipment.deadline import DEADLINE

AGES = Ages(soft=timedelta(seconds=100), hard=timedelta(seconds=300))
PACE = Pace(asks=2, per=timedelta(seconds=30), pause=timedelta(seconds=2), patience=timedelta(seconds=0.01))


class Source:
    """Answers with the number of the question, or fails; with a gate, not before it is open."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def fetch(self) -> int:
        self.asked += 1
        number = self.asked
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return number


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def kept(source: Source, clock: FrozenClock) -> Kept[int]:
    return Kept(source.fetch, clock, PACE, lambda _: AGES)


def patient(source: Source, clock: FrozenClock) -> Kept[int]:
    """One whose askers wait as long as the test lets them."""
    return Kept(source.fetch, clock, Pace(2, timedelta(seconds=30), patience=timedelta(minutes=1)), lambda _: AGES)


async def test_a_new_answer_is_asked_for_once_and_an_old_one_again(
    kept: Kept[int], source: Source, clock: FrozenClock
) -> None:
    assert [await kept.get() for _ in range(3)] == [1, 1, 1]
    clock.advance(100)
    assert await kept.get() == 1
    clock.advance(1)
    assert await kept.get() == 2
    assert source.asked == 2


async def test_many_who_ask_at_a_time_are_one_question(source: Source, clock: FrozenClock) -> None:
    kept, source.gate = patient(source, clock), asyncio.Event()
    askers = [asyncio.create_task(kept.get()) for _ in range(50)]
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*askers) == [1] * 50
    assert source.asked == 1


async def test_who_goes_away_does_not_take_the_answer_with_him(source: Source, clock: FrozenClock) -> None:
    kept, source.gate = patient(source, clock), asyncio.Event()
    first, second = asyncio.create_task(kept.get()), asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.gate.set()
    assert await second == 1
    assert source.asked == 1


async def test_a_failure_is_that_of_all_who_wait_and_nobody_asks_again_at_once(
    source: Source, clock: FrozenClock
) -> None:
    kept, source.gate = patient(source, clock), asyncio.Event()
    source.error = CounterpartiesUnavailable("down")
    askers = [asyncio.create_task(kept.get()) for _ in range(20)]
    await asyncio.sleep(0)
    source.gate.set()
    found = await asyncio.gather(*askers, return_exceptions=True)
    assert [str(outcome) for outcome in found if isinstance(outcome, CounterpartiesUnavailable)] == ["down"] * 20
    with pytest.raises(CounterpartiesUnavailable, match="down"):
        await kept.get()
    assert source.asked == 1
    source.error = None
    clock.advance(2)
    assert await kept.get() == 2


async def test_an_answer_that_cannot_be_read_is_a_failure_like_any_other(kept: Kept[int], source: Source) -> None:
    source.error = KeyError("something nobody thought of")
    for _ in range(3):
        with pytest.raises(CounterpartiesUnavailable, match="KeyError"):
            await kept.get()
    assert source.asked == 1


async def test_while_no_newer_answer_can_be_had_the_old_one_goes_on_to_its_end_and_no_longer(
    kept: Kept[int], source: Source, clock: FrozenClock
) -> None:
    assert await kept.get() == 1
    source.error = CounterpartiesUnavailable("down")
    clock.advance(300)
    assert await kept.get() == 1
    clock.advance(2.5)
    assert not kept.is_known
    with pytest.raises(CounterpartiesUnavailable, match="down"):
        await kept.get()
    assert kept.last == 1
    source.error = None
    clock.advance(2)
    assert await kept.get() == source.asked


async def test_nobody_waits_for_a_question_that_hangs_longer_than_his_patience_and_its_answer_still_counts(
    kept: Kept[int], source: Source, clock: FrozenClock
) -> None:
    source.gate = asyncio.Event()
    with pytest.raises(CounterpartiesUnavailable, match="no answer has come yet"):
        await kept.get()
    source.gate.set()
    assert await kept.get() == 1
    source.gate = asyncio.Event()
    clock.advance(101)
    assert await kept.get() == 1
    source.gate.set()
    assert await kept.get() == 2


async def test_out_of_turn_it_is_asked_only_so_often(kept: Kept[int], source: Source, clock: FrozenClock) -> None:
    await kept.get()
    for _ in range(200):
        await kept.refresh()
    assert (await kept.get(), source.asked) == (2, 2)
    clock.advance(30)
    await kept.refresh()
    assert (await kept.get(), source.asked) == (3, 3)


async def test_an_answer_counts_from_the_moment_in_which_it_was_asked_for(source: Source, clock: FrozenClock) -> None:
    kept, source.gate = patient(source, clock), asyncio.Event()
    asker = asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    clock.advance(60)
    source.gate.set()
    assert await asker == 1
    clock.advance(41)
    assert await kept.get() == 2


async def test_an_answer_that_is_amended_does_not_grow_younger(
    kept: Kept[int], source: Source, clock: FrozenClock
) -> None:
    kept.amend(lambda number: number + 10)
    assert kept.last is None
    await kept.get()
    clock.advance(60)
    kept.amend(lambda number: number + 10)
    assert await kept.get() == 11
    clock.advance(41)
    assert await kept.get() == 2


@pytest.mark.parametrize("minutes", [5, 15])
def test_all_times_follow_from_the_longest(minutes: int) -> None:
    times = CacheTimes(timedelta(minutes=minutes))
    assert times.participants == Ages(timedelta(minutes=minutes / 3), timedelta(minutes=minutes))
    assert times.nobody == Ages(timedelta(minutes=minutes / 30), timedelta(minutes=minutes / 3))
    assert times.auth_keys == Ages(timedelta(minutes=2 * minutes), timedelta(minutes=4 * minutes))
    assert (times.look_up_pace.per, times.auth_keys_pace.per) == (timedelta(seconds=10), timedelta(seconds=30))


def test_out_of_turn_is_asked_as_often_as_in_turn_where_answers_are_kept_for_seconds() -> None:
    times = CacheTimes(timedelta(seconds=6))
    assert (times.look_up_pace.per, times.auth_keys_pace.per) == (timedelta(seconds=2), timedelta(seconds=12))


async def test_a_question_that_hangs_does_not_hold_up_who_has_an_answer_that_counts(
    source: Source, clock: FrozenClock
) -> None:
    pace = Pace(2, timedelta(seconds=30), patience=timedelta(minutes=1), patience_with_answer=timedelta())
    kept = Kept(source.fetch, clock, pace, lambda _: AGES)
    await kept.get()
    source.gate = asyncio.Event()
    clock.advance(200)
    async with asyncio.timeout(DEADLINE):
        assert await kept.get() == 1
    assert source.asked == 2
    source.gate.set()
    await kept.refresh()
    assert await kept.get() == 2
