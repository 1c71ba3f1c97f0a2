"""Strict decoding of base64url and JSON objects, and writing JSON."""

import json
import time
from contextlib import suppress
from decimal import Decimal
from string import ascii_letters, digits
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.encoding import (
    MAX_DEPTH,
    MAX_EXPONENT,
    MAX_NUMBER_LENGTH,
    MAX_VALUES,
    EncodingError,
    base64url_decode,
    base64url_encode,
    dump_json,
    parse_json_object,
)

ALPHABET = ascii_letters + digits + "-_"
MAX_SAFE_INTEGER = 2**53 - 1

characters = st.characters(exclude_categories=["Cs"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(characters, max_size=20)
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(characters, max_size=8), inner, max_size=4),
    max_leaves=20,
)
json_objects = st.dictionaries(st.text(characters, max_size=8), json_values, max_size=6)


@given(st.binary(max_size=200))
def test_base64url_decodes_to_what_was_encoded(data: bytes) -> None:
    assert base64url_decode(base64url_encode(data)) == data


@given(st.binary(min_size=1, max_size=40), st.data())
def test_base64url_in_any_other_spelling_is_refused(data: bytes, draw: st.DataObject) -> None:
    text = base64url_encode(data)
    place = draw.draw(st.integers(0, len(text)))
    junk = draw.draw(st.sampled_from("=+/ \t\r\n!.é\u0661\x00") | st.characters(exclude_characters=ALPHABET))
    variants = {text + "=", text + "==", text[:place] + junk + text[place:], f" {text}", f"{text}\n"}
    variants |= {text.replace("-", "+"), text.replace("_", "/")} - {text}

    for variant in variants:
        with pytest.raises(EncodingError):
            base64url_decode(variant)


@given(st.binary(min_size=1, max_size=40))
def test_base64url_with_surplus_bits_is_refused(data: bytes) -> None:
    text = base64url_encode(data)
    decoded = []
    for last in ALPHABET:
        try:
            decoded.append(base64url_decode(text[:-1] + last))
        except EncodingError:
            continue
    assert decoded.count(data) == 1
    assert len(decoded) == {0: 64, 1: 4, 2: 16}[len(data) % 3]


@given(st.text(max_size=40))
def test_base64url_decoding_raises_nothing_but_its_own_error(text: str) -> None:
    with suppress(EncodingError):
        assert base64url_encode(base64url_decode(text)) == text


@given(json_objects, st.booleans(), st.sampled_from([None, 1]))
def test_json_is_read_as_the_standard_library_reads_it(
    document: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    assert parse_json_object(text.encode()) == json.loads(text, parse_float=Decimal)


@given(st.binary(max_size=100) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_json_parsing_raises_nothing_but_its_own_error(data: bytes) -> None:
    for candidate in (data, b'{"a":' + data + b"}", b'{"' + data + b'":1}'):
        with suppress(EncodingError):
            assert isinstance(parse_json_object(candidate), dict)


@given(st.text('{}[]":,0123456789eE+-.\\udDaA trufalsn', max_size=60))
def test_json_like_text_raises_nothing_but_its_own_error(text: str) -> None:
    for candidate in (text, f'{{"a":{text}}}', f'{{"a":"{text}"}}'):
        with suppress(EncodingError):
            parsed = parse_json_object(candidate.encode())
            assert json.dumps(parsed, default=str, ensure_ascii=False).encode()


@given(json_objects)
def test_what_is_written_reads_back_as_the_same(document: dict[str, Any]) -> None:
    written = dump_json(document)
    assert json.loads(written) == document
    assert dump_json(parse_json_object(written)) == dump_json(json.loads(written, parse_float=Decimal))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1} {}', "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":"\t"}', "not JSON"),
        (b"// no\n{}", "not JSON"),
        (b"[]", "not an object: array"),
        (b'"text"', "not an object: str"),
        (b"null", "not an object: absent or null"),
        (b"1.5", "not an object: number"),
        (b'\xef\xbb\xbf{"a":1}', "byte order mark"),
        ('{"a":1}'.encode("utf-16-le"), "not JSON"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8 at byte 0"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":"\xc0\xaf"}', "not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1,"b":2,"a":1}', "'a' is repeated"),
        (b'{"a":1,"\\u0061":1}', "'a' is repeated"),
        (b'{"b":[{"a":1,"a":2}]}', "'a' is repeated"),
        (b'{"a":"\\ud800"}', "lone surrogate"),
        (b'{"\\udfff":1}', "lone surrogate"),
        (b'{"a":"\\udc00\\ud800"}', "lone surrogate"),
        (b'{"a":0.12345678901234567890123456789,"b":"\\ud800"}', "lone surrogate"),
        (b'{"a":' + b"9" * 5000 + b"}", "limits of depth and of numbers"),
        (b'{"a":1e999999999}', "beyond 1e400"),
        (b'{"a":1e-401}', "beyond 1e400"),
        (b'{"a":1e99999999999999999999}', "limits of depth and of numbers"),
    ],
)
def test_a_text_that_is_no_plain_json_object_is_refused_with_a_reason(text: bytes, said: str) -> None:
    with pytest.raises(EncodingError, match=said):
        parse_json_object(text)


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json_object(b'{"a":"\\ud83c\\udf3e"}') == {"a": "\U0001f33e"}


def test_an_escaped_backslash_before_ud800_is_no_surrogate() -> None:
    assert parse_json_object(rb'{"a":"\\ud800"}') == {"a": r"\ud800"}


def test_numbers_keep_every_digit() -> None:
    parsed = parse_json_object(b'{"a":12345678901234567890,"b":0.10,"c":0.12345678901234567890,"d":1E+2}')
    assert parsed == {
        "a": 12345678901234567890,
        "b": Decimal("0.10"),
        "c": Decimal("0.12345678901234567890"),
        "d": Decimal("1E+2"),
    }


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_taken_to_the_limit_and_not_beyond(opening: str, closing: str) -> None:
    def nested(levels: int) -> bytes:
        return ('{"a":' + opening * (levels - 1) + "1" + closing * (levels - 1) + "}").encode()

    assert parse_json_object(nested(MAX_DEPTH))
    with pytest.raises(EncodingError, match="deeper than 64"):
        parse_json_object(nested(MAX_DEPTH + 1))


def test_nesting_that_would_exhaust_the_stack_is_refused() -> None:
    with pytest.raises(EncodingError, match="limits of depth"):
        parse_json_object(b'{"a":' + b"[" * 15_000)


def test_brackets_inside_of_texts_are_no_nesting() -> None:
    assert parse_json_object(b'{"a":"' + b"[{" * 1000 + b'"}')


def test_many_shallow_lists_are_no_nesting() -> None:
    assert len(parse_json_object(b'{"a":[' + b",".join([b"[]"] * 1000) + b"]}")["a"]) == 1000


@pytest.mark.parametrize("value", [b"0", b"1.0", b"null", b'""', b"[]", b'{"a":0}'])
def test_values_of_any_kind_are_taken_to_the_limit_and_not_beyond(value: bytes) -> None:
    def with_values(number: int) -> bytes:
        return b'{"list":[' + b",".join([value] * number) + b"]}"

    opened = sum(map(value.count, (b"{", b"[")))
    most = (MAX_VALUES - 1) // (1 + opened)  # the outer braces count, too; a list of n values has n - 1 commas
    assert len(parse_json_object(with_values(most))["list"]) == most
    with pytest.raises(EncodingError, match="more than 40000 commas, braces and brackets"):
        parse_json_object(with_values(most + 1))


@pytest.mark.parametrize("sign", [b",", b"{", b"["])
def test_what_stands_before_a_value_counts_inside_of_a_text_too(sign: bytes) -> None:
    assert parse_json_object(b'{"a":"' + sign * (MAX_VALUES - 1) + b'"}')
    with pytest.raises(EncodingError, match="more than 40000 commas, braces and brackets"):
        parse_json_object(b'{"a":"' + sign * MAX_VALUES + b'"}')


def test_what_has_too_many_values_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.protocol.encoding._STRICT_JSON", None)
    for part in (b"[],", b"{},", b"1.0,", b'"",'):
        with pytest.raises(EncodingError, match="more than 40000 commas, braces and brackets"):
            parse_json_object(b'{"a":[' + part * 200_000 + b"1]}")


def test_a_repeated_member_among_very_many_is_found_without_delay() -> None:
    members = b",".join(b'"%x":0' % number for number in range(30_000))
    begun = time.process_time()
    with pytest.raises(EncodingError, match="'z' is repeated"):
        parse_json_object(b"{" + members + b',"z":1,"z":2}')
    assert time.process_time() - begun < 5


def test_a_number_is_taken_up_to_so_many_characters_and_not_beyond() -> None:
    assert parse_json_object(b'{"a":1.' + b"5" * (MAX_NUMBER_LENGTH - 2) + b"}")
    with pytest.raises(EncodingError, match="a number of more than 4300 characters"):
        parse_json_object(b'{"a":1.' + b"5" * (MAX_NUMBER_LENGTH - 1) + b"}")


def test_the_largest_exponent_is_taken() -> None:
    assert parse_json_object(f'{{"a":1e{MAX_EXPONENT}}}'.encode()) == {"a": Decimal(f"1e{MAX_EXPONENT}")}


def test_a_refused_text_is_not_quoted() -> None:
    with pytest.raises(EncodingError) as caught:
        parse_json_object(b'{"otp":"048213"')
    assert "048213" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("1.0"), b"1"),
        (Decimal("10.50"), b"10.5"),
        (Decimal("-0.25"), b"-0.25"),
        (Decimal("1E+2"), b"100"),
        (Decimal("0.1"), b"0.1"),
        ("₹ अ 🌾 /", '"₹ अ 🌾 /"'.encode()),
        ("\r\n\x07", b'"\\r\\n\\u0007"'),
        (12345678901234567890, b"12345678901234567890"),
        (None, b"null"),
    ],
)
def test_json_is_written_compactly_in_utf8(value: object, written: bytes) -> None:
    assert dump_json({"a": value}) == b'{"a":' + written + b"}"


@pytest.mark.parametrize("digits_", ["0.12345678901234567890", "12345678901234567890.5", "1e400"])
def test_a_decimal_that_a_reader_would_change_is_not_written(digits_: str) -> None:
    with pytest.raises(EncodingError, match="more digits than a JSON reader keeps"):
        dump_json({"a": Decimal(digits_)})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes"])
def test_what_is_not_json_is_not_written(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        dump_json({"a": value})
