"""Nonces, the freshness window, and what makes two deliveries one message."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.protocol.checks import timestamp_is_fresh
from shared.protocol.encoding import parse_json_object, parse_timestamp
from shared.protocol.nonces import (
    _CANONICAL_JSON,
    DEFAULT_WINDOW,
    FreshnessWindow,
    Nonce,
    content_fingerprint,
    is_fingerprint_of,
    moment_key,
)
from tests.protocol.receiver import NOW, payload_of

NAME = "TriggerLoanAcceptanceRequest"


def nonce(sender: str = "Lsp-417", trace_id: str = "trace-1", timestamp: str = "2031-03-04T05:06:07.890Z") -> Nonce:
    return Nonce(sender, trace_id, timestamp, parse_timestamp(timestamp))


def is_fresh(instant: datetime, now: datetime, window: FreshnessWindow = DEFAULT_WINDOW) -> bool:
    message: Any = SimpleNamespace(instant=instant, opened=SimpleNamespace(window=window, now=now))
    return timestamp_is_fresh.judge(message).passed


@pytest.mark.parametrize(
    ("seconds", "fresh"), [(-301, False), (-300, True), (-5, True), (0, True), (10, True), (60, True), (61, False)]
)
def test_a_timestamp_is_fresh_from_five_minutes_behind_to_one_ahead(seconds: int, fresh: bool) -> None:
    assert is_fresh(NOW + timedelta(seconds=seconds), NOW) is fresh


def test_freshness_does_not_depend_on_the_offset_in_which_a_moment_is_given() -> None:
    indian = timezone(timedelta(hours=5, minutes=30))
    assert is_fresh(NOW.astimezone(indian), NOW, FreshnessWindow(timedelta(0), timedelta(0)))


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

    assert is_fresh(stamped.instant, last)
    assert stamped.key > DEFAULT_WINDOW.forgettable_before(last)
    after = last + timedelta(microseconds=1)
    assert not is_fresh(stamped.instant, after)
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


scalars = st.none() | st.booleans() | st.integers() | st.decimals(-(10**9), 10**9, places=3) | st.text(max_size=6)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def as_json_means_it(value: Any) -> Any:
    """The value in a form that is equal where a reader of JSON sees no difference."""
    if isinstance(value, dict):
        return "object", {name: as_json_means_it(child) for name, child in value.items()}
    if isinstance(value, list):
        return "array", [as_json_means_it(child) for child in value]
    return "number" if isinstance(value, int | Decimal) and not isinstance(value, bool) else str(type(value)), value


def spelled_otherwise(value: Any) -> Any:
    """The same content, with its members in another order and more digits than a number needs."""
    if isinstance(value, dict):
        return {name: spelled_otherwise(child) for name, child in reversed(value.items())}
    if isinstance(value, list):
        return [spelled_otherwise(child) for child in value]
    return Decimal(f"{value}.0") if type(value) is int else value


@given(documents, documents)
@example(Decimal("1.5"), "Decimal('1.5')")
@example(Decimal("1.5"), "1.5")
@example(Decimal("1.5"), ["1.5"])
@example(Decimal("1.5"), ["Infinity", "1.5"])
@example(1, True)
@example("e\u0301", "\u00e9")
@example(Decimal("0.1" + "0" * 60 + "1"), Decimal("0.1" + "0" * 60 + "2"))
def test_fingerprints_are_equal_where_contents_are_equal_as_json_and_nowhere_else(one: Any, other: Any) -> None:
    fingerprints = [content_fingerprint(NAME, changed(note=value)) for value in (one, other)]
    assert (fingerprints[0] == fingerprints[1]) is (as_json_means_it(one) == as_json_means_it(other))
    assert content_fingerprint(NAME, changed(note=spelled_otherwise(one))) == fingerprints[0]


@pytest.mark.parametrize(
    "spellings",
    [("1.5", "1.50", "15e-1", "0.15E1"), ("1", "1.0", "1e0", "10e-1"), ("0", "-0", "-0.0", "0e5"), ("1e400", "10e399")],
)
def test_a_number_is_the_same_content_however_it_is_written(spellings: tuple[str, ...]) -> None:
    contents = [parse_json_object(f'{{"amount":{spelling}}}'.encode()) for spelling in spellings]
    assert len({content_fingerprint(NAME, changed(**content)) for content in contents}) == 1


def test_a_number_of_hundreds_of_digits_costs_no_more_than_it_was_written_in() -> None:
    costly = parse_json_object(b'{"note":[' + b",".join([b"1e399"] * 1000) + b"]}")
    assert len(_CANONICAL_JSON.encode(costly)) < 40_000
    assert content_fingerprint(NAME, changed(**costly)) != content_fingerprint(NAME, changed(note=["1e399"] * 1000))


def test_a_message_that_a_former_version_has_accepted_is_still_known_by_its_fingerprint() -> None:
    amounts = changed(amount=Decimal("10.50"), rate=Decimal("1.5"), count=3, note="Straße")
    # As it was written before fingerprints had a first byte.
    former = bytes.fromhex("aa263dc30a2b166083e3cef5e06e4dafa1de89916846632ab62636e4632b4422")
    again = {**amounts, "metadata": {**amounts["metadata"], "traceId": "trace-2"}}
    assert is_fingerprint_of(former, NAME, again)
    assert not is_fingerprint_of(former, NAME, {**again, "count": 4})
    assert is_fingerprint_of(content_fingerprint(NAME, amounts), NAME, again)
    assert not is_fingerprint_of(content_fingerprint(NAME, amounts), NAME, {**again, "rate": "Decimal('1.5')"})
