"""Strict decoding of what strangers send: base64url, JSON objects, timestamps.

Signed bytes must mean one thing to every reader. Libraries are lenient where security needs them not to be
(padding, junk characters, repeated members), so this door is ours and everything passes through it.
"""

import binascii
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NoReturn

MAX_DEPTH = 64
"""Levels of nesting that a JSON text may have."""

MAX_VALUES = 40_000
"""Values that a JSON text may have in all. Counted are its commas, opening braces and opening brackets, for before each
value but the first stands one of them; those inside of texts count, too. A bulk request of some hundred applications
stays below."""

MAX_EXPONENT = 400
"""Power of ten up to which a number may reach; binary doubles end at 308. Converting a larger one takes minutes."""

MAX_NUMBER_LENGTH = 4300
"""Characters of a number with a fraction or an exponent: as many as Python converts of an integer."""

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""An object without members."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD_ALPHABET = bytes.maketrans(b"-_+/=", b"+/!!!")
_ALL_BUT_SIGNS = bytes(set(range(256)) - set(b",{["))
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:[0-5]\d)",
    re.ASCII,
)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class EncodingError(ValueError):
    """A text that is not what its encoding allows; the message says what was found, without quoting the text."""


def base64url_encode(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 s2)."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def base64url_decode(text: str) -> bytes:
    """Decode canonical base64url without padding (RFC 7515 s2, RFC 4648 s3.5).

    Only the one text that an encoder would produce is accepted: padding, white space, the other alphabet, junk and
    non-zero trailing bits all differ from the text that the decoded bytes encode to.

    Raises:
        EncodingError: the text is not canonical base64url.
    """
    try:
        standard = text.encode("ascii").translate(_STANDARD_ALPHABET)
        data = binascii.a2b_base64(standard + b"=" * (-len(text) % 4), strict_mode=True)
    except ValueError as error:
        raise EncodingError("not base64url") from error
    surplus = len(data) % 3
    if surplus and base64url_encode(data[-surplus:]) != text[-surplus - 1 :]:
        raise EncodingError("not canonical base64url without padding")
    return data


def error_in(read: Callable[[str], object], text: str) -> str:
    """Say why a text cannot be read; empty where it can. `read` raises EncodingError."""
    try:
        read(text)
    except EncodingError as error:
        return str(error)
    return ""


def base64url_decode_if_any(text: Any) -> bytes:
    """Decode a text like `base64url_decode`; what is none becomes no bytes, which no text decodes to but the empty."""
    try:
        return base64url_decode(text) if isinstance(text, str) else b""
    except EncodingError:
        return b""


def parse_json_object(data: bytes, *, most_values: int = MAX_VALUES) -> dict[str, Any]:
    """Parse one UTF-8 JSON object in which no member name is repeated (RFC 8259 s4, RFC 7493 s2.3).

    Numbers with a fraction or an exponent become `Decimal`, so that no amount passes through binary floating point.

    Raises:
        EncodingError: not UTF-8, a byte order mark, not JSON, not an object, a repeated member, NaN or Infinity,
            a lone surrogate, nested deeper than `MAX_DEPTH`, more than `most_values` values (see `MAX_VALUES`), or a
            number longer than `MAX_NUMBER_LENGTH` or beyond `MAX_EXPONENT`.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EncodingError(f"not UTF-8 at byte {error.start}") from error
    if text.startswith("\ufeff"):
        raise EncodingError("a byte order mark before the JSON text")
    signs = data.translate(None, _ALL_BUT_SIGNS)
    if len(signs) > most_values:
        # Counted before parsing: a mebibyte of small values takes a second to parse, and anybody can send one.
        raise EncodingError(f"more than {most_values} commas, braces and brackets")
    try:
        parsed = _STRICT_JSON.decode(text)
    except EncodingError:
        raise
    except json.JSONDecodeError as error:
        raise EncodingError(f"not JSON: {error.msg} at character {error.pos}") from error
    except (RecursionError, ValueError, ArithmeticError) as error:
        raise EncodingError("not JSON within the limits of depth and of numbers") from error
    if not isinstance(parsed, dict):
        raise EncodingError(f"JSON, but not an object: {kind_of(parsed)}")
    if len(signs) - signs.count(b",") > MAX_DEPTH:
        _check_depth(parsed)
    if "\\" in text and _SURROGATE_ESCAPE.search(text):
        _check_surrogates(parsed)
    return parsed


class JsonTexts(dict[bytes, dict[str, Any] | str]):
    """The JSON texts of one message, each with its object, or with why it is none.

    Each is parsed once, however many read it: checks, refusal, log line, journal.
    """

    def read_if_any(self, text: bytes, most_bytes: int) -> Mapping[str, Any]:
        """Return the object in a text of at most so many bytes; an empty one where there is none."""
        try:
            return self.read(text) if 0 < len(text) <= most_bytes else NOTHING
        except EncodingError:
            return NOTHING

    def error_in(self, text: bytes, most_bytes: int) -> str:
        """Say why a text is no such object of at most so many bytes; empty where it is one."""
        if len(text) > most_bytes:
            return f"more than {most_bytes} bytes"
        try:
            self.read(text)
        except EncodingError as error:
            return str(error)
        return ""

    def read(self, text: bytes) -> dict[str, Any]:
        """Return the object in a text; raises EncodingError as `parse_json_object` does."""
        if text not in self:
            try:
                self[text] = parse_json_object(text)
            except EncodingError as error:
                self[text] = str(error)  # the error itself would keep the message until a garbage collection
        found = self[text]
        if isinstance(found, str):
            raise EncodingError(found)
        return found


def dump_json(document: Any) -> bytes:
    """Write compact UTF-8 JSON, members in the order given.

    Raises:
        EncodingError: a decimal number that a JSON reader with binary doubles would change.
    """
    return _COMPACT_JSON.encode(document).encode("utf-8")


def kind_of(value: Any) -> str:
    """Name the kind of a parsed JSON value as JSON names it, and say what is empty or not there."""
    if isinstance(value, str):
        return "string" if value else "empty string"
    if isinstance(value, bool):
        return "boolean"
    kinds = {dict: "object", list: "array", int: "number", Decimal: "number", type(None): "absent or null"}
    return kinds.get(type(value), type(value).__name__)


def parse_timestamp(text: str) -> datetime:
    """Read an RFC 3339 date-time with an offset (s5.6) and return it in UTC; digits past microseconds are cut.

    Raises:
        EncodingError: another form, no offset, or no such date.
    """
    if not _TIMESTAMP.fullmatch(text):
        raise EncodingError("not an RFC 3339 date-time with an offset")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise EncodingError("no such date or time") from error


def format_timestamp(instant: datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC with milliseconds and `Z`, the form of the published samples."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise EncodingError(f"the member {repeated[:64]!r} is repeated")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise EncodingError(f"{name} is not JSON")


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_NUMBER_LENGTH:
        raise EncodingError(f"a number of more than {MAX_NUMBER_LENGTH} characters")
    value = Decimal(text)
    if abs(value.adjusted()) > MAX_EXPONENT:
        raise EncodingError(f"a number beyond 1e{MAX_EXPONENT}")
    return value


def _check_depth(parsed: dict[str, Any]) -> None:
    level: list[Any] = [parsed]
    for _ in range(MAX_DEPTH):
        members = (value.values() if isinstance(value, dict) else value for value in level)
        level = [child for children in members for child in children if isinstance(child, dict | list)]
    if level:
        raise EncodingError(f"nested deeper than {MAX_DEPTH} levels")


def _check_surrogates(parsed: dict[str, Any]) -> None:
    try:
        json.dumps(parsed, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError as error:
        raise EncodingError("a lone surrogate, which is no character") from error


def _number(value: object) -> float | int:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not JSON")
    if value == value.to_integral_value() and value.adjusted() < 18:
        return int(value)
    if Decimal(repr(float(value))) != value:
        raise EncodingError(f"{str(value)[:64]} has more digits than a JSON reader keeps")
    return float(value)


# Made once: making them takes longer than reading or writing a small message does.
_STRICT_JSON = json.JSONDecoder(
    object_pairs_hook=_unique_members, parse_float=_decimal, parse_constant=_refuse_constant
)
_COMPACT_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_number, allow_nan=False)
