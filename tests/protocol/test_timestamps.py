"""Reading and writing timestamps."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.encoding import EncodingError, format_timestamp, parse_timestamp

aware = st.timedeltas(timedelta(0), timedelta(days=365 * 8000)).map(
    lambda span: span + datetime(1970, 1, 1, tzinfo=UTC)
)
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(aware, offsets)
def test_a_timestamp_reads_as_the_same_moment_at_any_offset(instant: datetime, offset: timezone) -> None:
    assert parse_timestamp(instant.astimezone(offset).isoformat()) == instant


@given(aware)
def test_a_written_timestamp_reads_back_to_the_millisecond(instant: datetime) -> None:
    written = format_timestamp(instant)
    assert parse_timestamp(written) == instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    assert written.endswith("Z")


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", fullmatch=True))
def test_reading_a_timestamp_raises_nothing_but_its_own_error(text: str) -> None:
    with suppress(EncodingError):
        assert parse_timestamp(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "2018-12-06T11:39:57Z",
        "2018-12-06t11:39:57.000z",
        "2018-12-06T17:09:57+05:30",
        "2018-12-06T11:39:57.000000-00:00",
        "2018-12-06T11:39:57.000000000Z",
        "2018-12-06T11:39:57.0Z",
    ],
)
def test_every_form_of_rfc_3339_is_read(text: str) -> None:
    assert parse_timestamp(text) == datetime(2018, 12, 6, 11, 39, 57, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "string",
        "1544096397",
        "2018-12-06",
        "2018-12-06T11:39:57",
        "2018-12-06 11:39:57Z",
        "20181206T113957Z",
        "2018-12-06T11:39Z",
        "2018-12-06T11:39:57,5Z",
        "2018-12-06T11:39:57.Z",
        "2018-12-06T11:39:57.1234567890Z",
        "2018-12-06T11:39:57+0530",
        "2018-12-06T11:39:57+05",
        "2018-12-06T11:39:57+05:99",
        "2018-12-06T11:39:57+24:00",
        "2018-02-30T11:39:57Z",
        "2018-13-06T11:39:57Z",
        "2018-12-06T24:00:00Z",
        "2018-12-06T11:39:60Z",
        "0000-12-06T11:39:57Z",
        "0001-01-01T00:00:00+23:59",
        "-2018-12-06T11:39:57Z",
        " 2018-12-06T11:39:57Z",
        "2018-12-06T11:39:57Z\n",
        "٢٠١٨-12-06T11:39:57Z",
    ],
)
def test_other_texts_are_no_timestamps(text: str) -> None:
    with pytest.raises(EncodingError):
        parse_timestamp(text)
