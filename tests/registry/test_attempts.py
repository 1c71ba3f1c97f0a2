"""The memory of wrong secrets: it slows down one client, forgets in time, and does not grow."""

import pytest

from registry_app.auth.attempts import FailedAttempts
from registry_app.auth.errors import OAuthError
from tests.equipment.clock import FrozenClock


def fail(attempts: FailedAttempts, client_id: str, caller: str = "192.0.2.7", *, is_known: bool = True) -> None:
    one = attempts.of(client_id, caller, is_known=is_known)
    one.admit()
    one.failed()


def test_failures_count_within_the_span_only() -> None:
    clock = FrozenClock()
    attempts = FailedAttempts(2, 60, clock)
    fail(attempts, "a")
    clock.advance(40)
    fail(attempts, "a")
    with pytest.raises(OAuthError) as refusal:
        fail(attempts, "a")
    assert (refusal.value.status, refusal.value.headers) == (429, {"retry-after": "20"})
    clock.advance(20)
    fail(attempts, "a")
    with pytest.raises(OAuthError):
        fail(attempts, "a")


def test_what_fails_from_elsewhere_does_not_count() -> None:
    attempts = FailedAttempts(1, 60, FrozenClock())
    fail(attempts, "client", "198.51.100.1")
    fail(attempts, "client")
    for address in ("198.51.100.1", "192.0.2.7"):
        with pytest.raises(OAuthError):
            fail(attempts, "client", address)


def test_strangers_cannot_push_a_client_out_of_memory() -> None:
    attempts = FailedAttempts(1, 60, FrozenClock(), most=3)
    fail(attempts, "client")
    for number in range(10):
        fail(attempts, f"stranger {number}", is_known=False)
    with pytest.raises(OAuthError):
        fail(attempts, "client")
    fail(attempts, "stranger 0", is_known=False)


def test_the_memory_is_bounded() -> None:
    attempts = FailedAttempts(1, 60, FrozenClock(), most=3)
    for number in range(10):
        fail(attempts, str(number))
    fail(attempts, "0")
    with pytest.raises(OAuthError):
        fail(attempts, "9")
