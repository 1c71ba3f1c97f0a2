"""What may happen as often as somebody likes is told once a minute, with how often it was left out."""

from shared.seldom import Seldom
from tests.equipment.clock import FrozenClock


def test_each_kind_is_due_once_a_minute_and_says_how_many_were_left_out() -> None:
    clock = FrozenClock()
    seldom: Seldom[str] = Seldom(clock)
    assert [seldom.due("a"), seldom.due("a"), seldom.due("b"), seldom.due("a")] == [0, None, 0, None]
    clock.advance(60)
    assert [seldom.due("a"), seldom.due("a"), seldom.due("b")] == [2, None, 0]
