"""Nonces, the freshness window, and what makes two deliveries one message."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from shared.protocol.encoding import parse_timestamp
from shared.protocol.nonces import DEFAULT_WINDOW, FreshnessWindow, Nonce, content_fingerprint, moment_key
from tests.protocol.receiver import NOW, payload_of

NAME = "TriggerLoanAcceptanceRequest"


def nonce(sender: str = "Lsp-417", trace_id: str = "trace-1", timestamp: str = "2031-03-04T05:06:07.890Z") -> Nonce:
    return Nonce(sender, trace_id, timestamp, parse_timestamp(timestamp))


@pytest.mark.parametrize(
    ("seconds", "fresh"), [(-301, False), (-300, True), (-5, True), (0, True), (10, True), (60, True), (61, False)]
)
def test_a_timestamp_is_fresh_from_five_minutes_behind_to_one_ahead(seconds: int, fresh: bool) -> None:
    assert DEFAULT_WINDOW.holds(NOW + timedelta(seconds=seconds), NOW) is fresh


def test_freshness_does_not_depend_on_the_offset_in_which_a_moment_is_given() -> None:
    indian = timezone(timedelta(hours=5, minutes=30))
    assert FreshnessWindow(timedelta(0), timedelta(0)).holds(NOW.astimezone(indian), NOW)


@pytest.mark.parametrize(
    "other",
    [
        nonce(sender="LSP-417"),
        nonce(trace_id="TRACE-1"),
        nonce(timestamp="2031-03-04T05:06:07.891Z"),
        nonce(timestamp="2031-03-04T05:06:07.8900Z"),
        nonce(sender="Lsp-417trace", trace_id="-1"),
    ],
)
def test_another_sender_trace_id_or_timestamp_makes_another_nonce(other: Nonce) -> None:
    assert other.key != nonce().key
    assert nonce().key == nonce().key


def test_a_nonce_is_remembered_as_long_as_its_timestamp_is_fresh_and_no_longer() -> None:
    stamped = nonce()
    last = NOW + DEFAULT_WINDOW.past

    assert DEFAULT_WINDOW.holds(stamped.instant, last)
    assert stamped.key > DEFAULT_WINDOW.forgettable_before(last)
    after = last + timedelta(microseconds=1)
    assert not DEFAULT_WINDOW.holds(stamped.instant, after)
    assert stamped.key < DEFAULT_WINDOW.forgettable_before(after)


def test_moment_keys_order_as_their_moments_do() -> None:
    moments = [datetime(year, 1, 1, microsecond=part, tzinfo=UTC) for year in (1970, 2001, 2031) for part in (0, 1)]
    keys = [moment_key(moment) for moment in moments]
    assert keys == sorted(keys)
    assert len({len(key) for key in keys}) == 1


def changed(**members: object) -> dict[str, Any]:
    return {**payload_of(NAME), **members}


def test_a_repeated_message_has_the_fingerprint_of_the_first() -> None:
    again = payload_of(NAME, traceId="trace-2", timestamp="2031-03-04T05:07:00Z")
    reordered = dict(reversed(again.items()))

    assert content_fingerprint(NAME, reordered) == content_fingerprint(NAME, payload_of(NAME))


@pytest.mark.parametrize(
    "other",
    [
        changed(loanApplicationIds=["APPL-2031-000418"]),
        changed(note="added"),
        changed(note=None),
        payload_of(NAME, orgId="LSP-418"),
        payload_of(NAME, version="1.1"),
    ],
)
def test_other_content_has_another_fingerprint(other: dict[str, Any]) -> None:
    assert content_fingerprint(NAME, other) != content_fingerprint(NAME, payload_of(NAME))


def test_the_same_body_as_another_message_has_another_fingerprint() -> None:
    assert content_fingerprint("Other", payload_of(NAME)) != content_fingerprint(NAME, payload_of(NAME))


def test_a_number_and_its_text_are_other_content() -> None:
    values = [Decimal("1.50"), "1.50", 1, "1", True, None, "null"]
    assert len({content_fingerprint(NAME, changed(amount=value)) for value in values}) == len(values)
