"""What may happen as often as somebody likes is told once a minute, with how often it was left out."""

from shared.once_a_minute import OnceAMinute
from tests.equipment.clock import FrozenClock


def test_each_kind_is_due_once_a_minute_and_says_how_many_were_left_out() -> None:
    clock = FrozenClock()
    limit: OnceAMinute[str] = OnceAMinute(clock)
    assert [limit.due("a"), limit.due("a"), limit.due("b"), limit.due("a")] == [
        0,
        None,
        0,
        None,
    ]
    clock.advance(60)
    assert [limit.due("a"), limit.due("a"), limit.due("b")] == [2, None, 0]
